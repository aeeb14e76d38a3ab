"""A page of panels: labelled rows of items under one title, each drawn by the caller's function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from aeplug.runtime import track, write_figure

DOTS_PER_INCH = 110
_TALLEST_PAGE = 250.0
#: Characters of a caption that fit into an inch.
_CHARACTERS = 14
#: Labels of rows that are shown above what a model made of them.
_ORIGINALS = ("input", "original")

Item = TypeVar("Item")
#: ``(label, [(caption, item), ...])``, one for each row.
Rows = Sequence[tuple[str, Sequence[tuple[str, Item]]]]


@dataclass(frozen=True)
class PanelLayout:
    """Size of a panel and what its axes show.

    Attributes:
        width, height: inches.
        x_label, y_label: words below and beside the page.
        side: inches that the names along the y axis take.
    """

    width: float
    height: float
    x_label: str
    y_label: str = ""
    side: float = 1.2


def draw_panels(
    rows: Rows[Item],
    path: Path,
    title: str,
    draw: Callable[[Any, Item], None],
    layout: PanelLayout,
) -> None:
    """Draw rows of items side by side into a PNG; all panels share one y axis.

    Args:
        rows: what to draw.
        path: file to write.
        title: of the page.
        draw: draws an item into a matplotlib axes.
        layout: of the panels.

    Raises:
        FileError: the file cannot be written.
    """
    columns = max((len(cells) for _, cells in rows), default=1) or 1
    height = min(len(rows) * (layout.height + 0.4) + 0.9, _TALLEST_PAGE)
    figure = Figure(
        figsize=(columns * layout.width + layout.side, height),
        dpi=DOTS_PER_INCH,
        layout="constrained",
    )
    panels = figure.subplots(max(len(rows), 1), columns, squeeze=False, sharey=True)
    lines = zip(panels, rows, strict=False)
    count = sum(len(cells) for _, cells in rows)
    for panel_row, (label, cells) in track(lines, count, "panels", lambda line: len(line[1][1])):
        for panel in panel_row[len(cells) :]:
            panel.set_axis_off()
        for column, (panel, (caption, item)) in enumerate(zip(panel_row, cells, strict=False)):
            draw(panel, item)
            text = shorten(caption, layout.width)
            panel.set_title(text, fontsize=8, loc="left", pad=3, parse_math=False)
            panel.tick_params(labelleft=column == 0)
        if label:
            panel_row[0].set_ylabel(label, fontsize=9)
    # Text as it is: a $ in a file's name is no formula.
    figure.suptitle(title, fontsize=12, parse_math=False)
    figure.supxlabel(layout.x_label, fontsize=9)
    if layout.y_label:
        figure.supylabel(layout.y_label, fontsize=9)
    write_figure(figure, path, dpi="figure")


def draw_vertical_lines(
    panel: Any, lines: Sequence[tuple[float, str]], width: float, zorder: float
) -> None:
    """Draw lines over a panel's whole height, as one thing: hundreds of single ones take seconds.

    Args:
        panel: matplotlib axes, whose limits stay.
        lines: where on the x axis, and in which colour.
        width: points.
        zorder: what lies higher covers what lies lower.
    """
    places = [[(place, 0.0), (place, 1.0)] for place, _ in lines]
    panel.add_collection(
        LineCollection(
            places,
            colors=[colour for _, colour in lines],
            linewidths=width,
            transform=panel.get_xaxis_transform(),
            zorder=zorder,
        ),
        autolim=False,
    )


def stack_rows(rows: Rows[Item]) -> list[tuple[str, Sequence[tuple[str, Item]]]]:
    """Rows of one item each; a row of originals and the rows of results below it take turns."""
    stacked: list[tuple[str, Sequence[tuple[str, Item]]]] = []
    group: list[tuple[str, Sequence[tuple[str, Item]]]] = []
    for number, (label, cells) in enumerate(rows):
        group.append((label, cells))
        following = rows[number + 1] if number + 1 < len(rows) else ("", ())
        goes_on = (
            group[0][0] in _ORIGINALS
            and following[0] not in ("", *_ORIGINALS)
            and len(following[1]) == len(cells)
        )
        if not goes_on:
            stacked += [
                (label, [cells[place]])
                for place in range(len(group[0][1]))
                for label, cells in group
            ]
            group = []
    return stacked


def shorten(caption: str, inches: float) -> str:
    """A caption cut to what fits into so many inches."""
    most = max(8, int(inches * _CHARACTERS))
    return caption if len(caption) <= most else caption[: most - 1] + "…"
