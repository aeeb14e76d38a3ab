"""The curve of a training, as it is seen."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from aeplug.plots import curve
from aeplug.plots.curve import draw_curve
from aeplug.runtime import write_figure

BLUE = (31, 119, 180)


def count_blue(path) -> int:
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"), np.int16)
    return int((np.abs(pixels - BLUE).max(-1) < 40).sum())


@pytest.mark.parametrize("points", [1, 2])
def test_a_short_training_is_seen(tmp_path, monkeypatch, points):
    def write_without_legend(figure, path):
        figure.axes[0].get_legend().remove()  # which has a sample of the line
        write_figure(figure, path)

    monkeypatch.setattr(curve, "write_figure", write_without_legend)
    records = [{"step": n + 1, "split": "val", "loss": 0.5} for n in range(points)]
    draw_curve(records, tmp_path / "held-out.png", "a run")
    records += [{"step": n + 1, "split": "train", "loss": 0.4} for n in range(points)]
    draw_curve(records, tmp_path / "both.png", "a run")
    assert count_blue(tmp_path / "held-out.png") == 0
    assert count_blue(tmp_path / "both.png") > 10


def test_a_name_that_is_no_text_is_drawn(tmp_path):
    draw_curve([], tmp_path / "curve.png", "run-\udce9")
    assert (tmp_path / "curve.png").stat().st_size > 1000
