"""Items in a plane, coloured by a label: as a PNG, and the colours for any other picture."""

from __future__ import annotations

import colorsys
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt

from aeplug.plots.latent_map import LatentMap, is_quantity
from aeplug.runtime.figures import write_figure

matplotlib.use("Agg")

#: Told apart on white and on black, also by most who are colour-blind (after Tableau's ten).
TEN = (
    *("#4e79a7", "#f28e2b", "#e15759", "#17a2a2", "#59a14f"),
    *("#c9a227", "#b07aa1", "#ff7f9f", "#9c755f", "#8a8f98"),
)
#: Of quantities.
SCALE = "viridis"


def pick_class_colours(count: int) -> list[str]:
    """As many colours as there are classes, ``#rrggbb``."""
    if count <= len(TEN):
        return list(TEN[:count])
    colours = []
    for number in range(count):
        # Neighbours on the circle of hues also differ in lightness.
        lightness = (0.42, 0.58)[number % 2]
        rgb = colorsys.hls_to_rgb(number / count, lightness, 0.6)
        colours.append("#" + "".join(f"{round(255 * part):02x}" for part in rgb))
    return colours


def pick_scale_colours(count: int) -> list[str]:
    """``count`` colours from the lowest to the highest of a quantity."""
    from matplotlib.colors import to_hex

    scale = matplotlib.colormaps[SCALE]
    return [to_hex(scale(value)) for value in np.linspace(0, 1, count)]


def draw_scatter(items: LatentMap, label: str, path: Path, title: str) -> None:
    """Draw the items' points into a PNG, coloured by ``label`` (empty: all alike).

    Raises:
        FileError: it cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.6, 7.4), layout="constrained")
    panel = figure.subplots()
    # In no order, so that no class lies over all others.
    order = np.random.default_rng(0).permutation(len(items.points))
    x, y = items.points[order].T
    size = float(np.clip(4e4 / max(len(order), 1), 3, 40))
    style: dict[str, Any] = {"s": size, "alpha": 0.75, "linewidths": 0}
    if not label:
        panel.scatter(x, y, color=TEN[0], **style)
    elif is_quantity(items.labels[label]):
        drawn = panel.scatter(x, y, c=items.labels[label][order], cmap=SCALE, **style)
        figure.colorbar(drawn, ax=panel, label=label, shrink=0.7)
    else:
        classes, numbers = number_classes(items.labels[label])
        colours = np.array(pick_class_colours(len(classes)))
        panel.scatter(x, y, color=colours[numbers[order]], **style)
        marks = [
            panel.scatter([], [], color=colour, label=name, s=40)
            for colour, name in zip(colours.tolist(), classes, strict=True)
        ]
        panel.legend(
            handles=marks,
            title=label,
            loc="center left",
            bbox_to_anchor=(1, 0.5),
            frameon=False,
            ncols=1 + (len(classes) - 1) // 20,
        )
    panel.set_aspect("equal", adjustable="datalim")
    panel.set_xlabel(items.axes[0])
    panel.set_ylabel(items.axes[1])
    panel.grid(alpha=0.2)
    panel.set_title(items.caption, fontsize=9, color="#555555", parse_math=False)
    figure.suptitle(title, fontsize=12, parse_math=False)
    write_figure(figure, path)


def number_classes(
    values: npt.NDArray[np.generic],
) -> tuple[list[str], npt.NDArray[np.int64]]:
    """A label's classes in order, and each item's number among them."""
    classes, numbers = np.unique(values, return_inverse=True)
    return [str(name) for name in classes.tolist()], numbers.astype(np.int64)
