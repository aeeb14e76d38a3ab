"""A tune as read from a file: tracks of notes in ticks, tempos, metres, keys."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Int32 = npt.NDArray[np.int32]
Int8 = npt.NDArray[np.int8]

#: One note as it lies in memory, here and in the parser: ticks, MIDI number, 1..127.
NOTE = np.dtype(
    [("onset", "<i4"), ("length", "<i4"), ("pitch", "i1"), ("velocity", "i1"), ("unused", "<u2")]
)


@dataclass(slots=True)
class Track:
    """Notes of one track, channel and program, ordered by onset.

    Attributes:
        notes: the notes' bytes, as many ``NOTE`` one after another; in bulk they are joined, and
            never looked at one file at a time.
        program: General MIDI program, 0..127.
        is_drum: channel 10.
        name: as the file has it.
    """

    notes: bytes
    program: int = 0
    is_drum: bool = False
    name: str = ""

    @classmethod
    def of(
        cls,
        pitch: npt.ArrayLike,
        onset: npt.ArrayLike,
        end: npt.ArrayLike,
        velocity: npt.ArrayLike = 80,
        program: int = 0,
        is_drum: bool = False,
        name: str = "",
    ) -> Track:
        """A track from arrays ``(n,)``: MIDI numbers, ticks ordered by onset, ticks, 1..127."""
        onset = np.asarray(onset)
        notes = np.zeros(len(onset), NOTE)
        notes["onset"], notes["length"] = onset, np.asarray(end) - onset
        notes["pitch"], notes["velocity"] = pitch, velocity
        return cls(notes.tobytes(), program, is_drum, name)

    def __len__(self) -> int:
        return len(self.notes) // NOTE.itemsize

    @property
    def pitch(self) -> Int8:
        """MIDI numbers, int8 ``(n,)``, 0..127."""
        return np.frombuffer(self.notes, NOTE)["pitch"]

    @property
    def onset(self) -> Int32:
        """Ticks, int32 ``(n,)``, from 0."""
        return np.frombuffer(self.notes, NOTE)["onset"]

    @property
    def end(self) -> Int32:
        """Ticks of the notes' ends, int32 ``(n,)``; where it is the onset nothing is heard."""
        notes = np.frombuffer(self.notes, NOTE)
        return notes["onset"] + notes["length"]

    @property
    def velocity(self) -> Int8:
        """Int8 ``(n,)``, 1..127."""
        return np.frombuffer(self.notes, NOTE)["velocity"]


@dataclass(slots=True)
class Tune:
    """What a file holds, in ticks.

    Attributes:
        ticks_per_quarter: from 1.
        tracks: those with notes, drums included.
        time_signatures: (tick, numerator, denominator), ordered by tick; none: 4/4.
        tempos: (tick, microseconds a quarter), ordered by tick; none: 120 bpm.
        keys: (tick, sharps -7..7, minor), ordered by tick; none: not said.
        name: the first track's name.
        end: the last note's end, in ticks; taken from the tracks where it is not given.
    """

    ticks_per_quarter: int
    tracks: list[Track]
    time_signatures: list[tuple[int, int, int]] = field(default_factory=list)
    tempos: list[tuple[int, int]] = field(default_factory=list)
    keys: list[tuple[int, int, bool]] = field(default_factory=list)
    name: str = ""
    end: int = 0

    @property
    def bpm(self) -> float:
        """Quarters a minute at the start."""
        return 60e6 / self.tempos[0][1] if self.tempos else 120.0

    def __post_init__(self) -> None:
        if not self.end:
            self.end = max((int(track.end.max()) for track in self.tracks), default=0)
