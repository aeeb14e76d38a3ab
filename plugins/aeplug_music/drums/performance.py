"""A drum performance: hits on the grid with velocity and timing; the codec's documents.

How notes become hits is specified in :mod:`aeplug_music.drums.kit`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from aeplug.errors import FileError
from aeplug_music.drums.kit import (
    BAR,
    DRUMS,
    METRE,
    Int,
    Offset,
    Taps,
    Velocity,
    find_loudest,
    quantise_positions,
    to_classes,
)
from aeplug_music.score.grid import MetreSegment, metre_segments
from aeplug_music.score.metres import STEPS_PER_QUARTER
from aeplug_music.score.tune import Track, Tune

_NAMES = ("drum", "perc", "kit", "beat")


@dataclass(frozen=True)
class Passage:
    """Consecutive bars in one metre.

    Attributes:
        metre: ``"4/4"``; any time signature.
        velocity: uint8 ``(S, 9)``, 0 where there is no hit.
        offset: int8 ``(S, 9)``, 1/256 of a step.
        taps: velocity and offset of the rhythm, int16 ``(S, 2)``.
    """

    metre: str
    velocity: Velocity
    offset: Offset
    taps: Taps

    @property
    def steps(self) -> int:
        """Length in steps."""
        return len(self.velocity)


@dataclass(frozen=True)
class Performance:
    """The drums of a file.

    Attributes:
        passages: in order.
        bpm: quarters a minute, at the beginning.
        left_out: number of notes of percussion outside the nine classes.
        other_tracks: number of tracks with notes that are not drums, if there are drums.
        repairs: see :class:`aeplug_music.score.tune.Tune`.
    """

    passages: tuple[Passage, ...]
    bpm: float = 120.0
    left_out: int = 0
    other_tracks: int = 0
    repairs: tuple[str, ...] = ()

    @property
    def steps(self) -> int:
        """Length in steps."""
        return sum(passage.steps for passage in self.passages)

    @property
    def velocity(self) -> Velocity:
        """All passages' velocities, uint8 ``(steps, 9)``."""
        return np.concatenate(
            [np.zeros((0, DRUMS), np.uint8), *(p.velocity for p in self.passages)]
        )

    @property
    def offset(self) -> Offset:
        """All passages' offsets, int8 ``(steps, 9)``, 1/256 of a step."""
        return np.concatenate([np.zeros((0, DRUMS), np.int8), *(p.offset for p in self.passages)])


def reduce_to_taps(velocity: Velocity, offset: Offset) -> Taps:
    """Rhythm of hits ``(..., 9)``: the loudest at each step, of equally loud ones the earliest."""
    rank = velocity.astype(np.int64) * 512 - offset
    loud = np.where(velocity > 0, rank, -(2**30)).argmax(-1)[..., None]
    columns = [np.take_along_axis(values, loud, -1) for values in (velocity, offset)]
    return np.concatenate(columns, -1, dtype=np.int16)


def make_passage(velocity: Velocity, offset: Offset, metre: str = METRE) -> Passage:
    """Make a passage of hits ``(S, 9)`` and their rhythm; clears offsets without a hit."""
    offset = np.where(velocity > 0, offset, 0).astype(np.int8)
    return Passage(metre, velocity, offset, reduce_to_taps(velocity, offset))


@dataclass
class _Notes:
    """Columns of notes of several tracks."""

    tick: list[Int] = field(default_factory=list)
    velocity: list[Int] = field(default_factory=list)
    pitch: list[Int] = field(default_factory=list)

    def add(self, track: Track) -> None:
        for values, column in (
            (self.tick, track.onset),
            (self.velocity, track.velocity),
            (self.pitch, track.pitch),
        ):
            values.append(column.astype(np.int64))


def drum_tracks(tune: Tune) -> list[Track]:
    """Tracks on channel 10; without one, tracks with a name of drums."""
    marked = [track for track in tune.tracks if track.is_drum]
    return marked or [
        track for track in tune.tracks if any(word in track.name.lower() for word in _NAMES)
    ]


