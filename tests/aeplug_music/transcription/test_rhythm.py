from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from aeplug_audio.analysis.voice import NoteEvent
from aeplug_music.transcription.rhythm import FASTEST, SLOWEST, USUAL, estimate_bpm, quantise

#: Steps of notes: a bar of eighths and quarters, one with a dotted rhythm, a long note.
FIGURE = [2, 2, 4, 2, 2, 4, 3, 1, 4, 4, 2, 2, 2, 2, 8, 4]


def played(steps, bpm, start=0.4, jitter=0.0, seed=0):
    """Notes as long as so many steps, one after another."""
    edges = np.cumsum([0, *steps]) * 60 / bpm / 4 + start
    edges[:-1] += jitter * np.random.default_rng(seed).standard_normal(len(steps))
    edges = np.maximum.accumulate(edges)
    return [NoteEvent(a, b, 60 + n % 5) for n, (a, b) in enumerate(pairwise(edges.tolist()))]


@pytest.mark.parametrize("bpm", [84.0, 97.3, 120.0, 151.0])
@pytest.mark.parametrize("jitter", [0.0, 0.012])
def test_tempo_and_steps_are_found(bpm, jitter):
    found = quantise(played(FIGURE * 2, bpm, jitter=jitter))
    assert found.grid.estimated and found.grid.bpm == pytest.approx(bpm, rel=0.01)
    assert np.diff(found.onset).tolist() == (FIGURE * 2)[:-1]
    assert (found.end - found.onset).tolist() == FIGURE * 2
    assert found.onset[0] == 0 and found.grid.first_beat == pytest.approx(0.4, abs=0.03)


def test_a_player_who_drifts_is_followed():
    """Ten per cent slower at the end than at the beginning."""
    steps = FIGURE * 3
    length = np.linspace(0.125, 0.1375, len(steps)) * steps
    edges = np.cumsum([0.4, *length]).tolist()
    notes = [NoteEvent(a, b, 60) for a, b in pairwise(edges)]
    assert np.diff(quantise(notes).onset).tolist() == steps[:-1]


@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=40),
    st.floats(60, 160),
    st.floats(0, 3),
    st.integers(0, 100),
)
def test_with_the_tempo_given_steps_are_right(steps, bpm, start, seed):
    found = quantise(played(steps, bpm, start, 0.004, seed), bpm=bpm)
    assert not found.grid.estimated and found.grid.bpm == bpm
    assert np.diff(found.onset).tolist() == steps[:-1]


@given(
    st.lists(
        st.tuples(st.floats(0, 3), st.floats(0.05, 3), st.integers(36, 96)), min_size=1, max_size=60
    ),
    st.sampled_from([(4, 4), (3, 4), (6, 8), (2, 2), (3, 8), (9, 8)]),
    st.one_of(st.none(), st.floats(20, 400)),
)
def test_any_notes_come_onto_the_grid(parts, metre, bpm):
    notes, now = [], 0.0
    for gap, length, pitch in parts:
        notes.append(NoteEvent(now + gap, now + gap + length, pitch))
        now += gap + length
    found = quantise(notes, metre, bpm)
    assert len(found.onset) == len(found.end) == len(found.pitch) >= 1
    assert (np.diff(found.onset) > 0).all() and (found.end > found.onset).all()
    assert (found.end[:-1] <= found.onset[1:]).all()
    bar = 16 * metre[0] // metre[1]
    assert 0 <= found.onset[0] < bar
    assert 15 < found.grid.bpm < 500


@pytest.mark.parametrize(("metre", "upbeat"), [((4, 4), 2), ((4, 4), 1), ((3, 4), 2)])
def test_what_begins_between_beats_is_an_upbeat(metre, upbeat):
    bar = 16 * metre[0] // metre[1]
    found = quantise(played([upbeat, 4, 4, 2, 2, 4, 4, 4, 2, 2, 4, 4, 8], 120), metre, 120)
    assert found.onset[:2].tolist() == [bar - upbeat, bar]


def test_in_six_eight_an_eighth_is_a_beat():
    found = quantise(played([2, 4, 2, 4, 2, 2, 2, 2, 6], 120), (6, 8), 120)
    assert found.onset[0] == 0


def test_short_gaps_are_no_rests_and_long_ones_are():
    notes = [NoteEvent(0.5, 0.93, 60), NoteEvent(1.0, 1.5, 62), NoteEvent(2.0, 2.5, 64)]
    found = quantise(notes, bpm=120)
    assert found.onset.tolist() == [0, 4, 12] and found.end.tolist() == [4, 8, 16]


def test_of_two_notes_on_a_step_the_later_stays():
    notes = [NoteEvent(0.5, 0.53, 59), NoteEvent(0.53, 1.0, 60), NoteEvent(1.0, 1.5, 62)]
    assert quantise(notes, bpm=120).pitch.tolist() == [60, 62]


def test_of_one_note_the_tempo_is_the_usual():
    assert estimate_bpm(np.array([1.0])) == USUAL
    assert quantise([NoteEvent(1, 2, 60)]).onset.tolist() == [0]


@given(st.lists(st.floats(0, 60), min_size=2, max_size=50))
def test_tempo_is_within_its_range(onsets):
    assume(max(onsets) > min(onsets))
    assert SLOWEST <= estimate_bpm(np.sort(onsets)) <= FASTEST + 1e-9
