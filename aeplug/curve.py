"""The picture of a training: every loss term over the steps, held-out beside training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

#: Keys of ``metrics.jsonl`` that are not losses.
NOT_LOSSES = frozenset({"step", "epoch", "split", "lr", "skipped", "seconds"})


def draw_curve(records: Sequence[Mapping[str, Any]], path: Path, title: str) -> None:
    """Draw one panel a term, from the lines of ``metrics.jsonl``, into a PNG."""
    from matplotlib.figure import Figure

    terms: list[str] = []
    for record in records:
        terms += [name for name in record if name not in NOT_LOSSES and name not in terms]
    terms = terms or ["loss"]
    figure = Figure(figsize=(4.2 * len(terms), 3.6), layout="constrained")
    panels = figure.subplots(1, len(terms), squeeze=False)[0]
    for panel, term in zip(panels, terms, strict=True):
        for split, style, label in (("train", "-", "training"), ("val", "o-", "held out")):
            points = [
                (record["step"], record[term])
                for record in records
                if record["split"] == split and isinstance(record.get(term), (int, float))
            ]
            if points:
                steps, values = zip(*points, strict=True)
                panel.plot(steps, values, style, label=label, linewidth=1.4, markersize=3.5)
        panel.set_title(term.replace("_", " "))
        panel.set_xlabel("step")
        panel.grid(alpha=0.25)
        _fit_scale(panel, [r[term] for r in records if isinstance(r.get(term), (int, float))])
    if panels[0].has_data():
        panels[0].legend(frameon=False)
    figure.suptitle(title)
    figure.savefig(path, dpi=120)


def _fit_scale(panel: Any, values: Sequence[float]) -> None:
    # A loss that fell by more than ten times shows its end only on a logarithmic scale.
    positive = [value for value in values if value > 0]
    if positive and len(positive) == len(values) and max(positive) > 10 * min(positive):
        panel.set_yscale("log")
