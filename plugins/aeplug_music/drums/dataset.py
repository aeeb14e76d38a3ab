"""Drums as a data set: windows of bars, one a bar of every performance, straight from MIDI."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePath

import numpy as np
import numpy.typing as npt
import torch

from aeplug.config import PartConfig, setting
from aeplug.data.build import Skipped
from aeplug.data.bundled import bundled
from aeplug.data.splits import TensorSplit
from aeplug.errors import DataError, FileError, nearest
from aeplug.interfaces import DataShape, RawBatch
from aeplug_music.corpus.splitting import SPLITS
from aeplug_music.drums.catalogue import Entry, read_catalogue
from aeplug_music.drums.kit import BAR, METRE
from aeplug_music.drums.performance import Performance, performance_of, windows_of
from aeplug_music.drums.splits import by_catalogue, by_content
from aeplug_music.drums.window_form import VALUES
from aeplug_music.midi.reading import parse_midi
from aeplug_music.midi.smf import InvalidMidi
from aeplug_music.midi.sources import Reader, find_sources
from aeplug_music.score.labels import titles

BUNDLED = "groove_sample.zip"
#: Every window, held out or not: for files of the user's own.
ALL = "all"


@dataclass
class _Windows:
    """Windows of a whole collection, a row each; ``performance`` is whose, ``bar`` where."""

    velocity: npt.NDArray[np.uint8]
    offset: npt.NDArray[np.int8]
    performance: npt.NDArray[np.int64]
    bar: npt.NDArray[np.int64]


@dataclass
class _Found:
    """Performances with at least one window, and files without.

    Attributes:
        performances, names, windows: of each.
        skipped: files left out, with their reasons.
    """

    performances: list[Performance] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    windows: list[_Windows] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


class DrumDataset:
    """Windows of bars in 4/4, one a bar of every performance.

    Rows have the columns ``velocity`` uint8 and ``offset`` int8 ``(T, 9)`` (see
    :mod:`aeplug_music.drums.kit`), ``bpm`` float32, ``performance`` int64 and ``bar`` int64
    (where the window begins).

    Where the files come with an ``info.csv`` as Groove MIDI has it, ``train`` and ``val`` are of
    its training set (``val`` whole sessions) and ``test`` is its validation set; else performances
    that share eight bars stay together and are divided by their content.

    Raises:
        DataError: the files are missing, or hold no window.
    """

    class Config(PartConfig):
        """Where the performances are, and what a window is."""

        path: str = setting("", "MIDI files as folder or zip; empty: the bundled sample of Groove")
        bars: int = setting(2, "bars a window", unit="bars", ge=1, le=64)

    def __init__(self, config: Config) -> None:
        self.config = config
        self.shape = drum_shape(config.bars)
        self._path = Path(config.path).expanduser() if config.path else bundled(BUNDLED)
        found = _read(self._path, config.bars)
        #: Files that gave no window, with the reason.
        self.skipped: list[Skipped] = found.skipped
        #: Source of each performance, by the number in the column ``performance``.
        self.performances: list[str] = found.names
        catalogue = read_catalogue(self._path)
        self._entries = [catalogue.get(name) for name in found.names]
        if catalogue:
            counts = [len(one.bar) for one in found.windows]
            self._split = by_catalogue(self._entries, counts)
        else:
            self._split = by_content(found.performances)
        self._bpm = np.array([one.bpm for one in found.performances], np.float32)
        self._windows = _Windows(
            *(
                np.concatenate([getattr(one, name) for one in found.windows])
                for name in ("velocity", "offset", "performance", "bar")
            )
        )

    @classmethod
    def fitted(cls, config: Config, shape: DataShape) -> DrumDataset:
        """The same files in windows of a model's shape."""
        return cls(cls.Config(path=config.path, bars=shape.target[0] // BAR))

    def split(self, name: str) -> TensorSplit:
        """``train``, ``val``, ``test``, or ``all`` of them.

        Raises:
            DataError: no split of this name, or it is empty.
        """
        if name not in (*SPLITS, ALL):
            raise DataError(f"drums have no split '{name}'. {nearest(name, (*SPLITS, ALL))}")
        owner = self._windows.performance
        wanted = self._split >= 0 if name == ALL else self._split == SPLITS.index(name)
        rows = np.flatnonzero(wanted[owner])
        if not len(rows):
            raise DataError(
                f"{self._path}: its {len(self._split)} performances are too few, or too much "
                f"alike, to hold any out for '{name}'; add others"
            )
        return TensorSplit(
            {
                "velocity": torch.from_numpy(self._windows.velocity[rows]),
                "offset": torch.from_numpy(self._windows.offset[rows]),
                "bpm": torch.from_numpy(self._bpm[owner[rows]]),
                "performance": torch.from_numpy(owner[rows]),
                "bar": torch.from_numpy(self._windows.bar[rows]),
            }
        )

    def labels(self, rows: RawBatch) -> dict[str, npt.NDArray[np.generic]]:
        """``style`` and ``drummer`` of a catalogue, else ``folder``; ``hits per bar``, ``bpm``.

        ``name`` is the performance's file and the bar at which the window begins.
        """
        numbers = rows["performance"].tolist()
        entries = [self._entries[one] for one in numbers]
        sources = [self.performances[one] for one in numbers]
        hits = (rows["velocity"] > 0).flatten(1).sum(1).double() / self.config.bars
        known: dict[str, npt.NDArray[np.generic]] = {
            "folder": np.array([PurePath(source).parent.name for source in sources], dtype=str)
        }
        if any(self._entries):
            known = {
                "style": np.array([_genre(entry) for entry in entries], dtype=str),
                "drummer": np.array([entry.drummer if entry else "" for entry in entries], str),
            }
        return {
            **known,
            "hits per bar": hits.cpu().numpy(),
            "bpm": rows["bpm"].double().cpu().numpy(),
            "name": titles(sources, rows["bar"].cpu().numpy()),
        }


def drum_shape(bars: int) -> DataShape:
    """The shape of windows of ``bars`` bars with velocity and timing: 27 values a step."""
    size = (bars * BAR, VALUES)
    return DataShape(size, size)


def _genre(entry: Entry | None) -> str:
    return entry.style.split("/")[0] if entry else ""


def _read(path: Path, bars: int) -> _Found:
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    sources, skipped = find_sources([str(path)])
    found = _Found(skipped=list(skipped))
    with Reader() as reader:
        for source in sources:
            try:
                performance = performance_of(parse_midi(reader.read(source)))
                windows = _windows(performance, bars, len(found.names))
            except InvalidMidi as error:
                found.skipped.append(Skipped(str(source), error.reason, error.detail))
                continue
            except FileError as error:
                found.skipped.append(Skipped(str(source), str(error)))
                continue
            found.performances.append(performance)
            found.names.append(str(source))
            found.windows.append(windows)
    if not found.names:
        reasons = Counter(one.reason for one in found.skipped)
        said = f": {reasons.most_common(1)[0][0]}" if reasons else ""
        raise DataError(
            f"{path}: none of {len(sources)} MIDI files gives {bars} bars of drums{said}"
        )
    return found


def _windows(performance: Performance, bars: int, number: int) -> _Windows:
    """The windows of a performance; raises FileError with the reason where there are none."""
    velocities, offsets, begins = [], [], []
    metres, silent, start = [], 0, 0
    for passage in performance.passages:
        first, start = start, start + -(-passage.steps // BAR)
        if passage.metre != METRE:
            metres.append(passage.metre)
            continue
        velocity, offset, _ = windows_of(passage, bars, slide=1)
        heard = (velocity > 0).any(-1).reshape(-1, bars, BAR).any(-1).all(-1)
        silent += int((~heard).sum())
        velocities.append(velocity[heard])
        offsets.append(offset[heard])
        begins.append(first + np.flatnonzero(heard))
    if not sum(map(len, begins)):
        if not (performance.velocity > 0).any():
            raise FileError("no hit of the nine drums")
        if not begins:
            raise FileError(f"metre not learnt: {', '.join(dict.fromkeys(metres))}")
        raise FileError(
            "a bar of silence in every window" if silent else f"shorter than {bars} bars of {METRE}"
        )
    bar = np.concatenate(begins)
    owner = np.full(len(bar), number, np.int64)
    return _Windows(np.concatenate(velocities), np.concatenate(offsets), owner, bar)
