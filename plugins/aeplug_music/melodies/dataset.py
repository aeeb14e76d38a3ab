"""Melodies as a data set: windows of bars, from a built folder or directly from MIDI files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import torch
from pydantic import AfterValidator, BeforeValidator
from torch import Tensor

from aeplug.config import PartConfig, setting
from aeplug.data import TensorSplit, find_bundled
from aeplug.errors import DataError, nearest
from aeplug.interfaces import DataShape, RawBatch
from aeplug_music.corpus.build import FORMAT, INDEX, TOKENS, TRANSCRIPTIONS, collect
from aeplug_music.corpus.ingest import ingest, window_width
from aeplug_music.corpus.splitting import SPLITS, TRAIN
from aeplug_music.melodies.tunes import tune_windows
from aeplug_music.midi.sources import find_sources
from aeplug_music.score.labels import (
    collection_name,
    count_notes_per_bar,
    estimate_keys,
    make_titles,
)
from aeplug_music.score.metres import METRES, longest_bar
from aeplug_music.score.tokens import CLASSES, Tokens

BUNDLED = "folk_tunes.zip"
#: Every window, held out or not.
ALL = "all"

Int = npt.NDArray[np.int64]


def _parse_names(value: Any) -> Any:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def _check_metres(value: tuple[str, ...]) -> tuple[str, ...]:
    for name in value:
        if name not in METRES:
            raise ValueError(f"no metre '{name}'. {nearest(name, METRES)}")
    if not value:
        raise ValueError("at least one metre is needed")
    # One order whatever was typed, since a metre's number is part of the model.
    return tuple(name for name in METRES if name in value)


Metres = Annotated[tuple[str, ...], BeforeValidator(_parse_names), AfterValidator(_check_metres)]


@dataclass
class _Rows:
    """Windows of a whole collection, in all metres.

    Attributes:
        tokens: uint8 ``(W, T)``.
        metre: number in ``METRES``, ``(W,)``.
        tune, bar: ``(W,)``.
        split: number in ``SPLITS`` of each tune, ``(M,)``.
        names: source of each tune.
        transcriptions: source of a recording -> its MIDI file in the built folder.
        read_in: metre that all tunes were read in; empty: their own.
    """

    tokens: Tokens
    metre: Int
    tune: Int
    bar: Int
    split: Int
    names: list[str]
    transcriptions: Mapping[str, str] = field(default_factory=dict)
    read_in: str = ""


class MelodyDataset:
    """Windows of bars, one at every bar of every tune.

    Rows have the columns ``tokens`` uint8 ``(T,)`` (see :mod:`aeplug_music.score.tokens`; T is
    the steps of the longest window among the metres), ``metre`` int64 (its number in
    ``shape.conditions["metre"]``), ``tune`` int64 and ``bar`` int64 (the window's first bar).

    Raises:
        DataError: the files are missing or damaged, or give no window.
    """

    class Config(PartConfig):
        """Where the tunes are, and what a window is."""

        path: str = setting(
            "",
            "folder of `aeplug data build`, or MIDI files as folder or zip; empty: bundled tunes",
        )
        bars: int = setting(
            2, "bars per window; must equal a built folder's", unit="bars", ge=1, le=64
        )
        metres: Metres = setting(METRES, "metres to use; windows in others are dropped")

    def __init__(self, config: Config) -> None:
        self.config = config
        self.shape = melody_shape(config.bars, config.metres)
        path = Path(config.path).expanduser() if config.path else find_bundled(BUNDLED)
        rows = _load(path, config.bars)
        numbers = np.full(len(METRES), -1)
        numbers[[METRES.index(name) for name in config.metres]] = np.arange(len(config.metres))
        self._path, self._rows = path, rows
        self._number = numbers[rows.metre]
        #: Source of each tune, by the number in the column ``tune``.
        self.tunes: list[str] = rows.names
        if not (self._number >= 0).any():
            raise DataError(f"{path} has no window in {', '.join(config.metres)}")

    @classmethod
    def with_shape(cls, config: Config, shape: DataShape) -> MelodyDataset:
        """The same files in windows of a model's shape."""
        metres = shape.conditions["metre"]
        bars = shape.input[0] // longest_bar(metres)
        return cls(cls.Config(path=config.path, bars=bars, metres=metres))

    def split(self, name: str) -> TensorSplit:
        """``train``, ``val``, ``test``, or ``all`` of them.

        Raises:
            DataError: no split of this name, or it is empty.
        """
        if name not in (*SPLITS, ALL):
            raise DataError(f"melodies have no split '{name}'. {nearest(name, (*SPLITS, ALL))}")
        rows = np.flatnonzero(self._select_rows(name))
        if not len(rows):
            raise DataError(self._explain_empty(name))
        return TensorSplit(
            {
                "tokens": torch.from_numpy(
                    np.ascontiguousarray(self._rows.tokens[rows, : self.shape.input[0]])
                ),
                "metre": torch.from_numpy(self._number[rows]),
                "tune": torch.from_numpy(self._rows.tune[rows]),
                "bar": torch.from_numpy(self._rows.bar[rows]),
            }
        )

    def sequences(self, name: str, generator: torch.Generator | None) -> tuple[RawBatch, Tensor]:
        """See :class:`aeplug.interfaces.SequencedDataset`: each file's melody, in whole windows.

        Of several melodies in a file it is the one that the codec extracts; with a generator each
        is transposed by up to 6 semitones. Files are read again, since windows that tunes have in
        common are rows only once. Columns are ``tokens`` and ``metre``.
        """
        return tune_windows(self.sources(name), self.shape, generator, self._rows.read_in)

    def sources(self, name: str) -> list[str]:
        """Files of a split's tunes, of recordings their transcriptions.

        Raises:
            DataError: no split of this name, or it is empty.
        """
        self.split(name)  # raises if there is none
        numbers = np.unique(self._rows.tune[self._select_rows(name)])
        names = dict.fromkeys(self.tunes[number] for number in numbers.tolist())
        # Transcriptions are kept, so recordings are not transcribed again.
        transcribed = self._rows.transcriptions
        return [
            str(self._path / transcribed[name]) if name in transcribed else name for name in names
        ]

    def labels(self, rows: RawBatch) -> dict[str, npt.NDArray[np.generic]]:
        """``collection`` (the folder of the tune's file), ``key``, ``notes per bar``, ``metre``.

        The key is estimated from the window alone. ``name`` is the tune's file and the window's
        first bar.
        """
        tokens = rows["tokens"].cpu().numpy().astype(np.uint8)
        sources = [self.tunes[number] for number in rows["tune"].tolist()]
        return {
            "collection": np.array([collection_name(source) for source in sources], dtype=str),
            "key": estimate_keys(tokens),
            "notes per bar": count_notes_per_bar(tokens, self.config.bars),
            "metre": np.array(self.config.metres)[rows["metre"].cpu().numpy()],
            "name": make_titles(sources, rows["bar"].cpu().numpy()),
        }

    def _select_rows(self, name: str) -> npt.NDArray[np.bool_]:
        chosen = self._number >= 0
        if name != ALL:
            chosen = chosen & (self._rows.split[self._rows.tune] == SPLITS.index(name))
        return chosen

    def _explain_empty(self, name: str) -> str:
        if (self._rows.split == TRAIN).all():
            count = len(self._rows.split)
            return (
                f"{self._path}: {count} tune{'s' * (count > 1)}, too few or too similar to hold "
                f"any out for '{name}'; add others"
            )
        return f"{self._path}: no tune of '{name}' is in {', '.join(self.config.metres)}"


def melody_shape(bars: int, metres: Sequence[str]) -> DataShape:
    """The shape of windows of ``bars`` bars in any of ``metres``."""
    width = longest_bar(metres) * bars
    return DataShape((width,), (width,), CLASSES, {"metre": tuple(metres)})


def _load(path: Path, bars: int) -> _Rows:
    if (path / INDEX).is_file() or (path / TOKENS).is_file():
        return _load_built(path, bars)
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    sources, skipped = find_sources([str(path)])
    parsed = ingest(enumerate(sources), bars)
    if not len(parsed.exact):
        reasons = [skip.reason for skip in skipped] + [why for _, why, _ in parsed.skipped]
        detail = f": {max(set(reasons), key=reasons.count)}" if reasons else ""
        raise DataError(
            f"{path}: none of {len(sources)} MIDI files gives a window of {bars} bars{detail}"
        )
    collection = collect(parsed, parsed.exact, parsed.relative)
    return _Rows(
        parsed.tokens[collection.kept],
        collection.metre,
        collection.melody,
        collection.bar,
        collection.split,
        [str(sources[melody.file]) for melody in collection.melodies],
    )


def _load_built(path: Path, bars: int) -> _Rows:
    try:
        index = json.loads((path / INDEX).read_text(encoding="utf-8"))
        # Memory-mapped copy-on-write, since torch wants writable memory.
        tokens = np.load(path / TOKENS, mmap_mode="c", allow_pickle=False)
        if index["format"] != FORMAT:
            raise DataError(f"{path} has format {index['format']}, this version reads {FORMAT}")
        if index["bars"] != bars:
            raise DataError(
                f"{path} was built for windows of {index['bars']} bars, not of {bars}; "
                f"set data.bars={index['bars']}"
            )
        tunes = index["tunes"]
        counts = [tune["rows"][1] - tune["rows"][0] for tune in tunes]
        metres = [
            name
            for tune, count in zip(tunes, counts, strict=True)
            for name in (
                [tune["metre"]] * count if isinstance(tune["metre"], str) else tune["metre"]
            )
        ]
        rows = _Rows(
            tokens,
            np.array([METRES.index(name) for name in metres], np.int64),
            np.repeat(np.arange(len(tunes)), counts),
            np.array([bar for tune in tunes for bar in tune["bar"]], np.int64),
            np.array([SPLITS.index(tune["split"]) for tune in tunes], np.int64),
            [tune["source"] for tune in tunes],
            index.get(TRANSCRIPTIONS, {}),
            index.get("read_in", ""),
        )
    except OSError as error:
        raise DataError(f"{path} is not a built folder: {error}") from error
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise DataError(
            f"{path} is damaged ({type(error).__name__}: {error}); build it again"
        ) from error
    same = {len(rows.tokens), len(rows.metre), len(rows.tune), len(rows.bar)}
    if rows.tokens.shape[1:] != (window_width(bars),) or len(same) != 1:
        raise DataError(f"{path} is damaged: index and tokens do not fit; build it again")
    return rows
