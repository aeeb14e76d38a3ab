"""A sound as the codec of ``audio-vae`` understands it: its frames."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aeplug.errors import FileError
from aeplug_audio.reading import Recording
from aeplug_audio.spectrogram import Frames, streamed


@dataclass(frozen=True)
class Sound:
    """A sound's log-mel spectrogram.

    Attributes:
        frames: float32 ``(MELS, F)`` in 0..1 (see :mod:`aeplug_audio.spectrogram`).
    """

    frames: Frames


def frames_in(path: Path) -> Frames:
    """The frames of a file, read block by block.

    Raises:
        FileError: it is no readable sound, or silent, or too short or too long.
    """
    if path.is_dir():
        raise FileError(f"{path} is a folder, expected a file of sound")
    try:
        return np.concatenate(list(streamed(Recording(path))), axis=1)
    except FileError as error:
        raise FileError(f"{path}: {error}") from error
