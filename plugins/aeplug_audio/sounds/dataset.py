"""Sounds as windows of log-mel frames: rendered by ``data build``, or a folder of sounds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from aeplug.config import PartConfig, setting
from aeplug.data import SPLITS, TensorSplit
from aeplug.errors import DataError, FileError
from aeplug.interfaces import DataShape, RawBatch
from aeplug.runtime import say
from aeplug_audio.files import RECORDING_SUFFIXES
from aeplug_audio.sounds.spectrogram import MELS, WINDOW_FRAMES, split_windows, to_bytes

#: General MIDI's sixteen families of eight programs each.
FAMILIES = (
    *("piano", "chromatic percussion", "organ", "guitar", "bass", "strings", "ensemble", "brass"),
    *("reed", "pipe", "synth lead", "synth pad", "synth effects", "ethnic", "percussive"),
    "sound effects",
)
#: Share of ``val``, and of ``test``.
HELD_OUT_SHARE = 0.1
ARRAY, INDEX = "frames.npy", "notes.json"
FORMAT = 1

Stored = npt.NDArray[np.uint8]


class NotesConfig(PartConfig):
    """Where the sounds are."""

    main = "path"

    path: str = setting("", "folder of `aeplug data build --render`, or of sound files")


@dataclass
class _Rows:
    """Windows and their columns.

    Attributes:
        frames: uint8 ``(N, 1, MELS, WINDOW_FRAMES)``.
        split: number in ``SPLITS``, int64 ``(N,)``.
        columns: further columns, int64 ``(N,)``.
        names: of the 128 programs, or of the subfolders of sounds.
    """

    frames: Stored
    split: npt.NDArray[np.int64]
    columns: dict[str, npt.NDArray[np.int64]]
    names: list[str]


class NoteDataset:
    """Windows of about a second, uint8, with a note's program, pitch and velocity where known.

    Files are read when the first split is.

    Raises:
        DataError: the folder is missing; ``split`` also raises it if no folder is set, or it is
            damaged or holds no sound.
    """

    Config = NotesConfig

    def __init__(self, config: NotesConfig) -> None:
        self.path = Path(config.path).expanduser() if config.path else None
        if self.path is not None and not self.path.is_dir():
            raise DataError(f"data folder '{config.path}' does not exist or is not a folder")
        self.shape = DataShape((1, MELS, WINDOW_FRAMES), (1, MELS, WINDOW_FRAMES))

    @cached_property
    def _read(self) -> _Rows:
        if self.path is None:
            raise DataError(
                "no data folder: pass --data with a folder of your own sounds, or of notes made by "
                "`aeplug data build --render 0-119 --out notes`"
            )
        return _load_built(self.path) if (self.path / INDEX).is_file() else _load_sounds(self.path)

    def split(self, name: str) -> TensorSplit:
        """``train``, ``val``, ``test`` or ``all``.

        Columns: ``frames`` uint8 ``(N, 1, 80, 80)``; for rendered notes ``program``, ``pitch`` and
        ``velocity``, for sounds in subfolders ``folder``, int64 ``(N,)``.
        """
        chosen = np.arange(len(self._read.split))
        if name != "all":
            chosen = chosen[self._read.split == SPLITS.index(name)]
        if not len(chosen):
            raise DataError(
                f"{self.path} holds {len(self._read.split)} windows, too few for a split '{name}'; "
                f"add sounds"
            )
        columns = {"frames": torch.from_numpy(self._read.frames[chosen])}
        for column, values in self._read.columns.items():
            columns[column] = torch.from_numpy(values[chosen])
        return TensorSplit(columns)

    def labels(self, rows: RawBatch) -> Mapping[str, Any]:
        """For rendered notes ``family`` (of General MIDI), ``instrument`` and ``pitch``.

        For sounds in subfolders ``folder``; otherwise nothing.
        """
        names = np.array(self._read.names or [""])
        if "program" in rows:
            program = rows["program"].cpu().numpy()
            return {
                "family": np.array(FAMILIES)[to_families(program)],
                "instrument": names[program],
                "pitch": rows["pitch"].cpu().numpy(),
            }
        return {"folder": names[rows["folder"].cpu().numpy()]} if "folder" in rows else {}


def _load_built(folder: Path) -> _Rows:
    try:
        index = json.loads((folder / INDEX).read_text("utf-8"))
        frames = np.load(folder / ARRAY, allow_pickle=False)
        if index["format"] != FORMAT:
            raise DataError(
                f"{folder} has format {index['format']}, expected {FORMAT}; build it again"
            )
        columns = {
            name: np.array(index[name], np.int64) for name in ("program", "pitch", "velocity")
        }
        split = np.array([SPLITS.index(name) for name in index["split"]], np.int64)
        names = [str(name) for name in index["programs"]]
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise DataError(f"{folder} is damaged ({error}); build it again") from error
    lengths = {len(frames), len(split), *map(len, columns.values())}
    if (
        len(lengths) != 1
        or frames.shape[1:] != (1, MELS, WINDOW_FRAMES)
        or frames.dtype != np.uint8
        or len(names) != 128
    ):
        raise DataError(f"{folder} is damaged ({ARRAY} does not fit {INDEX}); build it again")
    return _Rows(frames, split, columns, names)


def _load_sounds(folder: Path) -> _Rows:
    """Read a folder of sounds, each split into windows; all windows of a file are in one split."""
    from aeplug_audio.sounds.sound import read_frames

    windows_by_file: list[Stored] = []
    names: list[str] = []
    reasons: list[str] = []
    for path in sorted(
        path for path in folder.rglob("*") if path.suffix.lower() in RECORDING_SUFFIXES
    ):
        try:
            windows = split_windows(read_frames(path))
        except FileError as error:
            reasons.append(str(error))
            continue
        windows_by_file.append(to_bytes(windows))
        names.append(path.relative_to(folder).as_posix())
    for reason in reasons[:5]:
        say(f"left out: {reason}")
    if len(reasons) > 5:
        say(f"left out: {len(reasons) - 5} more files")
    if not windows_by_file:
        raise DataError(
            f"{folder} holds neither notes of `aeplug data build --render` nor a readable sound "
            f"({', '.join(RECORDING_SUFFIXES)})"
        )
    counts = [len(windows) for windows in windows_by_file]
    split = np.repeat(assign_splits(names), counts)
    folders = [Path(name).parent.as_posix() for name in names]
    known = sorted(set(folders))
    columns = {}
    if len(known) > 1:
        columns["folder"] = np.repeat(np.array([known.index(name) for name in folders]), counts)
    return _Rows(
        np.concatenate(windows_by_file).reshape(-1, 1, *windows_by_file[0].shape[-2:]),
        split,
        columns,
        known,
    )


def assign_splits(names: Sequence[str]) -> npt.NDArray[np.int64]:
    """Assign a split by a hash of each name, so that it stays when others are added.

    Numbers in ``SPLITS``, int64 ``(n,)``; of three names or more every split has at least one.
    """
    digests = [hashlib.sha256(name.encode()).digest()[:4] for name in names]
    draws = np.array([int.from_bytes(digest, "big") / 2**32 for digest in digests])
    splits = np.where(draws < HELD_OUT_SHARE, 1, np.where(draws < 2 * HELD_OUT_SHARE, 2, 0))
    if len(names) >= 3:
        order = np.argsort(draws, kind="stable")
        if not (splits == 1).any():
            splits[order[0]] = 1
        if not (splits == 2).any():
            splits[next(number for number in order if splits[number] != 1)] = 2
        if not (splits == 0).any():
            splits[order[-1]] = 0
    return splits.astype(np.int64)


def to_families(programs: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Programs 0..127 -> numbers in ``FAMILIES``."""
    return programs // 8
