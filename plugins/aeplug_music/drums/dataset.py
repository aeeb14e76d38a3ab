"""Drums as a data set: windows of bars, one a bar of every performance, straight from the files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePath

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from aeplug.config import PartConfig, setting
from aeplug.data import Skipped, TensorSplit, find_bundled
from aeplug.errors import DataError, nearest
from aeplug.interfaces import DataShape, RawBatch
from aeplug_music.corpus.splitting import SPLITS
from aeplug_music.drums.catalogue import read_catalogue
from aeplug_music.drums.collection import Windows, read_collection
from aeplug_music.drums.kit import BAR
from aeplug_music.drums.sequences import performance_windows
from aeplug_music.drums.splits import split_by_catalogue, split_by_content, split_by_header
from aeplug_music.drums.window_shape import VALUES
from aeplug_music.score.labels import make_titles

BUNDLED = "patterns"
#: Every window, held out or not.
ALL = "all"
#: Advice for more training data.
MORE = "the Groove MIDI Dataset has more: https://magenta.tensorflow.org/datasets/groove"


class DrumDataset:
    """Windows of bars in 4/4, one at every bar of every performance.

    Rows have the columns ``velocity`` uint8 and ``offset`` int8 ``(T, 9)`` (see
    :mod:`aeplug_music.drums.kit`), ``bpm`` float32, ``performance`` int64 and ``bar`` int64
    (the window's first bar).

    Where the files come with an ``info.csv`` as Groove MIDI has it, ``train`` and ``val`` are of
    its training set (``val`` whole sessions) and ``test`` is its validation set. Where patterns say
    in their headers which split they are of, as the bundled ones do, they are of that, and what
    says nothing is trained on. Else performances that share eight bars stay together and are
    divided by their content.

    Raises:
        DataError: the files are missing, or hold no window.
    """

    class Config(PartConfig):
        """Where the performances are, and what a window is."""

        path: str = setting(
            "", "MIDI files and .drums patterns, as folder or zip; empty: the bundled patterns"
        )
        bars: int = setting(2, "bars per window", unit="bars", ge=1, le=64)

    def __init__(self, config: Config) -> None:
        self.config = config
        self.shape = drum_shape(config.bars)
        self._path = Path(config.path).expanduser() if config.path else find_bundled(BUNDLED)
        collection = read_collection(self._path, config.bars)
        #: Files that gave no window, with the reason.
        self.skipped: list[Skipped] = collection.skipped
        #: Source of each performance, by the number in the column ``performance``.
        self.performances: list[str] = collection.names
        catalogue = read_catalogue(self._path)
        self._entries = [catalogue.get(name) for name in collection.names]
        self._styles = [
            _genre(entry.style if entry else header.style if header else "")
            for entry, header in zip(self._entries, collection.headers, strict=True)
        ]
        stated = [header.split if header else "" for header in collection.headers]
        if catalogue:
            counts = [len(windows.bar) for windows in collection.windows]
            self._split = split_by_catalogue(self._entries, counts)
        elif any(stated):
            self._split = split_by_header(stated)
        else:
            self._split = split_by_content(collection.performances)
        self._bpm = np.array(
            [performance.bpm for performance in collection.performances], np.float32
        )
        self._played = collection.performances
        self._windows = Windows(
            *(
                np.concatenate([getattr(windows, name) for windows in collection.windows])
                for name in ("velocity", "offset", "performance", "bar")
            )
        )

    @classmethod
    def with_shape(cls, config: Config, shape: DataShape) -> DrumDataset:
        """The same files in windows of a model's shape."""
        return cls(cls.Config(path=config.path, bars=shape.target[0] // BAR))

    def split(self, name: str) -> DrumSplit:
        """``train``, ``val``, ``test``, or ``all`` of them.

        Raises:
            DataError: no split of this name, or it is empty.
        """
        if name not in (*SPLITS, ALL):
            raise DataError(f"drums have no split '{name}'. {nearest(name, (*SPLITS, ALL))}")
        owner = self._windows.performance
        rows = np.flatnonzero(self._select_performances(name)[owner])
        if not len(rows):
            raise DataError(
                f"{self._path}: its {len(self._split)} performances are too few, or too much "
                f"alike, to hold any out for '{name}'; add others ({MORE})"
            )
        return DrumSplit(
            {
                "velocity": torch.from_numpy(self._windows.velocity[rows]),
                "offset": torch.from_numpy(self._windows.offset[rows]),
                "bpm": torch.from_numpy(self._bpm[owner[rows]]),
                "performance": torch.from_numpy(owner[rows]),
                "bar": torch.from_numpy(self._windows.bar[rows]),
            },
            self,
        )

    def sequences(self, name: str, generator: torch.Generator | None) -> tuple[RawBatch, Tensor]:
        """See :class:`aeplug.interfaces.SequencedDataset`: each performance in whole windows.

        With a generator they begin at another bar, and some swap two drums. Columns are
        ``velocity`` and ``offset``.
        """
        self.split(name)  # raises if there is none
        chosen = np.flatnonzero(self._select_performances(name)).tolist()
        performances = [self._played[number] for number in chosen]
        return performance_windows(performances, self.config.bars, generator)

    def _select_performances(self, name: str) -> npt.NDArray[np.bool_]:
        return self._split >= 0 if name == ALL else self._split == SPLITS.index(name)

    def labels(self, rows: RawBatch) -> dict[str, npt.NDArray[np.generic]]:
        """``style`` where it is known, ``drummer`` of a catalogue; ``hits per bar``, ``bpm``.

        With neither, the ``folder``.

        ``name`` is the performance's file and the bar at which the window begins.
        """
        numbers = rows["performance"].tolist()
        sources = [self.performances[number] for number in numbers]
        hits = (rows["velocity"] > 0).flatten(1).sum(1).double() / self.config.bars
        known: dict[str, npt.NDArray[np.generic]] = {}
        if any(self._styles):
            known["style"] = np.array([self._styles[number] for number in numbers], dtype=str)
        if any(self._entries):
            entries = [self._entries[number] for number in numbers]
            known["drummer"] = np.array([entry.drummer if entry else "" for entry in entries], str)
        if not known:
            folders = [PurePath(source).parent.name for source in sources]
            known["folder"] = np.array(folders, dtype=str)
        return {
            **known,
            "hits per bar": hits.cpu().numpy(),
            "bpm": rows["bpm"].double().cpu().numpy(),
            "name": make_titles(sources, rows["bar"].cpu().numpy()),
        }


class DrumSplit(TensorSplit):
    """Windows of a split.

    Args:
        columns: see :class:`DrumDataset`.
        dataset: what they are a split of; figures compare with its other splits.
    """

    def __init__(self, columns: Mapping[str, Tensor], dataset: DrumDataset) -> None:
        super().__init__(columns)
        self.dataset = dataset

    def to(self, device: torch.device) -> DrumSplit:
        """The same windows on ``device``."""
        return DrumSplit(super().to(device).columns, self.dataset)

    def first_items(self, count: int) -> DrumSplit:
        """The first ``count`` windows."""
        first = {name: column[:count] for name, column in self.columns.items()}
        return DrumSplit(first, self.dataset)


def drum_shape(bars: int) -> DataShape:
    """The shape of windows of ``bars`` bars with velocity and timing: 27 values a step."""
    size = (bars * BAR, VALUES)
    return DataShape(size, size)


def _genre(style: str) -> str:
    return style.split("/")[0]
