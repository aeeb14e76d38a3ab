"""Windows of frames: what the model of sounds takes, and how they are kept."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aeplug_audio.spectrogram import MELS, Frames

#: Frames a window: 0.93 s.
FRAMES = 80


def windows_of(frames: Frames) -> Frames:
    """Frames ``(MELS, F)`` -> windows ``(P, MELS, FRAMES)``, the last filled up with silence.

    What is left behind the last whole window is one of its own from a tenth of a window on.
    """
    length = frames.shape[1]
    whole, rest = divmod(length, FRAMES)
    count = max(whole + (rest > FRAMES // 10), 1)
    padded = np.pad(frames, ((0, 0), (0, max(count * FRAMES - length, 0))))[:, : count * FRAMES]
    return padded.reshape(MELS, count, FRAMES).transpose(1, 0, 2)


def stored(windows: Frames) -> npt.NDArray[np.uint8]:
    """Values in 0..1 -> 0..255, steps of 0.31 dB."""
    return np.rint(windows * 255).astype(np.uint8)
