"""The curve of an error over the latent's size, caption PCA."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aeplug.runtime.figures import write_figure


def draw_error_curve(report: Mapping[str, Any], path: Path, title: str) -> None:
    """The squared error over the number of dimensions, PCA's and the model's, into a PNG.

    Args:
        report: figures of :func:`aeplug.evaluation.compare_with_pca`.
        path: of the picture.
        title: above it.

    Raises:
        FileError: it cannot be written.

    Example:
        >>> curve = {"dims": [1, 2, 4], "pca_squared_error": [46.0, 42.0, 36.0]}
        >>> report = {"curve": curve, "values": 784, "value_range": [0.0, 1.0]}
        >>> draw_error_curve(report, Path("errors.png"), "PCA of digits")
        >>> Path("errors.png").exists()
        True
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    panel = figure.subplots()
    dims: Sequence[int] = report["curve"]["dims"]
    panel.plot(dims, report["curve"]["pca_squared_error"], "o-", color="#6b7280", label="PCA")
    if "model_dims" in report:
        size, error = report["model_dims"], report["model_squared_error"]
        panel.plot([size], [error], "D", color="#c2410c", markersize=8, label="the model")
        caption = f"{error:.3g} with {size}"
        panel.annotate(caption, (size, error), (8, -4), textcoords="offset points", fontsize=9)
    panel.set_xscale("symlog", linthresh=4, linscale=0.5)
    panel.set_yscale("log")
    ticks = [tick for tick in (0, 1, 2, 4, 8, 16, 32, 64, 128, 256) if tick <= max(dims)]
    panel.set_xticks(ticks, [str(tick) for tick in ticks])
    panel.minorticks_off()
    panel.set_xlabel("dimensions")
    low, high = report["value_range"]
    panel.set_ylabel(f"squared error an item\n({report['values']} values in {low:g}..{high:g})")
    panel.grid(alpha=0.25)
    panel.legend(frameon=False)
    figure.suptitle(title, fontsize=11, parse_math=False)
    write_figure(figure, path)
