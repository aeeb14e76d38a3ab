"""A sound as the codec of ``audio-vae`` understands it: its frames."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aeplug.errors import FileError
from aeplug_audio.files.reading import Recording
from aeplug_audio.sounds.spectrogram import Frames, Samples, stream_frames


@dataclass(frozen=True)
class Sound:
    """A sound's log-mel spectrogram.

    Attributes:
        frames: float32 ``(MELS, F)`` in 0..1 (see :mod:`aeplug_audio.sounds.spectrogram`).
        recording: the file whose frames they are, which has their phases too; None: they were made.
    """

    frames: Frames
    recording: Path | None = None


def read_samples(path: Path) -> Iterator[Samples]:
    """Mono samples of a file at 22,050 a second, block by block.

    Raises:
        FileError: it is no readable sound, or silent, or too short or too long.
    """
    if path.is_dir():
        raise FileError(f"{path} is a folder, expected a file of sound")
    try:
        yield from Recording(path)
    except FileError as error:
        raise FileError(f"{path}: {error}") from error


def read_frames(path: Path) -> Frames:
    """The frames of a file.

    Raises:
        FileError: as :func:`read_samples`.
    """
    return np.concatenate(list(stream_frames(read_samples(path))), axis=1)
