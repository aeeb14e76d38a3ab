"""A tune as read from a file: tracks of notes in ticks, tempos, metres, keys."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Int32 = npt.NDArray[np.int32]
Int8 = npt.NDArray[np.int8]

#: A note in memory, as in the parser: onset and length in ticks, MIDI number, velocity 1..127.
NOTE = np.dtype(
    [("onset", "<i4"), ("length", "<i4"), ("pitch", "i1"), ("velocity", "i1"), ("unused", "<u2")]
)

#: Quarters a minute before the first tempo of a file.
DEFAULT_BPM = 120.0


@dataclass(slots=True)
class Track:
    """Notes of one track, channel and program, ordered by onset.

    Attributes:
        notes: bytes of consecutive ``NOTE``; bulk reading concatenates those of many files.
        program: General MIDI program, 0..127.
        is_drum: whether it is on channel 10.
        name: of the track in the file.
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
        """Make a track of arrays ``(n,)``: MIDI numbers, ordered onsets and ends in ticks."""
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
        """Ticks of the notes' ends, int32 ``(n,)``; a note that ends at its onset is inaudible."""
        notes = np.frombuffer(self.notes, NOTE)
        return notes["onset"] + notes["length"]

    @property
    def velocity(self) -> Int8:
        """Int8 ``(n,)``, 1..127."""
        return np.frombuffer(self.notes, NOTE)["velocity"]


@dataclass(slots=True)
class Tune:
    """Content of a file of music, in ticks.

    Attributes:
        ticks_per_quarter: from 1.
        tracks: those with notes, drums included.
        time_signatures: (tick, numerator, denominator), ordered by tick; empty: 4/4.
        tempos: (tick, microseconds per quarter), ordered by tick; empty: 120 BPM.
        keys: (tick, sharps -7..7, minor), ordered by tick; empty: unknown.
        name: of the first track.
        end: end of the last note, ticks; 0: computed from the tracks.
        data: the bytes that were parsed; empty: it was no MIDI file.
        repairs: what of the file was damaged and how it was read all the same, a clause each.
    """

    ticks_per_quarter: int
    tracks: list[Track]
    time_signatures: list[tuple[int, int, int]] = field(default_factory=list)
    tempos: list[tuple[int, int]] = field(default_factory=list)
    keys: list[tuple[int, int, bool]] = field(default_factory=list)
    name: str = ""
    end: int = 0
    data: bytes = b""
    repairs: tuple[str, ...] = ()

    @property
    def bpm(self) -> float:
        """Quarters a minute where the first note begins."""
        if len(self.tempos) == 1 and self.tempos[0][0] == 0:
            return 60e6 / self.tempos[0][1]  # as mostly: bulk reading looks at no note for it
        first = min((int(track.onset[0]) for track in self.tracks if len(track)), default=0)
        before = [tempo for tick, tempo in self.tempos if tick <= first]
        return 60e6 / before[-1] if before else DEFAULT_BPM

    def __post_init__(self) -> None:
        if not self.end:
            self.end = max((int(track.end.max()) for track in self.tracks), default=0)
