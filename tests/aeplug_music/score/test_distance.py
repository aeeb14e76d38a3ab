"""The distance of two windows of melody: what a musician would say of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from aeplug.interfaces import Document
from aeplug_music.melodies.codec import MelodyCodec
from aeplug_music.melodies.dataset import melody_shape
from aeplug_music.score.distance import LENGTH_SHARE, measure_distance
from aeplug_music.score.melody import Melody, Passage
from aeplug_music.score.metres import METRES, window_lengths
from aeplug_music.score.tokens import CLASSES, HOLD, NOTE_OFF

LENGTHS = window_lengths(METRES, 2)
WIDTH = max(LENGTHS)
#: Eight quarters of one pitch, 4/4.
QUARTERS = np.array([[41, 0, 0, 0] * 8])


def windows(count):
    token = st.one_of(st.just(HOLD), st.just(NOTE_OFF), st.integers(0, CLASSES - 1))
    row = st.lists(token, min_size=WIDTH, max_size=WIDTH)
    rows = st.lists(row, min_size=count, max_size=count)
    return rows.map(lambda values: torch.tensor(values, dtype=torch.int64))


def distance(tokens, others):
    return float(measure_distance(tokens.astype(np.uint8), others.astype(np.uint8))[0])


@given(windows(3), windows(3), st.lists(st.integers(0, len(METRES) - 1), min_size=3, max_size=3))
def test_it_is_a_share_0_for_equal_windows_and_the_same_both_ways(a, b, metres):
    codec = MelodyCodec(MelodyCodec.Config(), melody_shape(2, METRES))
    cond = {"metre": torch.tensor(metres)}
    there, back = codec.distance(a, b, cond), codec.distance(b, a, cond)
    assert there.dtype == torch.float32
    assert torch.equal(there, back)
    assert bool(((there >= 0) & (there <= 1)).all())
    assert not codec.distance(a, a, cond).any()
    one_by_one = [
        codec.distance(a[n : n + 1], b[n : n + 1], {"metre": cond["metre"][n : n + 1]})
        for n in range(3)
    ]
    assert torch.equal(there, torch.cat(one_by_one))


@given(windows(1), st.integers(0, len(METRES) - 1))
def test_what_lies_beyond_the_window_is_not_heard(a, metre):
    codec = MelodyCodec(MelodyCodec.Config(), melody_shape(2, METRES))
    cond, other = {"metre": torch.tensor([metre])}, a.clone()
    other[:, LENGTHS[metre] :] = 41
    assert float(codec.distance(a, other, cond)) == 0
    other[:, : LENGTHS[metre]] = HOLD
    assert bool(codec.is_blank(other, cond))


def test_one_wrong_pitch_of_eight_is_an_eighth():
    wrong = QUARTERS.copy()
    wrong[0, 8] += 1
    assert distance(QUARTERS, wrong) == pytest.approx(1 / 8)


def test_the_same_tune_in_another_key_or_a_step_late_has_nothing_in_common():
    higher = np.where(QUARTERS > NOTE_OFF, QUARTERS + 12, QUARTERS)
    assert distance(QUARTERS, higher) == 1
    assert distance(QUARTERS, np.roll(QUARTERS, 1, axis=1)) == 1


def test_a_length_costs_little_and_never_as_much_as_a_note():
    staccato = QUARTERS.copy()
    staccato[0, 1::4] = NOTE_OFF
    apart = distance(QUARTERS, staccato)
    assert apart == pytest.approx(LENGTH_SHARE * 3 / 4)
    assert 0 < apart < distance(QUARTERS, np.where(np.arange(32) == 28, HOLD, QUARTERS))


def test_silence_is_equal_to_silence_alone():
    silence = np.zeros_like(QUARTERS)
    assert distance(silence, np.full_like(silence, NOTE_OFF)) == 0
    assert distance(silence, QUARTERS) == 1


def test_pieces_of_a_file_joined_unchanged_are_the_file():
    codec = MelodyCodec(MelodyCodec.Config(), melody_shape(2, METRES))
    tokens = np.tile(QUARTERS[0], 3)[:80].astype(np.uint8)
    document = Document(Melody((Passage("4/4", tokens),)), "x")
    raw = codec.split(document)
    joined = codec.join(codec.as_pieces(raw), {"metre": raw["metre"]}, document)
    assert np.array_equal(joined.content.tokens, tokens)
