"""Blocks of sound -> a .wav at a set loudness, in bounded memory; it appears only when whole."""

from __future__ import annotations

import contextlib
import os
import struct
import tempfile
import wave
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from aeplug.errors import FileError
from aeplug_audio.loudness import Loudness, gain_for

#: Loudness that music is brought to, LUFS, and the highest true peak, dBTP.
TARGET, HIGHEST_PEAK = -16.0, -1.0
_BLOCK = 1 << 18

Samples = npt.NDArray[np.float32]


def write_wave(
    blocks: Iterable[Samples],
    path: Path,
    rate: int,
    channels: int,
    target: float | None = TARGET,
) -> None:
    """Write 16-bit samples.

    The sound waits in a file without a name while its loudness is measured, so that no more than a
    block is in memory.

    Args:
        blocks: ``(n, channels)``, any scale.
        path: file to write.
        rate: samples a second.
        channels: 1 or 2.
        target: LUFS (integrated, ITU-R BS.1770); less where peaks would pass -1 dBTP. None: the
            sound's own level, but for such peaks.

    Raises:
        FileError: it cannot be written.
    """
    fresh = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent) as waiting:
            loudness = Loudness(rate, channels)
            for block in blocks:
                samples = np.ascontiguousarray(block, np.float32)
                loudness.add(samples)
                waiting.write(samples.tobytes())
            gain = gain_for(
                loudness, loudness.integrated if target is None else target, HIGHEST_PEAK
            )
            if target is None:
                gain = min(gain, 1.0)
            waiting.seek(0)
            with wave.open(str(fresh), "wb") as file:
                file.setnchannels(channels)
                file.setsampwidth(2)
                file.setframerate(rate)
                while raw := waiting.read(_BLOCK * 4):
                    scaled = np.frombuffer(raw, np.float32) * np.float32(gain * (2**15 - 1))
                    whole = np.rint(scaled).clip(-(2**15), 2**15 - 1)
                    file.writeframesraw(whole.astype("<i2").tobytes())
        os.replace(fresh, path)
    except (OSError, wave.Error, struct.error) as error:
        raise FileError(f"{path} cannot be written: {error}") from error
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink()
