"""A drum performance: hits on the grid with velocity and timing; the codec's documents.

How notes become hits is specified in :mod:`aeplug_music.drums.kit`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import ceil

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
    count_steps,
    find_loudest,
    quantise_positions,
    to_classes,
)
from aeplug_music.drums.origin import DrumNotes, DrumOrigin
from aeplug_music.score.grid import MetreSegment, metre_segments
from aeplug_music.score.tune import Tune

_NAMES = ("drum", "perc", "kit", "beat")


@dataclass(frozen=True)
class Passage:
    """Consecutive bars in one metre.

    Attributes:
        metre: ``"4/4"``; any time signature. A beat has four steps, so does a dotted one.
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

    def after(self, step: int) -> Passage:
        """What comes from a step on; rests come before it where that is below 0."""
        more = ((max(-step, 0), 0), (0, 0))
        first = max(step, 0)
        return Passage(
            self.metre,
            np.pad(self.velocity[first:], more),
            np.pad(self.offset[first:], more),
            np.pad(self.taps[first:], more),
        )


@dataclass(frozen=True)
class Performance:
    """The drums of a file.

    Attributes:
        passages: in order.
        bpm: quarters a minute, at the beginning.
        left_out: number of notes of percussion outside the nine classes.
        other_tracks: number of tracks with notes that are not drums, if there are drums.
        repairs: see :class:`aeplug_music.score.tune.Tune`.
        continued_at: step from which on it was added by a model; None: it was not.
        origin: the tracks that it was read from; None: there are none, as where it was sampled.
    """

    passages: tuple[Passage, ...]
    bpm: float = 120.0
    left_out: int = 0
    other_tracks: int = 0
    repairs: tuple[str, ...] = ()
    continued_at: int | None = None
    origin: DrumOrigin | None = field(default=None, compare=False, repr=False)

    @property
    def steps(self) -> int:
        """Length in steps."""
        return sum(passage.steps for passage in self.passages)

    @property
    def quarters(self) -> float:
        """Length in quarters."""
        return float(sum(passage.steps / count_steps(passage.metre) for passage in self.passages))

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


def find_drum_tracks(tune: Tune) -> list[int]:
    """Numbers of the tracks on channel 10; without one, of those with a name of drums."""
    marked = [number for number, track in enumerate(tune.tracks) if track.is_drum]
    return marked or [
        number
        for number, track in enumerate(tune.tracks)
        if any(word in track.name.lower() for word in _NAMES)
    ]


def extract_performance(tune: Tune) -> Performance:
    """Extract the tune's drums, or the rhythm of all its notes if it has none.

    Raises:
        FileError: there are no notes.
    """
    drums = find_drum_tracks(tune)
    if not tune.tracks:
        raise FileError("no notes")
    notes = DrumNotes.of(tune.tracks, drums or range(len(tune.tracks)))
    drum = to_classes(notes.pitch) if drums else np.full(len(notes.pitch), -1)
    segments = metre_segments(tune)
    quarter = tune.ticks_per_quarter
    begins = np.array([segment.tick for segment in segments])
    # Within half a step before a change of metre, a note belongs to its first step.
    half = np.array([quarter / (2 * float(count_steps(_metre(each)))) for each in segments[1:]])
    owner = np.searchsorted(begins[1:] - half, notes.tick, side="right")
    passages: list[Passage] = []
    starts, ticks, start = [], [], 0
    cell = np.full(len(notes.tick), -1, np.int64)
    for number, segment in enumerate(segments):
        inside = np.flatnonzero(owner == number)
        in_tick = float(count_steps(_metre(segment)) / quarter)
        position = (notes.tick[inside] - segment.tick).astype(np.float64) * in_tick
        passage = _place_notes(segment, position, notes.velocity[inside], drum[inside])
        after = segments[number + 1].tick if number + 1 < len(segments) else None
        passage = _fit_length(passage, segment, after, quarter)
        if not passage.steps:
            continue
        step, _ = quantise_positions(position)
        is_hit = (drum[inside] >= 0) & (step < passage.steps)
        cell[inside[is_hit]] = (start + step[is_hit]) * DRUMS + drum[inside[is_hit]]
        passages.append(passage)
        starts.append(start)
        ticks.append(segment.tick)
        start += passage.steps
    performance = Performance(tuple(passages), tune.bpm, repairs=tune.repairs)
    if not drums:
        return performance
    others = sum(
        len(track.onset) > 0 for number, track in enumerate(tune.tracks) if number not in drums
    )
    origin = DrumOrigin(
        tune,
        notes,
        cell,
        np.array(starts, np.int64),
        np.array(ticks, np.int64),
        tuple(passage.metre for passage in passages),
        performance.velocity,
        performance.offset,
    )
    left_out = int((drum < 0).sum())
    return replace(performance, left_out=left_out, other_tracks=others, origin=origin)


def _metre(segment: MetreSegment) -> str:
    return "{}/{}".format(*segment.signature)


def _place_notes(
    segment: MetreSegment, position: npt.NDArray[np.float64], velocity: Int, drum: Int
) -> Passage:
    step, offset = quantise_positions(position)
    steps = int(step.max()) + 1 if len(step) else 0
    passage = Passage(
        _metre(segment),
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
    in_quarter = count_steps(passage.metre)
    if after is not None:
        steps = ceil((after - segment.tick) * in_quarter / quarter)
    else:
        numerator, denominator = segment.signature
        bar = max(1, int(in_quarter * 4 * numerator / denominator))
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
