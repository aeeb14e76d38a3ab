"""The sound of a performance: nine simple drums made of sines and noise.

Enough to hear what is played, how loud and when; for more, any sampler plays the .mid.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from aeplug.errors import FileError
from aeplug_music.drums.kit import (
    CLOSED_HAT,
    CRASH,
    HIGH_TOM,
    KICK,
    LOW_TOM,
    MAX_VELOCITY,
    MID_TOM,
    OPEN_HAT,
    RIDE,
    SNARE,
)
from aeplug_music.drums.performance import Performance
from aeplug_music.drums.writing import TICKS_PER_QUARTER, hit_ticks
from aeplug_music.writing import LONGEST_SOUND, SAMPLE_RATE

Samples = npt.NDArray[np.float64]

#: Skins: pitch in Hz after the stroke and at it, decay in seconds, loudness.
_SKINS = {
    KICK: (48.0, 160.0, 0.16, 1.0),
    SNARE: (185.0, 260.0, 0.07, 0.45),
    LOW_TOM: (85.0, 130.0, 0.22, 0.7),
    MID_TOM: (120.0, 180.0, 0.2, 0.7),
    HIGH_TOM: (165.0, 240.0, 0.17, 0.7),
}
#: Noise: lowest frequency in Hz, decay in seconds, loudness.
_NOISES = {
    KICK: (1000.0, 0.008, 0.15),
    SNARE: (1500.0, 0.11, 0.6),
    CLOSED_HAT: (7000.0, 0.03, 0.35),
    OPEN_HAT: (6000.0, 0.28, 0.35),
    CRASH: (3500.0, 0.8, 0.45),
    RIDE: (5000.0, 0.35, 0.22),
}
#: Rings of the ride, in Hz.
_RINGS = (2950.0, 4310.0, 5530.0)


def synthesised(performance: Performance, bpm: float, path: Path) -> Samples:
    """The sound at 44,100 samples a second, any scale.

    Args:
        performance: what to play.
        bpm: quarters a minute.
        path: the file it is for, for the message.

    Raises:
        FileError: over half an hour.
    """
    ticks, drums, velocities = hit_ticks(performance)
    per_tick = 60 / bpm / TICKS_PER_QUARTER * SAMPLE_RATE
    end = performance.steps * TICKS_PER_QUARTER // 4 * per_tick
    if end > LONGEST_SOUND * SAMPLE_RATE:
        raise FileError(f"{path} not written: over {LONGEST_SOUND:.0f} s of sound")
    sound = np.zeros(int(end) + 2 * SAMPLE_RATE)
    for tick, drum, velocity in zip(ticks, drums, velocities, strict=True):
        stroke, begin = _stroke(drum), int(tick * per_tick)
        # About a decibel for three units of velocity, as samplers have it.
        sound[begin : begin + len(stroke)] += stroke * (velocity / MAX_VELOCITY) ** 2
    return sound


@lru_cache(16)
def _stroke(drum: int) -> Samples:
    """One stroke of a class at full velocity."""
    length = int(SAMPLE_RATE * (1.5 if drum == CRASH else 0.8))
    time = np.arange(length) / SAMPLE_RATE
    sound = np.zeros(length)
    if drum in _SKINS:
        low, high, decay, loud = _SKINS[drum]
        pitch = low + (high - low) * np.exp(-time / 0.03)
        phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
        sound += loud * np.sin(phase) * np.exp(-time / decay)
    if drum in _NOISES:
        lowest, decay, loud = _NOISES[drum]
        noise = np.random.default_rng(drum).standard_normal(length)
        spectrum = np.fft.rfft(noise)
        spectrum[np.fft.rfftfreq(length, 1 / SAMPLE_RATE) < lowest] = 0
        sound += loud * 0.5 * np.fft.irfft(spectrum, length) * np.exp(-time / decay)
    if drum == RIDE:
        for ring in _RINGS:
            sound += 0.06 * np.sin(2 * np.pi * ring * time) * np.exp(-time / 0.3)
    # The end fades, so that it is not heard as a click.
    sound[-1000:] *= np.linspace(1, 0, 1000)
    return sound
