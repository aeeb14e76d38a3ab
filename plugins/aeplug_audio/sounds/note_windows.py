"""Notes of a soundfont -> windows of frames; imports no torch, since worker processes run it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from aeplug_audio.files.reading import RATE
from aeplug_audio.sounds.spectrogram import HOP, WINDOW_FRAMES, compute_frames, to_bytes
from aeplug_audio.synthesis.sampler import SoundfontVoices
from aeplug_audio.synthesis.soundfont import open_soundfont
from aeplug_audio.synthesis.voices import Note

#: Seconds that a note is held; it dies away in the rest of the window.
HELD = 0.7
#: Rate at which notes are rendered, samples per second.
RENDERED = 44_100
#: Gain of all notes; differences between instruments stay.
_GAIN = 2.0
#: A note whose loudest sample is below this is missing from the soundfont.
_SILENT = 1e-4

Stored = npt.NDArray[np.uint8]


class NoteRequest(NamedTuple):
    """A note to render."""

    program: int
    pitch: int
    velocity: int


def render_windows(path: Path, notes: Sequence[NoteRequest]) -> list[Stored | None]:
    """Render each note's window, uint8 ``(1, MELS, WINDOW_FRAMES)``; None: it is silent."""
    import soxr

    voices = SoundfontVoices(open_soundfont(path))
    length = (WINDOW_FRAMES - 1) * HOP
    longest = length * RENDERED // RATE + 1
    rendered: list[Stored | None] = []
    for program, pitch, velocity in notes:
        sound = voices.voice(Note(0, HELD, pitch, velocity, program), RENDERED, longest).mean(1)
        if np.abs(sound).max(initial=0) < _SILENT:
            rendered.append(None)
            continue
        resampled = soxr.resample(sound * _GAIN, RENDERED, RATE)[:length].astype(np.float32)
        frames = compute_frames(np.pad(resampled, (0, length - len(resampled))))
        rendered.append(to_bytes(frames)[None])
    return rendered
