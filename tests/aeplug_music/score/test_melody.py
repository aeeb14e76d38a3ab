"""The representation, case by case as its docstring has them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aeplug_music.corpus.windows import cut_windows
from aeplug_music.score.grid import NoteBatch, metre_segments, quantise
from aeplug_music.score.melody import extract_melody
from aeplug_music.score.metres import METRES, STEPS_PER_BAR, window_lengths
from aeplug_music.score.tokens import (
    CLASSES,
    HOLD,
    NOTE_OFF,
    PITCH_OFFSET,
    canonicalise,
    fill_holds,
    split_windows,
    tokens_to_notes,
)
from aeplug_music.score.tune import Track, Tune

C4 = 60 - 19  # its token


def tune(*notes, quarter=4, metres=((0, 4, 4),), **more):
    """Notes (pitch, onset, end) in ticks; with quarter=4 a tick is a step."""
    pitch, onset, end = np.array(sorted(notes, key=lambda note: note[1])).T
    track = Track.of(pitch, onset, end, **more)
    return Tune(quarter, [track], list(metres))


def tokens(one):
    return extract_melody(one).tokens.tolist()


def windows(*tunes, bars=2):
    batch = NoteBatch()
    for one in tunes:
        for track in one.tracks:
            batch.add(track, metre_segments(one), one.ticks_per_quarter)
    return cut_windows(quantise(batch), bars, 24 * bars)


def test_vocabulary():
    assert CLASSES == 90
    low, high = tokens(tune((21, 0, 1), (108, 1, 2)))[:2]
    assert (low, high) == (2, 89)


def test_onset_hold_and_note_off():
    assert tokens(tune((60, 0, 4), (62, 8, 10)))[:12] == [
        C4,
        0,
        0,
        0,
        NOTE_OFF,
        0,
        0,
        0,
        C4 + 2,
        0,
        NOTE_OFF,
        0,
    ]


def test_notes_that_touch_need_no_note_off():
    assert tokens(tune((60, 0, 4), (60, 4, 8)))[:9] == [C4, 0, 0, 0, C4, 0, 0, 0, NOTE_OFF]


def test_leading_rests_are_kept():
    assert tokens(tune((60, 5, 16)))[:7] == [0, 0, 0, 0, 0, C4, 0]


def test_the_last_bar_is_filled_up():
    assert len(tokens(tune((60, 0, 17)))) == 32


@pytest.mark.parametrize(("tick", "step"), [(59, 0), (60, 1), (61, 1), (179, 1), (180, 2)])
def test_nearest_step_and_ties_go_to_the_later(tick, step):
    assert tokens(tune((60, tick, 960), quarter=480)).index(C4) == step


def test_a_note_has_at_least_one_step():
    assert tokens(tune((60, 0, 10), (62, 480, 960), quarter=480))[:5] == [C4, 1, 0, 0, C4 + 2]


def test_the_highest_of_one_step_sounds_and_of_one_pitch_the_longer():
    assert tokens(tune((60, 0, 8), (64, 0, 2), (62, 8, 9)))[:4] == [C4 + 4, 0, NOTE_OFF, 0]
    assert tokens(tune((60, 0, 2), (60, 0, 6)))[:8] == [C4, 0, 0, 0, 0, 0, NOTE_OFF, 0]


def test_a_note_that_gave_way_makes_no_tune_longer():
    # Both begin nearest to step 14; the higher, shorter one sounds.
    assert len(tokens(tune((60, 0, 16), (64, 27, 28), (60, 28, 60), quarter=8))) == 16


def test_a_note_is_cut_by_the_next():
    assert tokens(tune((72, 0, 16), (60, 4, 8)))[:9] == [C4 + 12, 0, 0, 0, C4, 0, 0, 0, NOTE_OFF]


def test_pitches_outside_the_piano_are_left_out_first():
    assert tokens(tune((60, 0, 4), (120, 0, 8), (10, 4, 8)))[:5] == [C4, 0, 0, 0, NOTE_OFF]


def test_without_a_time_signature_it_is_4_4():
    assert extract_melody(tune((60, 0, 4), metres=())).passages[0].metre == "4/4"
    late = extract_melody(tune((60, 0, 64), metres=((32, 3, 4),)))
    assert [(p.metre, len(p.tokens)) for p in late.passages] == [("4/4", 32), ("3/4", 36)]


def test_a_change_of_metre_begins_a_stretch():
    one = tune((60, 0, 16), (62, 16, 34), metres=((0, 4, 4), (16, 6, 8)))
    assert [(p.metre, p.tokens.tolist()[:2]) for p in extract_melody(one).passages] == [
        ("4/4", [C4, 0]),
        ("6/8", [C4 + 2, 0]),
    ]
    bars = [(one.metre, one.first_bar) for one in metre_segments(one)]
    assert bars == [(0, 0), (2, 1)]


def test_a_signature_restated_on_the_bar_line_changes_nothing():
    one = tune((60, 0, 64), metres=((0, 4, 4), (16, 4, 4), (40, 4, 4)))
    assert [stretch.tick for stretch in metre_segments(one)] == [0, 40]


def test_an_upbeat_is_the_end_of_a_bar_of_rests():
    one = tune((60, 0, 2), (62, 2, 14), metres=((0, 1, 8), (2, 6, 8)))
    found = extract_melody(one)
    assert [passage.metre for passage in found.passages] == ["6/8"]
    assert found.tokens.tolist()[:13] == [0] * 10 + [C4, 0, C4 + 2]
    assert len(found.tokens) == 24


def test_bars_cut_short_belong_to_no_window():
    one = tune(*((60 + n % 5, 4 * n, 4 * n + 4) for n in range(22)), metres=((0, 4, 4), (40, 3, 4)))
    found = windows(one)
    assert [(int(b), METRES[m]) for b, m in zip(found.bar, found.metre, strict=True)] == [
        (0, "4/4"),
        (3, "3/4"),
        (4, "3/4"),
        (5, "3/4"),
    ]


def test_one_window_a_bar_of_slide_each_on_its_own():
    one = tune((60, 0, 20), (62, 20, 32), (64, 34, 48))
    found = windows(one)
    assert found.bar.tolist() == [0, 1]
    assert found.tokens.shape == (2, 48)
    # The note that sounds over the left edge begins anew.
    assert found.tokens[1, :5].tolist() == [C4, 0, 0, 0, C4 + 2]
    assert found.tokens[1, 16:19].tolist() == [NOTE_OFF, 0, C4 + 4]
    assert not found.tokens[:, 32:].any()


def test_a_note_off_at_the_left_edge_is_a_hold():
    found = windows(tune((60, 0, 16), (62, 18, 64)))
    assert found.tokens[1, :3].tolist() == [HOLD, HOLD, C4 + 2]


def test_windows_with_a_bar_of_silence_are_left_out():
    silent = tune((60, 0, 8), (62, 24, 80))
    assert windows(silent).bar.tolist() == [1, 2, 3]
    assert windows(silent).silent.tolist() == [1]
    almost = tune((60, 0, 9), (62, 24, 80))
    assert windows(almost).bar.tolist() == [0, 1, 2, 3]
    # At the beginning and at the end, too.
    assert windows(tune((60, 16, 48), (62, 48, 49))).bar.tolist() == [1, 2]
    assert windows(tune((60, 16, 32), (62, 32, 33), (62, 63, 64))).silent.tolist() == [2]


@pytest.mark.parametrize("metre", METRES)
def test_every_metre_of_the_table(metre):
    numerator, denominator = (int(part) for part in metre.split("/"))
    bar = STEPS_PER_BAR[metre]
    one = tune(
        *((60 + n % 7, n, n + 1) for n in range(4 * bar)), metres=((0, numerator, denominator),)
    )
    found = windows(one)
    assert found.bar.tolist() == [0, 1, 2]
    assert (found.tokens[:, : 2 * bar] > 0).all()
    assert not found.tokens[:, 2 * bar :].any()


def test_other_metres_give_no_window():
    assert len(windows(tune((60, 0, 99), metres=((0, 7, 8),))).tokens) == 0


def test_chords_are_no_melody_but_quick_notes_are():
    chords = tune(*((60 + k, 16 * n, 16 * n + 16) for n in range(4) for k in (0, 4, 7)))
    assert len(windows(chords).tokens) == 0
    quick = tune(*((60 + n % 9, n, n + 1) for n in range(63)), quarter=8)
    assert len(windows(quick).tokens) == 1


def test_which_track_is_the_tune():
    def voice(pitch, count, chord=(0,)):
        return tune(*((pitch + k, 4 * n, 4 * n + 4) for n in range(count) for k in chord)).tracks[0]

    bass, lead, chords = voice(40, 20), voice(72, 12), voice(84, 20, (0, 4, 7))
    few, drums = voice(90, 3), voice(60, 40)
    drums.is_drum = True

    def chosen(*tracks):
        return extract_melody(Tune(4, list(tracks))).tokens[0] + 19

    assert chosen(bass, chords, lead, few, drums) == 72
    assert chosen(chords, drums) == 91


def test_melodies_in_one_batch_do_not_touch():
    first = tune(*((60 + n % 3, 4 * n, 4 * n + 4) for n in range(12)))
    second = tune((64, 7, 40), (65, 40, 48), metres=((0, 3, 4),))
    third = tune((67, 0, 64))
    together = windows(first, second, third)
    alone = [windows(one) for one in (first, second, third)]
    assert np.array_equal(together.tokens, np.concatenate([one.tokens for one in alone]))
    assert together.melody.tolist() == [0, 0, 1, 1, 1, 2, 2, 2]


NOTES = st.tuples(st.integers(15, 115), st.integers(0, 3000), st.integers(0, 900))
METRE_CHANGES = [
    ((0, 4, 4),),
    ((0, 5, 4),),
    ((0, 3, 4), (288, 6, 8)),
    ((0, 2, 4), (48, 4, 4), (500, 3, 4)),
    ((0, 1, 4), (96, 4, 4)),
]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.lists(NOTES, min_size=1, max_size=30),
            st.sampled_from([24, 96, 100]),
            st.sampled_from(METRE_CHANGES),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_a_batch_gives_what_its_melodies_give_alone(drawn):
    tunes = [
        tune(*((p, on, on + length) for p, on, length in notes), quarter=quarter, metres=metres)
        for notes, quarter, metres in drawn
    ]
    together, alone = windows(*tunes), [windows(one) for one in tunes]
    for name in ("tokens", "bar", "metre", "silent"):
        expected = np.concatenate([getattr(one, name) for one in alone])
        assert np.array_equal(getattr(together, name), expected), name
    counts = [len(one.tokens) for one in alone]
    assert together.melody.tolist() == np.repeat(np.arange(len(tunes)), counts).tolist()


def rows(width=48):
    # Holds are common in music, and rare among 90 classes drawn evenly.
    token = st.one_of(st.sampled_from([HOLD, HOLD, NOTE_OFF]), st.integers(0, CLASSES - 1))
    return st.lists(token, min_size=width, max_size=width).map(lambda one: np.array(one, np.uint8))


@settings(deadline=None)
@given(rows())
def test_canonical_says_the_same_once_and_for_all(row):
    row = row[None]
    once = canonicalise(row)
    assert np.array_equal(canonicalise(once), once)
    assert np.array_equal(fill_holds(once) >= 2, fill_holds(row) >= 2)
    assert np.array_equal(once >= 2, row >= 2)


def test_canonical_cuts_to_the_length():
    found = canonicalise(np.full((2, 48), 50, np.uint8), np.array([16, 48]))
    assert found[0, 16:].sum() == 0
    assert (found[1] == 50).all()


def to_tokens(onsets, ends, pitches, steps):
    """Notes of one voice as tokens ``(steps,)``; the inverse of ``tokens_to_notes``."""
    tokens = np.zeros(steps + 1, np.uint8)
    tokens[ends] = NOTE_OFF
    tokens[onsets] = pitches - PITCH_OFFSET
    return tokens[:steps]


@settings(deadline=None)
@given(rows())
def test_tokens_to_notes_and_back(row):
    row = canonicalise(row[None])[0]
    onsets, ends, pitches = tokens_to_notes(row)
    assert (ends > onsets).all()
    assert (onsets[1:] >= ends[:-1]).all()
    assert np.array_equal(to_tokens(onsets, ends, pitches, len(row)), row)


@settings(deadline=None)
@given(rows(60), st.sampled_from(sorted(set(window_lengths(METRES, 2)))))
def test_windows_stand_on_their_own_and_sound_the_same(row, length):
    row = canonicalise(row[None])[0]
    found = split_windows(row, length)
    assert np.array_equal(canonicalise(found), found)
    heard = fill_holds(found)
    heard[heard < 2] = 0
    whole = fill_holds(row)
    whole[whole < 2] = 0
    assert np.array_equal(heard.reshape(-1)[:60], whole)
    assert not heard.reshape(-1)[60:].any()


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(15, 115), st.integers(0, 3000), st.integers(1, 900)),
        min_size=1,
        max_size=40,
    ),
    st.sampled_from([24, 96, 100]),
    st.sampled_from([((0, 4, 4),), ((0, 3, 4), (288, 6, 8)), ((0, 2, 4), (48, 4, 4), (500, 3, 4))]),
)
def test_windows_in_bulk_are_those_of_the_tune_alone(notes, quarter, metres):
    one = tune(*((p, on, on + length) for p, on, length in notes), quarter=quarter, metres=metres)
    batch = NoteBatch()
    batch.add(one.tracks[0], metre_segments(one), quarter)
    streams = quantise(batch)
    found = cut_windows(streams, 2, 48)
    whole = streams.tokens
    held = fill_holds(whole)
    for row, bar, metre in zip(found.tokens, found.bar, found.metre, strict=True):
        stretch = int(np.flatnonzero((streams.metre == metre) & (streams.first_bar <= bar))[-1])
        size = int(streams.bar[stretch])
        start = int(streams.start[stretch]) + (int(bar) - int(streams.first_bar[stretch])) * size
        expected = whole[start : start + 2 * size].copy()
        if expected[0] == HOLD and start and held[start - 1] >= 2:
            expected[0] = held[start - 1]
        expected = canonicalise(expected[None])[0]
        assert np.array_equal(row[: 2 * size], expected)
        quiet = "".join("s" if one < 2 else "n" for one in fill_holds(expected))
        assert "s" * size not in quiet
