"""Content of the documents of ``audio-vae``: a sound as its frames."""

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
        recording: the file they were read from, which also has the phases; None: generated.
    """

    frames: Frames
    recording: Path | None = None


def read_samples(path: Path) -> Iterator[Samples]:
    """Read the mono samples of a file at 22,050 Hz, block by block.

    Raises:
        FileError: it cannot be read, or is silent, too short or too long.
    """
    if path.is_dir():
        raise FileError(f"{path} is a folder, expected a sound file")
    try:
        yield from Recording(path)
    except FileError as error:
        raise FileError(f"{path}: {error}") from error


def read_frames(path: Path) -> Frames:
    """Read the frames of a file.

    Raises:
        FileError: as :func:`read_samples`.
    """
    return np.concatenate(list(stream_frames(read_samples(path))), axis=1)
