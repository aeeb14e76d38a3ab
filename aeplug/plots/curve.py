"""The picture of a training: every loss term over the steps, held-out beside training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

from aeplug.runtime.figures import write_figure

matplotlib.use("Agg")

#: Keys of ``metrics.jsonl`` that are not losses.
NOT_LOSSES = frozenset({"step", "epoch", "split", "lr", "skipped", "seconds"})
#: Share of the training from which on every point lies within the panel.
SHOWN_FROM = 0.05
#: Up to so many points of training are marked; a single one has no line to be seen by.
MARKED = 12
#: Least height of a panel, as a share of its values: less would make mountains of noise.
LEAST_HEIGHT = 0.02


def draw_curve(records: Sequence[Mapping[str, Any]], path: Path, title: str) -> None:
    """Draw one panel a term, from the lines of ``metrics.jsonl``, into a PNG.

    Example:
        >>> records = [{"step": n, "split": "train", "loss": 1 / n} for n in (10, 20, 30)]
        >>> draw_curve(records, Path("curve.png"), "vae")
        >>> Path("curve.png").stat().st_size > 10_000
        True
    """
    from matplotlib.figure import Figure

    terms: list[str] = []
    for record in records:
        terms += [name for name in record if name not in NOT_LOSSES and name not in terms]
    terms = terms or ["loss"]
    figure = Figure(figsize=(4.2 * len(terms), 3.6), layout="constrained")
    panels = figure.subplots(1, len(terms), squeeze=False)[0]
    for panel, term in zip(panels, terms, strict=True):
        for split, colour, label in (("train", "C0", "training"), ("val", "C1", "held out")):
            points = [
                (record["step"], record[term])
                for record in records
                if record["split"] == split and _is_number(record.get(term))
            ]
            if points:
                steps, values = zip(*points, strict=True)
                style = "o-" if split == "val" or len(points) <= MARKED else "-"
                panel.plot(steps, values, style, color=colour, label=label, lw=1.4, markersize=3.5)
        panel.set_title(term.replace("_", " "))
        panel.set_xlabel("step")
        panel.grid(alpha=0.25)
        _fit_scale(panel, [(r["step"], r[term]) for r in records if _is_number(r.get(term))])
    if panels[0].has_data():
        panels[0].legend(frameon=False)
    figure.suptitle(title)
    write_figure(figure, path)


def _fit_scale(panel: Any, points: Sequence[tuple[int, float]]) -> None:
    # The fall of the first steps would flatten all that comes after: it may leave the panel.
    last = max((step for step, _ in points), default=0)
    values = [value for step, value in points if step >= SHOWN_FROM * last]
    if not values:
        return
    low, high = min(values), max(values)
    if low > 0 and high > 10 * low:
        panel.set_yscale("log")
        return
    height = max(high - low, LEAST_HEIGHT * max(abs(low), abs(high)))
    if height > 0:
        middle, half = (low + high) / 2, 0.58 * height
        panel.set_ylim(middle - half, middle + half)
    panel.ticklabel_format(axis="y", useOffset=False)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float))
