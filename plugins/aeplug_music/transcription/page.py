"""A picture of what was heard: the pitch over the spectrogram, and the notes on top."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from aeplug.runtime import write_figure
from aeplug_audio.analysis.frames import BANDS, HIGHEST_BAND, LOWEST_BAND, STEP
from aeplug_audio.analysis.pitch import Floats
from aeplug_music.plots.pianoroll import note_name
from aeplug_music.score.metres import STEPS_PER_BAR, STEPS_PER_QUARTER
from aeplug_music.transcription.transcribe import Transcription

#: Seconds of a line, and lines of a page: a longer recording is cut, and the page says so.
LINE_SECONDS, LINES = 16.0, 30
DOTS_PER_INCH = 110
_WIDTH, _LINE_HEIGHT = 14.0, 2.6
#: Semitones above the highest note that are shown, for partials, and below the lowest.
_ABOVE, _BELOW = 14, 4
#: Decibels below the loudest band at which the picture is white.
_RANGE = 60
#: Semitones from a note within which a candidate is its pitch.
_NEAR = 1.5
_PITCH, _NOTE, _BAR = "#c0392b", "#2f6db5", "#8d949e"

#: Fonts are measured by one thread at a time.
_drawing = threading.Lock()


def draw_transcription(transcription: Transcription, title: str, path: Path) -> None:
    """Draw into a PNG that appears only when whole.

    Raises:
        FileError: it cannot be written.
    """
    seconds = transcription.info.seconds
    lines = int(np.clip(np.ceil(seconds / LINE_SECONDS), 1, LINES))
    span = min(seconds, LINE_SECONDS)
    note = (
        f"; the first {lines * LINE_SECONDS / 60:.0f} minutes of it"
        if seconds > lines * LINE_SECONDS
        else ""
    )
    with _drawing:
        figure = Figure(
            figsize=(_WIDTH, lines * _LINE_HEIGHT + 0.7), dpi=DOTS_PER_INCH, layout="constrained"
        )
        panels = figure.subplots(lines, 1, squeeze=False)[:, 0]
        for number, panel in enumerate(panels):
            _draw_line(panel, transcription, number * span, (number + 1) * span)
        panels[-1].set_xlabel("seconds")
        figure.suptitle(f"{title}: {transcription.summary()}{note}", fontsize=9)
        write_figure(figure, path, dpi="figure")


def _draw_line(panel: Any, transcription: Transcription, begin: float, end: float) -> None:
    pitches = [note.pitch for note in transcription.notes]
    low, high = min(pitches) - _BELOW, max(pitches) + _ABOVE
    first, last = int(begin / STEP), int(np.ceil(end / STEP)) + 1
    part = transcription.analysis.spectrum[first:last]
    loudest = int(transcription.analysis.spectrum.max())
    bottom, top = (69 + 12 * np.log2(hertz / 440) for hertz in (LOWEST_BAND, HIGHEST_BAND))
    half = (top - bottom) / (BANDS - 1) / 2
    panel.imshow(
        part.T,
        origin="lower",
        aspect="auto",
        cmap="Greys",
        vmin=loudest - 2 * _RANGE,
        vmax=loudest,
        extent=((first - 0.5) * STEP, (first + len(part) - 0.5) * STEP, bottom - half, top + half),
        interpolation="nearest",
    )
    # Drawn where they were heard: above concert pitch by as much as the recording is.
    boxes = [
        [(a, p - 0.5), (a, p + 0.5), (b, p + 0.5), (b, p - 0.5)]
        for a, b, p in (
            (note.onset, note.end, note.pitch + transcription.tuning)
            for note in transcription.notes
        )
        if b > begin and a < end
    ]
    panel.add_collection(PolyCollection(boxes, facecolor=(*_rgb(_NOTE), 0.3), edgecolor=_NOTE))
    curve = extract_pitch_curve(transcription)
    chosen = slice(first, last)
    panel.plot(np.arange(len(curve))[chosen] * STEP, curve[chosen], color=_PITCH, linewidth=1.1)
    for second in _bar_line_seconds(transcription, begin, end):
        panel.axvline(second, color=_BAR, linewidth=0.7, linestyle=":")
    panel.set_xlim(begin, end)
    panel.set_ylim(low, high)
    ticks = [pitch for pitch in range(low, high + 1) if pitch % 12 in (0, 4, 7)]
    panel.set_yticks(ticks, [note_name(pitch) for pitch in ticks], fontsize=7)
    panel.tick_params(axis="x", labelsize=7)


def extract_pitch_curve(transcription: Transcription) -> Floats:
    """The pitch that each note was heard at, MIDI numbers ``(F,)``; NaN between notes."""
    analysis = transcription.analysis
    curve = np.full(len(analysis), np.nan, np.float32)
    for note in transcription.notes:
        frames = slice(round(note.onset / STEP), round(note.end / STEP))
        pitch = analysis.pitch[frames]
        away = np.abs(np.nan_to_num(pitch, nan=-99.0) - note.pitch - transcription.tuning)
        nearest = away.argmin(1)
        rows = np.arange(len(pitch))
        near = away[rows, nearest] < _NEAR
        curve[frames] = np.where(near, pitch[rows, nearest], np.nan)
    return curve


def _bar_line_seconds(transcription: Transcription, begin: float, end: float) -> list[float]:
    grid = transcription.on_grid.grid
    bar = 60 / grid.bpm / STEPS_PER_QUARTER * STEPS_PER_BAR[transcription.metre]
    numbers = np.arange(np.ceil((begin - grid.first_beat) / bar), (end - grid.first_beat) / bar)
    return (grid.first_beat + bar * numbers).tolist()


def _rgb(colour: str) -> tuple[float, float, float]:
    return (int(colour[1:3], 16) / 255, int(colour[3:5], 16) / 255, int(colour[5:7], 16) / 255)
