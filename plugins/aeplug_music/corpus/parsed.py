"""What comes of reading files, in columns: it crosses processes, and objects are slow to send."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from aeplug_music.corpus.fingerprints import Hashes
from aeplug_music.score.tokens import Tokens

Int = npt.NDArray[np.int64]


class MelodyInfo(NamedTuple):
    """A melody of a file.

    Attributes:
        file: number of its source.
        title: of its track.
        bpm: quarters a minute at the start.
        key_shift: semitones, -5..6, to C major or A minor.
        key_known: True: from a key signature; False: estimated.
    """

    file: int
    title: str
    bpm: float
    key_shift: int
    key_known: bool


@dataclass
class MelodyTable:
    """M melodies; each attribute is a column of :class:`MelodyInfo`, ``(M,)``."""

    file: Int
    title: list[str]
    bpm: npt.NDArray[np.float64]
    key_shift: Int
    key_known: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, melodies: Iterable[MelodyInfo]) -> MelodyTable:
        """Make a table of rows."""
        file, title, bpm, key_shift, key_known = tuple(zip(*melodies, strict=True)) or ((),) * 5
        return cls(
            np.array(file, np.int64),
            list(title),
            np.array(bpm, np.float64),
            np.array(key_shift, np.int64),
            np.array(key_known, np.bool_),
        )

    @classmethod
    def concat(cls, tables: Sequence[MelodyTable]) -> MelodyTable:
        """Concatenate tables; at least one."""
        return cls(
            np.concatenate([table.file for table in tables]),
            [title for table in tables for title in table.title],
            np.concatenate([table.bpm for table in tables]),
            np.concatenate([table.key_shift for table in tables]),
            np.concatenate([table.key_known for table in tables]),
        )

    def __len__(self) -> int:
        return len(self.title)

    def select(self, numbers: Int) -> MelodyTable:
        """Select rows by number."""
        return MelodyTable(
            self.file[numbers],
            [self.title[number] for number in numbers.tolist()],
            self.bpm[numbers],
            self.key_shift[numbers],
            self.key_known[numbers],
        )

    def to_rows(self) -> list[MelodyInfo]:
        """All rows."""
        rest = (self.bpm.tolist(), self.key_shift.tolist(), self.key_known.tolist())
        return [MelodyInfo(*row) for row in zip(self.file.tolist(), self.title, *rest, strict=True)]


@dataclass
class ParsedFiles:
    """Melodies and windows of some files, without windows equal to an earlier one of their file.

    Attributes:
        melodies: those with windows, even if all equal another melody's.
        tokens: their windows, uint8 ``(W, T)``; empty if they are in a spool.
        melody: number in ``melodies``, ascending, ``(W,)``.
        bar, metre: see :class:`aeplug_music.corpus.windows.Windows`, ``(W,)``.
        exact: :func:`aeplug_music.corpus.fingerprints.fingerprint` of each window, ``(W,)``.
        relative: that of the window up to transposition, ``(W,)``.
        skipped: (number of the source, reason, detail).
        repaired: (number of the source, what was repaired in reading it).
        silent: number of windows dropped for silence.
        repeated: number of windows dropped as equal to an earlier one of their file.
        spool: file that the windows were written to, and the row of the first.
    """

    melodies: MelodyTable = field(default_factory=lambda: MelodyTable.of([]))
    tokens: Tokens = field(default_factory=lambda: np.zeros((0, 0), np.uint8))
    melody: Int = field(default_factory=lambda: np.zeros(0, np.int64))
    bar: npt.NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    metre: npt.NDArray[np.int8] = field(default_factory=lambda: np.zeros(0, np.int8))
    exact: Hashes = field(default_factory=lambda: np.zeros(0, np.uint64))
    relative: Hashes = field(default_factory=lambda: np.zeros(0, np.uint64))
    skipped: list[tuple[int, str, str]] = field(default_factory=list)
    repaired: list[tuple[int, str]] = field(default_factory=list)
    silent: int = 0
    repeated: int = 0
    spool: tuple[str, int] = ("", 0)


def concat_parsed(parts: list[ParsedFiles]) -> ParsedFiles:
    """Concatenate parsed files in their order; at least one."""
    counts = np.cumsum([0, *(len(part.melodies) for part in parts)])
    tokens = [part.tokens for part in parts if len(part.tokens)] or [parts[0].tokens]
    return ParsedFiles(
        melodies=MelodyTable.concat([part.melodies for part in parts]),
        tokens=np.concatenate(tokens),
        melody=np.concatenate([part.melody + n for part, n in zip(parts, counts, strict=False)]),
        bar=np.concatenate([part.bar for part in parts]),
        metre=np.concatenate([part.metre for part in parts]),
        exact=np.concatenate([part.exact for part in parts]),
        relative=np.concatenate([part.relative for part in parts]),
        skipped=[skip for part in parts for skip in part.skipped],
        repaired=[repair for part in parts for repair in part.repaired],
        silent=sum(part.silent for part in parts),
        repeated=sum(part.repeated for part in parts),
    )
