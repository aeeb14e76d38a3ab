"""From notes to hits: classes, steps, offsets, ties, metres, tracks, taps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aeplug_music.drums.kit import (
    CLASSES,
    CRASH,
    DRUMS,
    KICK,
    LOW_TOM,
    PITCHES,
    SNARE,
    combine_hits,
    quantise_positions,
    to_classes,
)
from aeplug_music.drums.performance import (
    Performance,
    cut_windows,
    extract_performance,
    reduce_to_taps,
)
from aeplug_music.score.tune import Track, Tune

#: Ticks a quarter, and a step.
QUARTER, STEP = 480, 120
KICK_PITCH, SNARE_PITCH = 36, 38


def drums(*notes: tuple[int, int, int], name: str = "", is_drum: bool = True) -> Track:
    """(tick, pitch, velocity) of notes on channel 10."""
    tick, pitch, velocity = np.array(sorted(notes)).T
    return Track.of(pitch, tick, tick + 30, velocity, is_drum=is_drum, name=name)


def performance(*tracks: Track, signatures=(), tempos=()) -> Performance:
    return extract_performance(Tune(QUARTER, list(tracks), list(signatures), list(tempos)))


def hits(found: Performance) -> dict[tuple[int, str], tuple[int, int]]:
    """(step, class) -> velocity and offset."""
    places = zip(*(one.tolist() for one in np.nonzero(found.velocity)), strict=True)
    return {
        (step, CLASSES[drum]): (int(found.velocity[step, drum]), int(found.offset[step, drum]))
        for step, drum in places
    }


def test_every_pitch_is_of_one_class_and_each_class_is_written_as_itself():
    pitches = [pitch for each in PITCHES for pitch in each]
    assert len(pitches) == len(set(pitches))
    assert to_classes([each[0] for each in PITCHES]).tolist() == list(range(DRUMS))
    # The TD-11's own: edges of the hi-hat, rims of snare and third tom, edge of the ride.
    named = {22: "closed hi-hat", 26: "open hi-hat", 40: "snare", 58: "low tom", 59: "ride"}
    assert {p: CLASSES[int(to_classes(p))] for p in named} == named
    assert to_classes([56, 63, 75]).tolist() == [-1, -1, -1]  # cowbell, conga, claves


def test_unknown_percussion_is_left_out_and_counted():
    found = performance(drums((0, KICK_PITCH, 90), (0, 56, 100), (STEP, 63, 80)))
    assert hits(found) == {(0, "kick"): (90, 0)}
    assert found.left_out == 2


@given(st.integers(0, 64 * STEP))
def test_a_hit_goes_to_the_nearest_step_and_its_offset_says_the_rest(tick):
    found = performance(drums((tick, KICK_PITCH, 64)))
    (((step, _), (_, offset)),) = hits(found).items()
    assert -128 <= offset < 128
    assert step * STEP + offset * STEP / 256 == pytest.approx(tick, abs=STEP / 512 + 1e-9)
    if (tick - STEP // 2) % STEP == 0:  # exactly between: the later
        assert (step, offset) == (tick // STEP + 1, -128)


def test_of_two_hits_the_louder_stays_and_of_equal_ones_the_earlier():
    found = performance(
        drums((0, SNARE_PITCH, 60), (20, 40, 90), (STEP, KICK_PITCH, 70), (STEP + 15, 35, 70))
    )
    assert hits(found) == {(0, "snare"): (90, 43), (1, "kick"): (70, 0)}


def test_a_hit_just_before_a_change_of_metre_is_the_first_of_the_new():
    found = performance(
        drums((0, KICK_PITCH, 90), (4 * QUARTER - 30, SNARE_PITCH, 80), (7 * QUARTER, 49, 70)),
        signatures=[(0, 4, 4), (4 * QUARTER, 3, 4)],
    )
    assert [(one.metre, one.steps) for one in found.passages] == [("4/4", 16), ("3/4", 24)]
    assert found.passages[1].velocity[0, SNARE] == 80
    assert found.passages[1].offset[0, SNARE] == -64
    assert found.passages[1].velocity[12, CRASH] == 70


def test_the_last_bar_is_filled_up_and_a_cut_bar_is_not():
    assert performance(drums((17 * STEP, KICK_PITCH, 1))).steps == 32
    cut = performance(
        drums((0, KICK_PITCH, 9), (QUARTER * 7, KICK_PITCH, 9)),
        signatures=[(0, 4, 4), (QUARTER * 6, 3, 4)],
    )
    assert [one.steps for one in cut.passages] == [24, 12]


def test_drums_are_on_channel_10_or_called_so():
    melody = Track.of([36, 60], [0, 480], [400, 800], name="Lead")
    named = drums((STEP, SNARE_PITCH, 50), name="My Drum Kit", is_drum=False)
    assert hits(performance(melody, named)) == {(1, "snare"): (50, 0)}
    marked = drums((2 * STEP, KICK_PITCH, 40))
    assert hits(performance(melody, named, marked)) == {(2, "kick"): (40, 0)}
    assert not hits(performance(melody))


def test_taps_are_all_notes_whatever_their_pitch():
    melody = Track.of([60, 64, 67], [0, 10, STEP + 12], [50, 60, 400], [50, 90, 30])
    taps = performance(melody).passages[0].taps
    assert taps[:2].tolist() == [[90, 21], [30, 26]]
    assert not taps[2:].any()
    # Where there are drums, theirs, percussion that is no class too.
    taps = performance(melody, drums((STEP, 56, 99))).passages[0].taps
    assert taps[:2].tolist() == [[0, 0], [99, 0]]


def test_the_rhythm_of_hits_is_the_loudest_of_each_step():
    velocity, offset = np.zeros((2, DRUMS), np.uint8), np.zeros((2, DRUMS), np.int8)
    velocity[0, [KICK, SNARE, LOW_TOM]] = 80, 100, 100
    offset[0, [KICK, SNARE, LOW_TOM]] = -30, 5, -7
    assert reduce_to_taps(velocity, offset).tolist() == [[100, -7], [0, 0]]


def test_windows_slide_by_a_bar_and_stand_end_to_end():
    ticks = [(bar * 4 * QUARTER, KICK_PITCH, bar + 1) for bar in range(5)]
    passage = performance(drums(*ticks)).passages[0]
    velocity, _, _ = cut_windows(passage, 2, slide=1)
    assert velocity[:, 0, KICK].tolist() == [1, 2, 3, 4]
    velocity, _, taps = cut_windows(passage, 2)
    assert velocity[:, 0, KICK].tolist() == [1, 3, 5]
    assert not velocity[2, 16:].any()
    assert taps.shape == (3, 32, 2)
    assert len(cut_windows(passage, 8, slide=1)[0]) == 0


@given(st.lists(st.booleans(), min_size=DRUMS, max_size=DRUMS))
def test_a_combination_is_its_bits(bits):
    number = combine_hits(np.array(bits).astype(np.uint8) * 77)
    assert number == sum(2**place for place, bit in enumerate(bits) if bit)


def test_offsets_never_reach_a_half():
    step, offset = quantise_positions(np.array([0.4999, 0.5, 1.4999999]))
    assert step.tolist() == [0, 1, 1]
    assert offset.tolist() == [127, -128, 127]
