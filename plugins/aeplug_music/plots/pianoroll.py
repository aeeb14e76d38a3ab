"""A page of piano rolls: labelled rows of tunes, with bar lines and note names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.ticker import FixedLocator

from aeplug_music.plots.page import PanelLayout, Rows, draw_panels, draw_vertical_lines, stack_rows
from aeplug_music.plots.systems import System, split_systems
from aeplug_music.score.melody import Melody
from aeplug_music.score.tokens import tokens_to_notes

#: Most bars of a tune on a page.
MOST_BARS = 128
#: Bars of a line; tunes of more than two lines are broken into lines.
BARS_OF_A_LINE = 16
_INCHES_PER_BAR, _NARROWEST, _WIDEST = 0.5, 1.9, 16.0
_INCHES_PER_SEMITONE, _LOWEST, _HIGHEST = 0.062, 1.0, 3.2
#: Longer tunes, in bars, are drawn one below the other.
_BARS_SIDE_BY_SIDE = 8
_NOTE, _ADDED, _BLACK_KEY, _RETURN = "#2f6db5", "#1f8a5f", "#eef0f3", "#f6e7c8"
_BAR_LINE, _METRE_LINE, _QUARTER = "#8d949e", "#c0392b", "#e3e6ea"
#: Thumbnail: semitones, pixels per semitone and per step.
_SMALL_SEMITONES, _SMALL_ROW, _SMALL_STEP = 24, 3, 3
_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_BLACK = (1, 3, 6, 8, 10)


def note_name(pitch: int) -> str:
    """MIDI number -> name with octave; 60 is C4."""
    return f"{_NAMES[pitch % 12]}{pitch // 12 - 1}"


def draw_thumbnail(melody: Melody, steps: int) -> npt.NDArray[np.uint8]:
    """Draw the first ``steps`` of a melody, uint8 ``(h, w, 3)``, of the same size for all melodies.

    Two octaves around the middle pitch; notes beyond are drawn at the edge.
    """
    height, width = _SMALL_SEMITONES * _SMALL_ROW, steps * _SMALL_STEP
    tokens = melody.tokens[:steps] if melody.passages else np.zeros(0, np.uint8)
    onsets, ends, pitches = tokens_to_notes(tokens)
    middle = (int(pitches.min()) + int(pitches.max())) // 2 if len(pitches) else 66
    low = middle - _SMALL_SEMITONES // 2
    picture = np.full((height, width, 3), 255, np.uint8)
    for row in range(_SMALL_SEMITONES):
        if (low + row) % 12 in _BLACK:
            _row(picture, row)[:] = _rgb(_BLACK_KEY)
    for step in _bar_steps(melody, len(tokens)):
        picture[:, step * _SMALL_STEP] = _rgb(_QUARTER)
    picture[:, len(tokens) * _SMALL_STEP :] = _rgb(_QUARTER)
    rows = np.clip(pitches - low, 0, _SMALL_SEMITONES - 1)
    for onset, end, row in zip(onsets.tolist(), ends.tolist(), rows.tolist(), strict=True):
        # The first pixel stays free, to separate repeated notes.
        _row(picture, row)[:, onset * _SMALL_STEP + 1 : end * _SMALL_STEP] = _rgb(_NOTE)
    return picture


def _row(picture: npt.NDArray[np.uint8], row: int) -> npt.NDArray[np.uint8]:
    bottom = len(picture) - row * _SMALL_ROW
    return picture[bottom - _SMALL_ROW : bottom]


def _rgb(colour: str) -> tuple[int, int, int]:
    return (int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16))


def _bar_steps(melody: Melody, end: int) -> list[int]:
    steps, start = [], 0
    for passage in melody.passages:
        length = len(passage.tokens)
        steps += [s for s in range(start, start + length, passage.bar or length or 1) if s < end]
        start += length
    return steps


@dataclass(frozen=True)
class _Panel:
    """A melody, or a line of one, as it is drawn.

    Attributes:
        melody: its bars.
        span: steps that the panel is wide.
        system: which line of a tune it is; None: the whole tune.
    """

    melody: Melody
    span: int
    system: System | None = None


def draw_page(rows: Rows[Melody], path: Path, title: str) -> None:
    """Draw rows of ``(label, [(caption, melody), ...])`` side by side into a PNG.

    All share one pitch axis. Tunes of more than 8 bars stand below one another; those of more than
    32 in lines of 16, where a bar that repeats an earlier one is tinted and names it. What a model
    has added to a tune has its own colour. The caption of a tune of more than ``MOST_BARS`` says
    how much of it is shown.

    Raises:
        FileError: the file cannot be written.
    """
    melodies = [melody for _, cells in rows for _, melody in cells]
    low, high = _pitch_range(melodies)
    bars = max((min(_count_bars(melody), MOST_BARS) for melody in melodies), default=1)
    # Long tunes stand below one another, on one scale of time, as on paper.
    is_stacked = bars > _BARS_SIDE_BY_SIDE
    if is_stacked:
        rows = stack_rows(rows)
    if bars > 2 * BARS_OF_A_LINE:
        panels = _break_lines(rows)
        bars = BARS_OF_A_LINE
    else:
        longest = max(map(_count_shown_steps, melodies), default=1) if is_stacked else 0
        panels = [
            (
                label,
                [
                    (
                        caption + _cut_note(melody),
                        _Panel(melody, longest or _count_shown_steps(melody)),
                    )
                    for caption, melody in cells
                ],
            )
            for label, cells in rows
        ]
    layout = PanelLayout(
        width=float(np.clip(_INCHES_PER_BAR * bars, _NARROWEST, _WIDEST)),
        height=float(np.clip(_INCHES_PER_SEMITONE * (high - low), _LOWEST, _HIGHEST)),
        x_label="bar",
        y_label="pitch",
    )
    draw_panels(panels, path, title, partial(_draw_panel, low=low, high=high), layout)


def _cut_note(melody: Melody) -> str:
    bars = _count_bars(melody)
    return f" (first {MOST_BARS} of {bars} bars)" if bars > MOST_BARS else ""


def _break_lines(rows: Rows[Melody]) -> list[tuple[str, Sequence[tuple[str, _Panel]]]]:
    """Rows of one tune each as rows of a line each."""
    lines: list[tuple[str, Sequence[tuple[str, _Panel]]]] = []
    for label, cells in rows:
        for caption, melody in cells:
            systems = split_systems(melody, BARS_OF_A_LINE)
            shown = [system for system in systems if system.first < MOST_BARS]
            texts = [(label, caption + _cut_note(melody)), *[("", "")] * (len(shown) - 1)]
            lines += [
                (own_label, [(text, _Panel(system.melody, 0, system))])
                for (own_label, text), system in zip(texts, shown, strict=True)
            ]
    span = max((_count_shown_steps(cells[0][1].melody) for _, cells in lines), default=1)
    return [
        (label, [(text, replace(panel, span=span)) for text, panel in cells])
        for label, cells in lines
    ]


def _mark_returns(panel: Any, system: System) -> None:
    """Tint bars that repeat an earlier one, and number all bars as in the tune."""
    steps = _bar_steps(system.melody, system.melody.steps)
    ends = [*steps[1:], system.melody.steps]
    for number, (start, end) in enumerate(zip(steps, ends, strict=True)):
        bar, earlier = system.first + number, system.earlier[number]
        if 0 <= earlier < bar:
            panel.axvspan(start, end, color=_RETURN, linewidth=0, zorder=0.5)
            panel.text(
                *((start + end) / 2, 0.03, f"= {earlier + 1}"),
                transform=panel.get_xaxis_transform(),
                fontsize=6,
                color=_METRE_LINE,
                ha="center",
                zorder=4,
            )
    panel.xaxis.set_major_locator(FixedLocator(steps))
    panel.set_xticklabels(
        [str(system.first + n + 1) if n % 4 == 0 else "" for n in range(len(steps))], fontsize=7
    )


def _draw_panel(axes: Any, panel: _Panel, low: int, high: int) -> None:
    melody = panel.melody
    for pitch in range(low, high + 1):
        if pitch % 12 in _BLACK:
            axes.axhspan(pitch - 0.5, pitch + 0.5, color=_BLACK_KEY, linewidth=0, zorder=0)
    end = _count_shown_steps(melody)
    bar_lines = _draw_grid(axes, melody, end)
    tokens = melody.tokens[:end] if melody.passages else np.zeros(0, np.uint8)
    onsets, ends, pitches = tokens_to_notes(tokens)
    seam = end if melody.continued_at is None else melody.continued_at
    # A light edge separates repeated notes.
    axes.barh(
        pitches,
        ends - onsets,
        0.9,
        onsets,
        color=[_NOTE if onset < seam else _ADDED for onset in onsets.tolist()],
        edgecolor="white",
        linewidth=0.8,
        zorder=3,
    )
    if 0 <= seam < end:
        axes.axvline(seam, color=_ADDED, linewidth=1.5, zorder=2.5)
        axes.text(
            *(seam + 7, 0.97, "continued"),  # beside a time signature
            transform=axes.get_xaxis_transform(),
            fontsize=7,
            color=_ADDED,
            va="top",
            zorder=4,
        )
    axes.set_xlim(0, max(panel.span, 1))
    axes.set_ylim(low - 0.5, high + 0.5)
    axes.xaxis.set_major_locator(FixedLocator(bar_lines))
    every = max(1, round(len(bar_lines) / 8))
    axes.set_xticklabels(
        [str(n + 1) if n % every == 0 else "" for n in range(len(bar_lines))], fontsize=7
    )
    octaves = (0, 7) if high - low > 24 else (0, 4, 7, 9)
    names = [pitch for pitch in range(low, high + 1) if pitch % 12 in octaves]
    axes.yaxis.set_major_locator(FixedLocator(names))
    axes.set_yticklabels([note_name(pitch) for pitch in names], fontsize=7)
    axes.tick_params(length=2, pad=2)
    for spine in axes.spines.values():
        spine.set_color(_BAR_LINE)
    if panel.system is not None:
        _mark_returns(axes, panel.system)


def _draw_grid(panel: Any, melody: Melody, end: int) -> list[int]:
    """Draw bar and quarter lines up to step ``end``; returns the first step of each bar."""
    bar_lines: list[tuple[int, str]] = []
    quarters: list[tuple[float, str]] = []
    start = 0
    for number, passage in enumerate(melody.passages):
        steps = min(len(passage.tokens), end - start)
        quarters += [(step, _QUARTER) for step in range(start, start + steps, 4)]
        colour = _METRE_LINE if number else _BAR_LINE
        bar_lines += [
            (step, colour if step == start else _BAR_LINE)
            for step in range(start, start + steps, passage.bar or max(steps, 1))
        ]
        if steps > 0:
            panel.text(
                start + 0.3,
                0.97,
                passage.signature,
                transform=panel.get_xaxis_transform(),
                fontsize=7,
                color=colour,
                va="top",
                zorder=4,
            )
        start += len(passage.tokens)
    draw_vertical_lines(panel, quarters, 0.5, zorder=1)
    draw_vertical_lines(panel, bar_lines, 1.0, zorder=2)
    return [step for step, _ in bar_lines]


def _count_shown_steps(melody: Melody) -> int:
    """Number of steps that are drawn."""
    steps, bars = 0, 0
    for passage in melody.passages:
        length = len(passage.tokens)
        bar = passage.bar or length or 1
        length_shown = min(length, (MOST_BARS - bars) * bar)
        steps, bars = steps + length_shown, bars + -(-length_shown // bar)
    return steps


def _count_bars(melody: Melody) -> int:
    return sum(
        -(-len(passage.tokens) // (passage.bar or len(passage.tokens) or 1))
        for passage in melody.passages
    )


def _pitch_range(melodies: Sequence[Melody]) -> tuple[int, int]:
    pitches = [tokens_to_notes(melody.tokens)[2] for melody in melodies if melody.passages]
    every = np.concatenate(pitches) if pitches else np.zeros(0)
    if not len(every):
        return 58, 74
    low, high = int(every.min()) - 2, int(every.max()) + 2
    # At least an octave, so that a single note does not fill the page.
    missing = max(0, 12 - (high - low))
    return low - missing // 2, high + (missing + 1) // 2
