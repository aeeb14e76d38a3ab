"""A page of drum grids: labelled rows of performances, louder hits darker, with their timing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.collections import PatchCollection
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator

from aeplug_music.drums.kit import (
    BAR,
    CLASSES,
    CLOSED_HAT,
    CRASH,
    DRUMS,
    HIGH_TOM,
    KICK,
    LOW_TOM,
    MAX_VELOCITY,
    METRE,
    MID_TOM,
    OFFSETS,
    OPEN_HAT,
    RIDE,
    SNARE,
)
from aeplug_music.drums.performance import Performance
from aeplug_music.plots.page import PanelLayout, Rows, draw_panels, draw_vertical_lines, stack_rows
from aeplug_music.score.metres import STEPS_PER_QUARTER

#: Most bars of a performance on a page.
MOST_BARS = 16
#: Bars before what was continued, where not all are shown.
_BEFORE_SEAM = 4
#: Rows of a grid from the lowest, as in notation: feet below, cymbals above.
ROWS = (KICK, SNARE, LOW_TOM, MID_TOM, HIGH_TOM, CLOSED_HAT, OPEN_HAT, RIDE, CRASH)
_ROW_OF = np.argsort(ROWS)
_INCHES_PER_BAR, _NARROWEST, _WIDEST, _HEIGHT = 0.95, 1.9, 15.2, 1.5
#: Longer performances, in bars, are drawn one below the other.
_BARS_SIDE_BY_SIDE = 4
#: Width of a hit in steps, and height in rows.
_HIT_WIDTH, _HIT_HEIGHT = 0.62, 0.76
_SOFTEST = 0.16
#: Colours of drums with skins, and of hi-hats and cymbals.
_SKIN, _METAL = np.array((0.10, 0.32, 0.60)), np.array((0.72, 0.40, 0.05))
_METALS = (CLOSED_HAT, OPEN_HAT, CRASH, RIDE)
_BAR_LINE, _QUARTER, _STEP, _BAND = "#8d949e", "#c9ced5", "#eceef1", "#f5f6f8"
_OTHER = "#c0392b"
#: Steps of a bar of metres that are learnt, or carried by what is.
_BARS = {METRE: BAR, "12/8": BAR, "6/8": BAR // 2}
#: Thumbnail: pixels per row and per step.
_SMALL_ROW, _SMALL_STEP = 8, 4


def draw_thumbnail(performance: Performance, steps: int) -> npt.NDArray[np.uint8]:
    """Draw the first ``steps``, uint8 ``(h, w, 3)``, of the same size for all performances."""
    picture = np.full((DRUMS * _SMALL_ROW, steps * _SMALL_STEP, 3), 255, np.uint8)
    for step in range(0, steps, BAR):
        picture[:, step * _SMALL_STEP] = 200
    velocity = performance.velocity[:steps]
    for step, drum in zip(*(values.tolist() for values in np.nonzero(velocity)), strict=True):
        top = (DRUMS - 1 - int(_ROW_OF[drum])) * _SMALL_ROW
        colour = np.round(255 * np.array(_hit_colour(drum, int(velocity[step, drum]))))
        left = step * _SMALL_STEP + 1
        picture[top + 1 : top + _SMALL_ROW - 1, left : left + _SMALL_STEP - 1] = colour
    return picture


def draw_page(rows: Rows[Performance], path: Path, title: str) -> None:
    """Draw rows of ``(label, [(caption, performance), ...])`` side by side into a PNG.

    Louder hits are darker; the distance of a hit from its step shows its timing. Performances of
    more than 4 bars stand below one another; the caption of one of more than ``MOST_BARS`` says how
    much of it is shown; of what was continued, the bars around the place where. Without drums the
    rhythm is drawn.

    Raises:
        FileError: the file cannot be written.
    """
    performances = [performance for _, cells in rows for _, performance in cells]
    longest = max((performance.steps for performance in performances), default=BAR)
    span = min(longest, MOST_BARS * BAR) or BAR
    first = _choose_first(performances)
    is_stacked = span > _BARS_SIDE_BY_SIDE * BAR
    if is_stacked:
        rows = stack_rows(rows)
    rows = [
        (
            label,
            [
                (caption + _cut_note(performance, first), performance)
                for caption, performance in cells
            ],
        )
        for label, cells in rows
    ]

    def draw(axes: Any, performance: Performance) -> None:
        own = span if is_stacked else min(performance.steps, span) or BAR
        _draw_panel(axes, performance, first, own)

    width = float(np.clip(_INCHES_PER_BAR * span / BAR, _NARROWEST, _WIDEST))
    draw_panels(rows, path, title, draw, PanelLayout(width, _HEIGHT, "bar", side=1.6))


def _choose_first(performances: Sequence[Performance]) -> int:
    """The step that a page begins with."""
    seams = [each.continued_at for each in performances if each.continued_at is not None]
    longest = max((each.steps for each in performances), default=0)
    if not seams or longest <= MOST_BARS * BAR:
        return 0
    return max(max(seams) // BAR - _BEFORE_SEAM, 0) * BAR


def _cut_note(performance: Performance, first: int) -> str:
    bars = -(-performance.steps // BAR)
    if first and performance.steps > first:
        last = min(first // BAR + MOST_BARS, bars)
        return f" (bars {first // BAR + 1} to {last} of {bars})"
    return f" (first {MOST_BARS} of {bars} bars)" if bars > MOST_BARS else ""


def _draw_panel(axes: Any, performance: Performance, first: int, span: int) -> None:
    end = min(performance.steps, first + span)
    for row, kind in enumerate(ROWS):
        if kind in _METALS:
            axes.axhspan(row - 0.5, row + 0.5, color=_BAND, linewidth=0, zorder=0)
    bar_lines = _draw_lines(axes, performance, end)
    velocity, offset = performance.velocity[:end].copy(), performance.offset[:end]
    velocity[:first] = 0
    step, drum = np.nonzero(velocity)
    hits, colours = [], []
    for s, d in zip(step.tolist(), drum.tolist(), strict=True):
        # A hit exactly on its step begins at the step's line.
        left = s + int(offset[s, d]) / OFFSETS
        bottom = int(_ROW_OF[d]) - _HIT_HEIGHT / 2
        hits.append(Rectangle((left, bottom), _HIT_WIDTH, _HIT_HEIGHT))
        colours.append(_hit_colour(d, int(velocity[s, d])))
    if not hits:
        _draw_taps(axes, performance, end)
    axes.add_collection(PatchCollection(hits, facecolors=colours, linewidths=0, zorder=3))
    # Half a step to the left shows hits that come before the first beat.
    axes.set_xlim(first - 0.5, first + span)
    seam = performance.continued_at
    if seam is not None and first <= seam < end:
        axes.axvline(seam, color=_OTHER, linewidth=1.5, zorder=2.5)
        axes.text(
            *(seam + 0.3, DRUMS - 0.7, "continued"), fontsize=7, color=_OTHER, va="top", zorder=4
        )
    axes.set_ylim(-0.5, DRUMS - 0.5)
    shown = [(n, step) for n, step in enumerate(bar_lines) if step >= first]
    axes.xaxis.set_major_locator(FixedLocator([step for _, step in shown]))
    every = max(1, round(len(shown) / 16))
    axes.set_xticklabels(
        [str(n + 1) if place % every == 0 else "" for place, (n, _) in enumerate(shown)],
        fontsize=7,
    )
    axes.yaxis.set_major_locator(FixedLocator(range(DRUMS)))
    axes.set_yticklabels([CLASSES[drum] for drum in ROWS], fontsize=7)
    axes.tick_params(length=2, pad=2)
    for spine in axes.spines.values():
        spine.set_color(_BAR_LINE)


def _draw_taps(panel: Any, performance: Performance, end: int) -> None:
    """Draw the rhythm over all rows, if there are no drums."""
    taps = np.concatenate([np.zeros((0, 2), np.int16), *(p.taps for p in performance.passages)])
    for step in np.flatnonzero(taps[:end, 0]).tolist():
        velocity, offset = taps[step].tolist()
        share = _SOFTEST + (1 - _SOFTEST) * velocity / MAX_VELOCITY
        grey = str(1 - 0.75 * share)
        left = step + offset / OFFSETS
        panel.axvspan(left, left + _HIT_WIDTH, color=grey, linewidth=0, zorder=3)
    if taps[:end, 0].any():
        panel.text(0.2, DRUMS - 0.7, "rhythm only", fontsize=7, va="top", zorder=4)


def _draw_lines(panel: Any, performance: Performance, end: int) -> list[int]:
    """Draw lines of bars, quarters and steps up to ``end``; returns the first step of each bar."""
    bar_lines: list[int] = []
    others: list[tuple[float, str]] = []
    start = 0
    for passage in performance.passages:
        stop = min(start + passage.steps, end)
        bar = _BARS.get(passage.metre, max(passage.steps, 1))
        for step in range(start, stop):
            beat = (step - start) % STEPS_PER_QUARTER == 0
            if (step - start) % bar == 0:
                bar_lines.append(step)
            else:
                others.append((step, _QUARTER if beat else _STEP))
        if passage.metre != METRE and stop > start:
            panel.axvspan(start, stop, color=_OTHER, alpha=0.06, linewidth=0, zorder=0)
            panel.text(start + 0.3, DRUMS - 0.7, passage.metre, fontsize=7, color=_OTHER, va="top")
        start += passage.steps
    draw_vertical_lines(panel, others, 0.5, zorder=1)
    draw_vertical_lines(panel, [(step, _BAR_LINE) for step in bar_lines], 1.0, zorder=2)
    return bar_lines


def _hit_colour(drum: int, velocity: int) -> tuple[float, float, float]:
    """Colour of a hit, paler if it is softer: red, green, blue in 0..1."""
    ink = _METAL if drum in _METALS else _SKIN
    share = _SOFTEST + (1 - _SOFTEST) * velocity / MAX_VELOCITY
    red, green, blue = (1 - share * (1 - ink)).tolist()
    return red, green, blue
