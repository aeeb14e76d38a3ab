"""A picture of a transcription: the spectrogram, over it the notes, their pitch and the bars."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from aeplug.runtime import write_figure
from aeplug_audio.analysis.frames import BANDS, HIGHEST_BAND, LOWEST_BAND, STEP
from aeplug_audio.analysis.pitch import Floats
from aeplug_music.plots.pianoroll import note_name
from aeplug_music.score.metres import STEPS_PER_BAR
from aeplug_music.transcription.transcribe import Transcription

#: Seconds of a line, and lines of a page; of a longer recording the title says how much is shown.
LINE_SECONDS, LINES = 16.0, 30
DOTS_PER_INCH = 110
_WIDTH, _LINE_HEIGHT = 14.0, 2.6
#: Semitones shown above the highest note, for partials, and below the lowest.
_ABOVE, _BELOW = 14, 4
#: Decibels below the loudest band at which the picture is white; the loudest is a middle grey.
_RANGE = 50
#: Semitones from a note within which a candidate is its pitch.
_NEAR = 1.5
#: Shorter bars than this, in seconds, are not drawn.
_SHORTEST_BAR = 0.2
_PITCH, _NOTE, _BAR = "#d62f1f", "#2f6db5", "#5b636e"

#: matplotlib measures fonts in one thread at a time.
_drawing = threading.Lock()


def draw_transcription(transcription: Transcription, title: str, path: Path) -> None:
    """Draw a transcription into a PNG.

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
        panels[0].legend(*_legend(), loc="upper right", ncols=3, fontsize=7)
        figure.supxlabel("time (s)", fontsize=9)
        figure.supylabel("pitch", fontsize=9)
        figure.suptitle(f"{title}: {transcription.summary()}{note}", fontsize=10, parse_math=False)
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
        vmax=loudest + 2 * _RANGE,
        extent=((first - 0.5) * STEP, (first + len(part) - 0.5) * STEP, bottom - half, top + half),
        interpolation="bilinear",
    )
    # As the recording has them: off concert pitch by its tuning.
    boxes = [
        [(a, p - 0.5), (a, p + 0.5), (b, p + 0.5), (b, p - 0.5)]
        for a, b, p in (
            (note.onset, note.end, note.pitch + transcription.tuning)
            for note in transcription.notes
        )
        if b > begin and a < end
    ]
    panel.add_collection(PolyCollection(boxes, facecolor=(*to_rgb(_NOTE), 0.45), edgecolor=_NOTE))
    curve = extract_pitch_curve(transcription)
    chosen = slice(first, last)
    panel.plot(np.arange(len(curve))[chosen] * STEP, curve[chosen], color=_PITCH, linewidth=1.6)
    for number, second in _bar_lines(transcription, begin, end):
        panel.axvline(second, color=_BAR, linewidth=1.0, linestyle="--")
        panel.text(
            *(second, 0.97, f" {number}"),
            transform=panel.get_xaxis_transform(),
            fontsize=8,
            color=_BAR,
            va="top",
            clip_on=True,
        )
    panel.set_xlim(begin, end)
    panel.set_ylim(low, high)
    ticks = [pitch for pitch in range(low, high + 1) if pitch % 12 in (0, 4, 7)]
    panel.set_yticks(ticks, [note_name(pitch) for pitch in ticks], fontsize=8)
    panel.tick_params(axis="x", labelsize=8)


def _legend() -> tuple[list[Any], list[str]]:
    handles = [
        Patch(facecolor=(*to_rgb(_NOTE), 0.45), edgecolor=_NOTE),
        Line2D([], [], color=_PITCH, linewidth=1.6),
        Line2D([], [], color=_BAR, linewidth=1.0, linestyle="--"),
    ]
    return handles, ["note", "pitch", "bar line and number"]


def extract_pitch_curve(transcription: Transcription) -> Floats:
    """Pitch of the notes in every frame, MIDI numbers ``(F,)``; NaN between notes."""
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


def _bar_lines(transcription: Transcription, begin: float, end: float) -> list[tuple[int, float]]:
    """Number, from 1, and second of the bar lines between two seconds."""
    bar = STEPS_PER_BAR[transcription.metre]
    on_grid = transcription.on_grid
    count = int((end - min(on_grid.grid.first_beat, begin)) / _SHORTEST_BAR) + 1
    bars = np.arange(-count, count + 1)
    seconds = on_grid.to_seconds(bars * bar)
    inside = (seconds >= begin) & (seconds < end)
    return list(zip((bars[inside] + 1).tolist(), seconds[inside].tolist(), strict=True))
