"""The tracks that a performance was read from, and where its steps lie in their ticks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from aeplug_music.drums.kit import DRUMS, OFFSETS, Int, Offset, Velocity, count_steps
from aeplug_music.score.tune import Track, Tune


@dataclass
class DrumNotes:
    """Columns of the notes of several tracks, int64 ``(n,)`` each.

    Attributes:
        track: number in ``Tune.tracks``.
        number: in that track's ``notes``.
        tick, end: where it sounds.
        velocity: 1..127.
        pitch: MIDI number.
    """

    track: Int
    number: Int
    tick: Int
    end: Int
    velocity: Int
    pitch: Int

    @classmethod
    def of(cls, tracks: Sequence[Track], numbers: Sequence[int]) -> DrumNotes:
        """The notes of those of a tune's tracks that have these numbers."""
        chosen = [tracks[number] for number in numbers]
        columns = [
            [np.full(len(track), number) for number, track in zip(numbers, chosen, strict=True)],
            [np.arange(len(track)) for track in chosen],
            [track.onset for track in chosen],
            [track.end for track in chosen],
            [track.velocity for track in chosen],
            [track.pitch for track in chosen],
        ]
        return cls(*(np.concatenate(column).astype(np.int64) for column in columns))


@dataclass(frozen=True)
class DrumOrigin:
    """Where a performance was read.

    Attributes:
        tune: all of the file.
        notes: of its drum tracks.
        cell: ``step * 9 + drum`` of the hit that each note is, or is part of; -1: of none, as
            other percussion.
        starts: first step of each passage, ``(K,)``.
        ticks: where that lies, ``(K,)``.
        metres: of each passage.
        velocity, offset: of all steps as they were read, ``(S, 9)``.
    """

    tune: Tune
    notes: DrumNotes
    cell: Int
    starts: Int
    ticks: Int
    metres: tuple[str, ...]
    velocity: Velocity = field(repr=False)
    offset: Offset = field(repr=False)

    @property
    def steps(self) -> int:
        """Length in steps."""
        return len(self.velocity)

    def to_ticks(self, step: Int, offset: npt.ArrayLike) -> Int:
        """Ticks of hits, ``(n,)``, at least 0; behind the end the last passage's metre goes on."""
        place = np.maximum(np.searchsorted(self.starts, step, "right") - 1, 0)
        quarter = self.tune.ticks_per_quarter
        length = np.array([float(quarter / count_steps(metre)) for metre in self.metres])
        local = step - self.starts[place] + np.asarray(offset) / OFFSETS
        return np.maximum(self.ticks[place] + np.rint(local * length[place]).astype(np.int64), 0)

    def extend(self, metre: str) -> DrumOrigin:
        """The same, with a passage in this metre behind its end."""
        end = self.to_ticks(np.array([self.steps]), [0])
        return replace(
            self,
            starts=np.append(self.starts, self.steps),
            ticks=np.concatenate([self.ticks, end]),
            metres=(*self.metres, metre),
        )

    def loudest(self) -> Int:
        """Number of the note that each hit was read from, int64 ``(S, 9)``; -1: there is none."""
        found = np.full((self.steps, DRUMS), -1, np.int64)
        notes = np.flatnonzero(self.cell >= 0)
        order = notes[np.lexsort((-self.notes.tick[notes], self.notes.velocity[notes]))]
        found.reshape(-1)[self.cell[order]] = order
        return found
