"""Blocks of sound -> a .wav at a set loudness, in bounded memory, written whole or not at all."""

from __future__ import annotations

import struct
import tempfile
import wave
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from aeplug.errors import FileError
from aeplug.runtime import atomic_replace, describe_write_error
from aeplug_audio.files.loudness import LoudnessMeter, compute_gain

#: Loudness of music, LUFS, and the highest true peak, dBTP.
TARGET, HIGHEST_PEAK = -16.0, -1.0
_BLOCK = 1 << 18

Samples = npt.NDArray[np.float32]


def normalise_loudness(loudness: LoudnessMeter) -> float:
    """Gain to -16 LUFS (integrated, ITU-R BS.1770), or as near as peaks of -1 dBTP allow."""
    return compute_gain(loudness, TARGET, HIGHEST_PEAK)


def limit_peak(loudness: LoudnessMeter) -> float:
    """Gain of 1, or less where peaks would exceed -1 dBTP."""
    highest: float = 10 ** (HIGHEST_PEAK / 20)
    return min(1.0, highest / loudness.peak) if loudness.peak else 1.0


def keep_level(loudness: LoudnessMeter) -> float:
    """Gain of 1; samples beyond full scale are clipped."""
    return 1.0


def write_wave(
    blocks: Iterable[Samples],
    path: Path,
    rate: int,
    channels: int,
    gain: Callable[[LoudnessMeter], float] = normalise_loudness,
) -> None:
    """Write 16-bit samples.

    The sound is spooled to an anonymous file while its loudness is measured, so that only one
    block at a time is in memory.

    Args:
        blocks: float32 ``(n, channels)``, any scale.
        path: file to write.
        rate: samples per second.
        channels: 1 or 2.
        gain: computes the factor to apply from the loudness of the whole.

    Raises:
        FileError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            atomic_replace(path) as temporary,
            tempfile.TemporaryFile(dir=path.parent) as spool,
        ):
            loudness = LoudnessMeter(rate, channels)
            for block in blocks:
                samples = np.ascontiguousarray(block, np.float32)
                loudness.add(samples)
                spool.write(samples.tobytes())
            scale = np.float32(gain(loudness) * 2**15)
            spool.seek(0)
            with wave.open(str(temporary), "wb") as file:
                file.setnchannels(channels)
                file.setsampwidth(2)
                file.setframerate(rate)
                while raw := spool.read(_BLOCK * 4):
                    scaled = np.frombuffer(raw, np.float32) * scale
                    whole = np.rint(scaled).clip(-(2**15), 2**15 - 1)
                    file.writeframesraw(whole.astype("<i2").tobytes())
    except (OSError, wave.Error, struct.error) as error:
        reason = describe_write_error(error, path.parent)
        raise FileError(f"{path} cannot be written: {reason}") from error
