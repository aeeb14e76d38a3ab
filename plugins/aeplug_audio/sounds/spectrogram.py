"""Sound <-> log-mel spectrogram; back by fast Griffin-Lim (Perraudin et al., 2013).

A frame is the power in 80 mel bands at one moment, in dB relative to a sine at full scale, as a
value in 0..1: 0 is -80 dB or less, 1 is 0 dB.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from aeplug_audio.files.reading import RATE

#: Mel bands, samples between frames, and samples of a frame.
MELS, HOP, WINDOW = 80, 256, 1024
#: Decibels from a value of 0 to a value of 1.
RANGE_DB = 80.0
#: Frames of a window: 0.93 s.
WINDOW_FRAMES = 80
#: Frames whose phases are estimated at a time, and frames that two such blocks share.
_BLOCK, _SHARED = 1024, 16
#: Iterations of Griffin-Lim.
_ITERATIONS = 48

Samples = npt.NDArray[np.float32]
#: float32 ``(MELS, F)`` in 0..1.
Frames = npt.NDArray[np.float32]


def compute_frames(samples: Samples) -> Frames:
    """Mono samples ``(n,)`` at ``RATE`` -> frames, ``1 + n // HOP`` of them.

    The middle of frame ``k`` is sample ``k * HOP``; the sound is padded with silence.
    """
    parts = list(stream_frames([samples]))
    return np.concatenate(parts, axis=1)


def stream_frames(blocks: Iterable[Samples]) -> Iterator[Frames]:
    """Compute the frames of consecutive blocks as they come; the same as of the whole."""
    rest = np.zeros(WINDOW // 2, np.float32)
    total = sent = 0
    for block in blocks:
        total += len(block)
        rest = np.concatenate([rest, block])
        ready = (len(rest) - WINDOW) // HOP + 1
        if ready > 0:
            yield _to_frames(rest[: (ready - 1) * HOP + WINDOW])
            rest, sent = rest[ready * HOP :], sent + ready
    missing = 1 + total // HOP - sent
    if missing > 0:
        length = (missing - 1) * HOP + WINDOW
        yield _to_frames(np.pad(rest, (0, max(length - len(rest), 0)))[:length])


def _to_frames(padded: Samples) -> Frames:
    import librosa

    spectrum = librosa.stft(padded, n_fft=WINDOW, hop_length=HOP, center=False)
    # A sine of amplitude 1 has a magnitude of a quarter of the window: half its sum.
    power = (np.abs(spectrum) / (WINDOW / 4)) ** 2
    decibels = 10 * np.log10(np.maximum(_make_mel_weights() @ power, 1e-10))
    return np.clip(1 + decibels / RANGE_DB, 0, 1).astype(np.float32)


@lru_cache(1)
def _make_mel_weights() -> npt.NDArray[np.float32]:
    """Weights of frequencies in bands, at most 1, ``(MELS, WINDOW / 2 + 1)``."""
    import librosa

    weights: Any = librosa.filters.mel(sr=RATE, n_fft=WINDOW, n_mels=MELS, norm=None)
    return np.asarray(weights, np.float32)


@lru_cache(1)
def _make_inverse_weights() -> npt.NDArray[np.float32]:
    """Pseudo-inverse of the band weights, ``(WINDOW / 2 + 1, MELS)``."""
    bands = _make_mel_weights().astype(np.float64)
    return np.linalg.pinv(bands).astype(np.float32)


def _to_magnitudes(frames: Frames) -> npt.NDArray[np.float32]:
    """Spectral magnitudes with the bands' powers, ``(WINDOW / 2 + 1, F)``."""
    band_power = np.where(frames > 0, 10 ** ((frames - 1) * (RANGE_DB / 10)), 0).astype(np.float32)
    bands, back = _make_mel_weights(), _make_inverse_weights()
    power = np.maximum(back @ band_power, 0)
    # Multiplicative updates keep the power non-negative (Lee and Seung, 1999).
    below = bands.T @ band_power
    for _ in range(30):
        power *= below / (bands.T @ (bands @ power) + 1e-12)
    return np.sqrt(power) * np.float32(WINDOW / 4)


def griffin_lim(frames: Frames) -> Iterator[Samples]:
    """Frames -> mono samples at ``RATE``, block by block, ``(F - 1) * HOP`` in all."""
    import librosa

    tail = np.zeros(0, np.float32)
    fade = np.linspace(0, 1, (_SHARED - 1) * HOP, dtype=np.float32)
    for start in range(0, max(frames.shape[1] - 1, 1), _BLOCK - _SHARED):
        part = frames[:, start : start + _BLOCK]
        if start and part.shape[1] <= _SHARED:
            break
        sound = librosa.griffinlim(
            _to_magnitudes(part), n_iter=_ITERATIONS, hop_length=HOP, n_fft=WINDOW, random_state=0
        )
        if start:
            shared = len(fade)
            sound[:shared] = sound[:shared] * fade + tail[:shared] * (1 - fade)
        last = start + _BLOCK >= frames.shape[1]
        keep = len(sound) if last else len(sound) - len(fade)
        yield sound[:keep].astype(np.float32)
        tail = sound[keep:]
        if last:
            break


def split_windows(frames: Frames) -> Frames:
    """Frames ``(MELS, F)`` -> windows ``(P, MELS, WINDOW_FRAMES)``, the last padded with silence.

    Frames after the last whole window are dropped if they are less than a tenth of one.
    """
    length = frames.shape[1]
    whole, rest = divmod(length, WINDOW_FRAMES)
    count = max(whole + (rest > WINDOW_FRAMES // 10), 1)
    end = count * WINDOW_FRAMES
    padded = np.pad(frames, ((0, 0), (0, max(end - length, 0))))[:, :end]
    return padded.reshape(MELS, count, WINDOW_FRAMES).transpose(1, 0, 2)


def to_bytes(windows: Frames) -> npt.NDArray[np.uint8]:
    """Values in 0..1 -> uint8 in 0..255, steps of 0.31 dB."""
    return np.rint(windows * 255).astype(np.uint8)
