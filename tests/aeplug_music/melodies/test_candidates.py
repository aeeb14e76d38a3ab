"""How windows of melody follow each other and end: weights of candidates, and ties over edges."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from aeplug.api import load
from aeplug.inference import sample_documents
from aeplug.interfaces import Sampling
from aeplug_music.melodies.candidates import (
    ITEM_CANDIDATES,
    LEAPS_KEPT,
    weigh_endings,
    weigh_leaps,
)
from aeplug_music.melodies.codec import MelodyCodec
from aeplug_music.melodies.dataset import melody_shape
from aeplug_music.melodies.joining import hold_over_edges
from aeplug_music.score.keys import estimate_key, weigh_pitch_classes
from aeplug_music.score.melody import Passage
from aeplug_music.score.tokens import CLASSES, FIRST_ONSET, HOLD, PITCH_OFFSET, tokens_to_notes

#: Two bars in C, ending on it; and the same ending on D.
HOME = (60, 64, 67, 72, 71, 67, 62, 60)
AWAY = (60, 64, 67, 72, 71, 67, 60, 62)


def window(*pitches, steps=4):
    tokens = np.zeros(len(pitches) * steps, np.uint8)
    tokens[::steps] = np.array(pitches) - PITCH_OFFSET
    return tokens


def chances(logits):
    values = np.exp(logits - logits.max())
    return values / values.sum()


@pytest.fixture
def codec():
    return MelodyCodec(MelodyCodec.Config(), melody_shape(2, ("4/4", "3/4")))


def test_a_leap_over_the_edge_is_rarer_than_the_model_has_it():
    before = window(*HOME)
    near, far, rest = window(62, *HOME[1:]), window(72, *HOME[1:]), np.zeros(32, np.uint8)
    logits = weigh_leaps(before, np.stack([near, far, rest]), np.zeros(3, np.float32))
    assert np.exp(logits) == pytest.approx([1, LEAPS_KEPT, 1])
    assert np.exp(weigh_leaps(window(63), np.stack([near, far]), np.zeros(2))) == pytest.approx(1)


def test_nothing_leaps_from_silence():
    logits = np.array([0.5, -1], np.float32)
    pair = np.stack([window(*HOME), window(96, *HOME[1:])])
    assert np.array_equal(weigh_leaps(np.zeros(32, np.uint8), pair, logits), logits)


def test_a_share_of_tunes_ends_at_home_and_the_others_as_the_model_has_it():
    pair = np.stack([window(*HOME), window(*AWAY)])
    logits = np.log(np.array([0.2, 0.8], np.float32))
    for share in (0.0, 0.5, 1.0):
        with np.errstate(divide="ignore"):
            found = chances(weigh_endings(window(*HOME), pair, logits, share))
        assert found[0] == pytest.approx(share + (1 - share) * 0.2, abs=1e-5)


def test_where_no_candidate_ends_at_home_it_is_the_model_s_choice():
    pair = np.stack([window(*AWAY), window(*AWAY[:-1], 65)])
    logits = np.log(np.array([0.2, 0.8], np.float32))
    assert np.array_equal(weigh_endings(window(*HOME), pair, logits, 0.5), logits)


tokens = st.lists(st.integers(0, CLASSES - 1), min_size=32, max_size=32)


@given(st.lists(tokens, min_size=1, max_size=4), st.lists(tokens, max_size=2), st.booleans())
def test_one_candidate_at_least_can_be_drawn(rows, before, last):
    codec = MelodyCodec(MelodyCodec.Config(), melody_shape(2, ("4/4", "3/4")))
    so_far = torch.tensor(before, dtype=torch.int64).reshape(-1, 32)
    cond = {"metre": torch.tensor([0] * len(before) + [1])}
    logits = torch.zeros(len(rows))
    logits[1:] = -torch.inf
    found = codec.weigh_candidates(so_far, torch.tensor(rows), logits, cond, last)
    assert found.dtype == torch.float32
    assert found.softmax(0)[0] == 1


def test_only_the_last_window_ends_and_a_short_one_alone_is_no_tune(codec):
    pair = torch.from_numpy(np.stack([window(*HOME), window(*AWAY)])).long()
    before = torch.from_numpy(window(*HOME)[None]).long()
    even, metre = torch.zeros(2), torch.zeros(2, dtype=torch.int64)
    inner = codec.weigh_candidates(before, pair, even, {"metre": metre}, last=False)
    assert torch.equal(inner, even)
    ended = codec.weigh_candidates(before, pair, even, {"metre": metre}, last=True)
    assert ended[0] > ended[1]
    alone = codec.weigh_candidates(before[:0], pair, even, {"metre": metre[:1]}, last=True)
    assert torch.equal(alone, even)
    assert codec.item_candidates == 1


def ends_at_home(document):
    tokens = document.content.tokens
    pitches = tokens_to_notes(tokens)[2]
    return pitches[-1] % 12 == estimate_key(weigh_pitch_classes(tokens)).tonic


def test_sixteen_bars_end_at_home_more_often_than_not():
    model = load("melody-16bar", device="cpu")
    assert model.codec.item_candidates == ITEM_CANDIDATES
    documents = sample_documents(model, 60, 0, Sampling(0.5))
    assert 0.5 < np.mean([ends_at_home(document) for document in documents]) < 0.9
    few = model.sample(3, seed=2)
    assert torch.equal(few, model.sample(50, seed=2)[:3])


def test_whole_tunes_end_at_home_more_often_than_not():
    model = load("melody-2bar", device="cpu")
    documents = sample_documents(model, 24, 0, Sampling(0.5), pieces=8)
    assert np.mean([ends_at_home(document) for document in documents]) > 0.5


def tune(inner, edge):
    """Six windows of two bars: at bar lines within them the note before is held, or struck again.

    At the edges of windows a note of the pitch before begins, or another.
    """
    note = 60 - PITCH_OFFSET
    tokens = np.full(6 * 32, HOLD, np.uint8)
    tokens[::32] = note if edge == "same" else note + 2
    tokens[8::32] = note + 4
    tokens[12::32] = note
    tokens[16::32] = HOLD if inner == "held" else note
    tokens[20::32] = note + 5
    tokens[28::32] = note
    tokens[0] = note
    return Passage("4/4", tokens)


def test_notes_are_held_over_edges_where_the_tune_holds_them_over_bar_lines():
    for inner in ("held", "struck"):
        for edge in ("same", "other"):
            passage = tune(inner, edge)
            result = hold_over_edges(passage, 32, 2).tokens
            changed = np.flatnonzero(result != passage.tokens)
            expected = range(32, 192, 32) if (inner, edge) == ("held", "same") else []
            assert changed.tolist() == list(expected)
            assert not result[changed].any()
            assert (result >= FIRST_ONSET)[0]


def test_windows_of_one_bar_say_nothing_of_bar_lines():
    passage = tune("held", "same")
    assert hold_over_edges(passage, 16, 1) is passage