def extract_performance(tune: Tune) -> Performance:
    """Extract the tune's drums, or the rhythm of all its notes if it has none.

    Raises:
        FileError: there are no notes.
    """
    drums = drum_tracks(tune)
    notes = _Notes()
    for track in drums or tune.tracks:
        notes.add(track)
    if not notes.tick:
        raise FileError("no notes")
    tick, velocity, pitch = (
        np.concatenate(column) for column in (notes.tick, notes.velocity, notes.pitch)
    )
    drum = to_classes(pitch) if drums else np.full(len(pitch), -1)
    segments = metre_segments(tune)
    quarter = tune.ticks_per_quarter
    begins = np.array([segment.tick for segment in segments])
    # Within half a step before a change of metre, a note belongs to its first step.
    owner = np.searchsorted(begins[1:] - quarter / (2 * STEPS_PER_QUARTER), tick, side="right")
    position = (tick - begins[owner]) * (STEPS_PER_QUARTER / quarter)
    passages = []
    for number, segment in enumerate(segments):
        inside = owner == number
        passage = _place_notes(segment, position[inside], velocity[inside], drum[inside])
        after = segments[number + 1].tick if number + 1 < len(segments) else None
        passage = _fit_length(passage, segment, after, quarter)
        if passage.steps:
            passages.append(passage)
    if not drums:
        return Performance(tuple(passages), tune.bpm, repairs=tune.repairs)
    others = sum(len(track.onset) > 0 for track in tune.tracks) - sum(
        len(track.onset) > 0 for track in drums
    )
    left_out = int((drum < 0).sum())
    return Performance(tuple(passages), tune.bpm, left_out, others, tune.repairs)


def _place_notes(
    segment: MetreSegment, position: npt.NDArray[np.float64], velocity: Int, drum: Int
) -> Passage:
    step, offset = quantise_positions(position)
    steps = int(step.max()) + 1 if len(step) else 0
    passage = Passage(
        "{}/{}".format(*segment.signature),
        np.zeros((steps, DRUMS), np.uint8),
        np.zeros((steps, DRUMS), np.int8),
        np.zeros((steps, 2), np.int16),
    )
    known = np.flatnonzero(drum >= 0)
    chosen = known[
        find_loudest(step[known] * DRUMS + drum[known], position[known], velocity[known])
    ]
    passage.velocity[step[chosen], drum[chosen]] = velocity[chosen]
    passage.offset[step[chosen], drum[chosen]] = offset[chosen]
    chosen = find_loudest(step, position, velocity)
    passage.taps[step[chosen], 0], passage.taps[step[chosen], 1] = velocity[chosen], offset[chosen]
    return passage


def _fit_length(
    passage: Passage, segment: MetreSegment, after: int | None, quarter: int
) -> Passage:
    """Cut or pad to the change of metre at tick ``after``, or to the end of the last bar."""
    if after is not None:
        steps = -(-(after - segment.tick) * STEPS_PER_QUARTER // quarter)
    else:
        numerator, denominator = segment.signature
        bar = segment.bar or max(1, 16 * numerator // denominator)
        steps = -(-passage.steps // bar) * bar
    more = ((0, max(0, steps - passage.steps)), (0, 0))
    return Passage(
        passage.metre,
        np.pad(passage.velocity[:steps], more),
        np.pad(passage.offset[:steps], more),
        np.pad(passage.taps[:steps], more),
    )


def cut_windows(passage: Passage, bars: int, slide: int = 0) -> tuple[Velocity, Offset, Taps]:
    """Cut a passage in 4/4 into windows of ``bars`` bars.

    Velocities ``(P, T, 9)``, offsets ``(P, T, 9)``, taps ``(P, T, 2)``.

    Args:
        passage: to cut.
        bars: per window.
        slide: bars from one window to the next, only whole windows; 0: consecutive windows, at
            least one, the last padded with rests.
    """
    length = bars * BAR
    if slide:
        begins = np.arange(0, passage.steps - length + 1, slide * BAR)
        more = 0
    else:
        begins = np.arange(0, max(passage.steps, 1), length)
        more = begins[-1] + length - passage.steps
    index = begins[:, None] + np.arange(length)
    velocity, offset, taps = (
        np.pad(array, ((0, more), (0, 0)))[index]
        for array in (passage.velocity, passage.offset, passage.taps)
    )
    return velocity, offset, taps
