"""The distance of two windows of drums: the hits, and of performances how they are played."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aeplug.config import PartConfig
from aeplug.interfaces import Document
from aeplug_music.drums.codec import DrumCodec
from aeplug_music.drums.kit import BAR, DRUMS, HIGH_TOM, KICK, SNARE
from aeplug_music.drums.performance import Performance, make_passage
from aeplug_music.drums.window_shape import groove_shape, hits_shape

SHAPES = (hits_shape(2), groove_shape(2))
VELOCITIES = arrays(np.uint8, (2 * BAR, DRUMS), elements=st.one_of(st.just(0), st.integers(0, 127)))
OFFSETS = arrays(np.int8, (2 * BAR, DRUMS), elements=st.integers(-128, 127))


def pieces_of(codec, velocity, offset=None):
    """Windows of a performance in the form of a model's results."""
    offset = np.zeros(velocity.shape, np.int8) if offset is None else offset
    document = Document(Performance((make_passage(velocity, offset),)), "x")
    return codec.as_pieces({**_columns(document)})


def _columns(document):
    passage = document.content.passages[0]
    return {
        name: torch.from_numpy(getattr(passage, name)).unsqueeze(0)
        for name in ("velocity", "offset", "taps")
    }


def beat(**hits):
    """Two bars with hits of drums at steps."""
    velocity = np.zeros((2 * BAR, DRUMS), np.uint8)
    for name, steps in hits.items():
        velocity[steps, {"kick": KICK, "snare": SNARE, "tom": HIGH_TOM}[name]] = 100
    return velocity


@pytest.fixture(params=SHAPES, ids=["hits", "played"])
def codec(request):
    return DrumCodec(PartConfig(), request.param)


@given(st.sampled_from(SHAPES), VELOCITIES, VELOCITIES, OFFSETS)
def test_it_is_a_share_0_for_equal_windows_and_the_same_both_ways(shape, one, two, offset):
    codec = DrumCodec(PartConfig(), shape)
    a, b = pieces_of(codec, one, offset), pieces_of(codec, two, -(offset // 2))
    there, back = codec.distance(a, b, {}), codec.distance(b, a, {})
    assert there.dtype == torch.float32
    assert torch.equal(there, back)
    assert 0 <= float(there) <= 1
    assert not codec.distance(a, a, {}).any()
    assert bool(codec.is_blank(a, {})) == (not one.any())


def test_one_hit_of_eight_on_another_drum_is_an_eighth(codec):
    same = {"kick": [0, 8, 16, 24]}
    pattern = pieces_of(codec, beat(**same, snare=[4, 12, 20, 28]))
    other = pieces_of(codec, beat(**same, snare=[4, 12, 20], tom=[28]))
    assert float(codec.distance(pattern, other, {})) == pytest.approx(1 / 8)


def test_silence_is_equal_to_silence_alone(codec):
    silence, kicks = pieces_of(codec, beat()), pieces_of(codec, beat(kick=[0]))
    assert float(codec.distance(silence, silence, {})) == 0
    assert float(codec.distance(silence, kicks, {})) == 1


def test_a_hit_played_softer_or_later_is_nearer_than_another_hit():
    codec, kicks = DrumCodec(PartConfig(), groove_shape(2)), beat(kick=[0, 8, 16, 24])
    plain = pieces_of(codec, kicks)
    softer = pieces_of(codec, kicks // 2)
    later = pieces_of(codec, kicks, np.full(kicks.shape, 64, np.int8))
    moved = pieces_of(codec, np.roll(kicks, 1, axis=0))
    apart = [float(codec.distance(plain, other, {})) for other in (softer, later, moved)]
    assert 0 < apart[0] < 0.3
    assert apart[1] == pytest.approx(0.125)
    assert apart[2] == 1


def test_pieces_of_a_file_joined_unchanged_are_the_file():
    velocity = beat(kick=[0, 8, 17], snare=[4, 12])
    offset = np.where(velocity > 0, np.arange(2 * BAR)[:, None] * 3 - 40, 0).astype(np.int8)
    document = Document(Performance((make_passage(velocity, offset),)), "x")
    codec = DrumCodec(PartConfig(), groove_shape(2))
    joined = codec.join(codec.as_pieces(codec.split(document)), {}, document).content
    assert np.array_equal(joined.velocity, velocity)
    assert np.array_equal(joined.offset, offset)


def test_a_rhythm_is_a_snare(codec):
    taken = codec.with_options({"given": "rhythm"})
    tapped = pieces_of(taken, beat(kick=[0, 8]))
    assert float(taken.distance(tapped, pieces_of(codec, beat(snare=[0, 8])), {})) == 0
