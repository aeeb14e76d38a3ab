"""Notes -> steps for many tunes at once: metre segments and the musical grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from aeplug_music.score.metres import (
    DEFAULT_METRE,
    METRES,
    STEPS_PER_BAR,
    STEPS_PER_QUARTER,
    parse_metre,
)
from aeplug_music.score.tokens import (
    HIGHEST,
    LOWEST,
    MOST_NOTES_PER_ONSET,
    NOTE_OFF,
    PITCH_OFFSET,
    Tokens,
)
from aeplug_music.score.tune import NOTE, Track, Tune

Int = npt.NDArray[np.int64]


_NUMBERS = {
    parse_metre(metre): (number, STEPS_PER_BAR[metre]) for number, metre in enumerate(METRES)
}


#: Number of a metre outside the table.
NO_METRE = -1


#: Above all ticks, so that (melody, tick) is a single sortable number.
_MELODY = 2**32


#: Bits below the pitch in a note's rank; any position in a batch fits into them.
_PITCH_BITS = 48


class MetreSegment(NamedTuple):
    """Consecutive bars in one metre.

    Attributes:
        tick: first tick; below 0 for the bar of an upbeat.
        metre: number in ``METRES``, or ``NO_METRE``.
        bar: steps per bar; 0 with ``NO_METRE``.
        first_bar: number of bars before it.
        quarter: steps a quarter: 4, or in triplets 6; the metre and its bar are then those of
            compound time (:mod:`aeplug_music.score.triplets`).
        signature: (numerator, denominator).
    """

    tick: int
    metre: int
    bar: int
    first_bar: int
    quarter: int
    signature: tuple[int, int]


def metre_segments(tune: Tune) -> Sequence[MetreSegment]:
    """The tune's segments of one metre, in order; at least one."""
    changes = tune.time_signatures
    quarter = tune.ticks_per_quarter
    if not changes:
        return _single_segment(DEFAULT_METRE)
    if len(changes) == 1 and changes[0][0] == 0:
        return _single_segment(changes[0][1:])
    if changes[0][0] > 0:
        changes = [(0, *DEFAULT_METRE), *changes]
    segments = [_make_segment(0, changes[0][1:], 0)]
    end = tune.end
    for tick, numerator, denominator in changes[1:]:
        if tick >= end:
            break
        signature, last = (numerator, denominator), segments[-1]
        # Compared multiplied by the denominator, so that bars are whole numbers of ticks.
        done = (tick - last.tick) * last.signature[1]
        bar = 4 * quarter * last.signature[0]
        if signature == last.signature and done % bar == 0:
            continue
        full = 4 * quarter * numerator
        is_short = done <= bar and tick * denominator < full
        if len(segments) == 1 and last.tick == 0 and is_short:
            segments = [_make_segment(tick - full // denominator, signature, 0)]
            continue
        segments.append(_make_segment(tick, signature, last.first_bar - (-done // bar)))
    return segments


def _make_segment(tick: int, signature: tuple[int, int], first_bar: int) -> MetreSegment:
    metre, bar = _NUMBERS.get(signature, (NO_METRE, 0))
    return MetreSegment(tick, metre, bar, first_bar, STEPS_PER_QUARTER, signature)


def number_metre(metre: str) -> int:
    """Number of a metre of the table."""
    return _NUMBERS[parse_metre(metre)][0]


@lru_cache(256)
def _single_segment(signature: tuple[int, int]) -> tuple[MetreSegment]:
    # Most tunes keep one metre, and it is one of few.
    return (_make_segment(0, signature, 0),)


@dataclass
class NoteBatch:
    """Melodies of several tunes, in ticks, to be quantised together.

    Attributes:
        notes: of each melody; see :class:`aeplug_music.score.tune.Track`.
        quarters: ticks per quarter of each.
        segments: metre segments of each.
    """

    notes: list[bytes] = field(default_factory=list)
    quarters: list[int] = field(default_factory=list)
    segments: list[Sequence[MetreSegment]] = field(default_factory=list)

    def add(self, track: Track, segments: Sequence[MetreSegment], ticks_per_quarter: int) -> None:
        """Add a track with at least one note; its number is the ``len(self)`` before the call."""
        self.notes.append(track.notes)
        self.quarters.append(ticks_per_quarter)
        self.segments.append(segments)

    def __len__(self) -> int:
        return len(self.notes)


def explain_no_notes(notes: bytes) -> tuple[str, str]:
    """Why none of a track's notes is on the grid: a reason, and its detail."""
    columns = np.frombuffer(notes, NOTE)
    inside = (columns["pitch"] >= LOWEST) & (columns["pitch"] <= HIGHEST)
    if inside.any() and not (columns["length"][inside] > 0).any():
        return "all notes are shorter than a tick", ""
    return "no notes within the range", f"of a piano, MIDI {LOWEST} to {HIGHEST}"


@dataclass
class StepStreams:
    """Melodies on one grid of steps.

    Attributes:
        tokens: uint8 ``(S,)``, the steps of all melodies, one after the other.
        onsets: positions of onsets in ``tokens``, ``(n,)``.
        ends: positions after the notes' last steps, ``(n,)``.
        owner: number of each note's melody, ``(n,)``.
        melody: number of the melody of each metre segment, ``(K,)``.
        start, steps: the segments' first places and lengths in steps, ``(K,)``.
        metre, bar, first_bar: see :class:`MetreSegment`, ``(K,)``.
        notes: number of notes of each melody, ``(M,)``.
        voices: mean number of notes that begin together in each melody, ``(M,)``.
    """

    tokens: Tokens
    onsets: Int
    ends: Int
    owner: Int
    melody: Int
    start: Int
    steps: Int
    metre: Int
    bar: Int
    first_bar: Int
    notes: Int
    voices: npt.NDArray[np.float64]

    @property
    def is_melody(self) -> npt.NDArray[np.bool_]:
        """Which have notes, and not chords; bool ``(M,)``."""
        return (self.notes > 0) & (self.voices <= MOST_NOTES_PER_ONSET)


def quantise(batch: NoteBatch) -> StepStreams:
    """Quantise every melody of the batch to the grid, as one voice."""
    melodies = len(batch)
    notes = np.frombuffer(b"".join(batch.notes), NOTE)
    pitch, onset = notes["pitch"].copy(), notes["onset"].astype(np.int64)
    end = onset + notes["length"]
    sizes = np.array([len(melody_notes) for melody_notes in batch.notes]) // NOTE.itemsize
    owner = np.repeat(np.arange(melodies), sizes)
    audible = (pitch >= LOWEST) & (pitch <= HIGHEST) & (end > onset)
    if not audible.all():
        pitch, onset, end, owner = pitch[audible], onset[audible], end[audible], owner[audible]
    rows = [segment[:5] for segments_of_melody in batch.segments for segment in segments_of_melody]
    tick, metre, bar, first_bar, division = np.array(rows, np.int64).T
    count = np.array([len(segments_of_melody) for segments_of_melody in batch.segments])
    melody = np.repeat(np.arange(melodies), count)
    last = np.cumsum(count) - 1
    quarter = np.array(batch.quarters, np.int64)
    has_changes = len(rows) > melodies
    if has_changes:
        keys = melody * _MELODY + tick
        onset_in = np.searchsorted(keys, owner * _MELODY + onset, "right") - 1
        end_in = np.searchsorted(keys, owner * _MELODY + end, "right") - 1
    else:
        onset_in = end_in = owner
    # Most often all have one division and begin at 0, which spares half of the work.
    one_division = (quarter == quarter[0]).all()
    note_quarter = quarter[0] if one_division else quarter[owner]
    from_zero = not tick.any()
    has_triplets = (division != STEPS_PER_QUARTER).any()
    onset_step = _to_steps(
        onset,
        0 if from_zero else tick[onset_in],
        note_quarter,
        division[onset_in] if has_triplets else STEPS_PER_QUARTER,
    )
    end_step = _to_steps(
        end,
        0 if from_zero else tick[end_in],
        note_quarter,
        division[end_in] if has_triplets else STEPS_PER_QUARTER,
    )
    # Every segment ends where the next begins, the last with the bar of the last note.
    steps = np.zeros(len(tick), np.int64)
    steps[:-1] = _to_steps(tick[1:], tick[:-1], quarter[melody[:-1]], division[:-1])
    whole = np.maximum(bar[last], 1)
    reach = np.maximum(onset_step + 1, end_step)
    if has_changes:
        final = last[owner]
        reach = np.where(onset_in == final, reach, np.where(end_in == final, end_step, 0))
    steps[last] = _round_to_bars(reach, _owner_edges(owner, melodies), whole)
    # An extra step per melody takes the note-off of a note that ends with the last step.
    room = steps.copy()
    room[last] += 1
    start = np.cumsum(room) - room
    base = start[onset_in]
    onsets = base + onset_step
    ends = np.maximum((start[end_in] if has_changes else base) + end_step, onsets + 1)
    if (onsets[1:] < onsets[:-1]).any():
        # Tracks are ordered by onset; any that is not is sorted.
        order = np.argsort(onsets, kind="stable")
        onsets, ends, pitch, owner = onsets[order], ends[order], pitch[order], owner[order]
        onset, end = onset[order], end[order]
    chords = _count_chord_notes(onsets, onset, end, owner, melodies)
    onsets, ends, pitch, owner = _reduce_to_voice(onsets, ends, pitch, owner)
    edges = _owner_edges(owner, melodies)
    counts = np.diff(edges)
    np.minimum(ends, np.repeat((start + steps)[last], counts), out=ends)
    # Notes that were dropped do not make a tune longer.
    steps[last] = _round_to_bars(ends - np.repeat(start[last], counts), edges, whole)
    tokens = np.zeros(int(room.sum()), np.uint8)
    tokens[ends] = NOTE_OFF
    tokens[onsets] = pitch - PITCH_OFFSET
    voices = 1 + chords / np.maximum(counts, 1)
    return StepStreams(
        tokens, onsets, ends, owner, melody, start, steps, metre, bar, first_bar, counts, voices
    )


def _to_steps(tick: Int, since: Int | int, quarter: Int | np.int64, division: Int | int) -> Int:
    # Nearest step, halves up, in integers.
    halves = 2 * division * (tick - since)
    return (halves + quarter) // (2 * quarter)


def _owner_edges(owner: Int, melodies: int) -> Int:
    """Number of each melody's first note, and of the one after the last; ``(M + 1,)``."""
    return np.searchsorted(owner, np.arange(melodies + 1))


def _round_to_bars(reach: Int, edges: Int, bar: Int) -> Int:
    """Steps of each melody ``(M,)`` in whole bars that hold its notes' ``reach``, ``(n,)``."""
    steps = np.zeros(len(bar), np.int64)
    sounds = edges[1:] > edges[:-1]
    if sounds.any():
        steps[sounds] = np.maximum(np.maximum.reduceat(reach, edges[:-1][sounds]), 0)
    return -(-steps // bar) * bar


def _count_chord_notes(onsets: Int, onset: Int, end: Int, owner: Int, melodies: int) -> Int:
    """Count notes of each melody that begin with the note before and overlap it, ``(M,)``."""
    # Without an overlap they are quick notes, of which a step may hold several.
    together = (onsets[1:] == onsets[:-1]) & (onset[1:] < end[:-1])
    return np.bincount(owner[1:][together], minlength=melodies)


def _reduce_to_voice(
    onsets: Int, ends: Int, pitch: npt.NDArray[np.int8], owner: Int
) -> tuple[Int, Int, npt.NDArray[np.int8], Int]:
    """Keep the highest note at each step, of one pitch the longest, until the next begins."""
    first = find_runs(onsets)
    if len(first) < len(onsets):
        # Pitch above end in one number, so that the maximum is the note to keep.
        rank = pitch.astype(np.int64) << _PITCH_BITS | ends
        best = np.maximum.reduceat(rank, first)
        onsets, owner = onsets[first], owner[first]
        ends, pitch = best & (2**_PITCH_BITS - 1), (best >> _PITCH_BITS).astype(np.int8)
    # The next melody's first onset lies beyond this melody's end and cuts nothing.
    np.minimum(ends[:-1], onsets[1:], out=ends[:-1])
    return onsets, ends, pitch, owner


def find_runs(ordered: npt.NDArray[np.generic]) -> Int:
    """Positions in ``(W,)`` of values that differ from the one before, the first included."""
    new = np.ones(len(ordered), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    return np.flatnonzero(new)
