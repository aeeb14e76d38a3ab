"""Recordings for tests: melodies as sines or with partials, written by soundfile."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

#: Onset, end, MIDI number.
Played = tuple[float, float, int]

#: A bar and a half of 4/4 at 120, with a repeated note and a rest.
TUNE: list[Played] = [
    (0.0, 0.5, 60),
    (0.5, 1.0, 60),
    (1.0, 1.25, 64),
    (1.25, 1.5, 67),
    (1.5, 2.0, 72),
    (2.25, 2.5, 71),
    (2.5, 3.0, 67),
]


def sound_of(
    notes: Sequence[Played],
    rate: int = 22_050,
    lead: float = 0.3,
    partials: Sequence[float] = (1.0,),
    cents: float = 0.0,
    vibrato: float = 0.0,
) -> Any:
    """Samples ``(n,)``, at most 0.5; each note fades in over 10 ms and out over 20."""
    sound = np.zeros(round((notes[-1][1] + lead + 0.3) * rate))
    for onset, end, pitch in notes:
        count = round((end - onset) * rate)
        time = np.arange(count) / rate
        fade = np.minimum(np.minimum(time / 0.01, time[::-1] / 0.02), 1)
        hertz = 440 * 2 ** ((pitch - 69 + cents / 100) / 12)
        wave = vibrato * np.sin(2 * np.pi * 5.5 * time)
        speed = hertz * 2 ** (wave / 12)
        phase = 2 * np.pi * (np.cumsum(speed) - speed[0]) / rate
        first = round((onset + lead) * rate)
        voice = sum(a * np.sin(n * phase) for n, a in enumerate(partials, 1))
        sound[first : first + count] += fade * voice * (0.5 / sum(partials))
    return sound


def write(path: Path, sound: Any, rate: int = 22_050, **how: Any) -> Path:
    soundfile.write(str(path), sound, rate, **how)
    return path
