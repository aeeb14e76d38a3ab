"""Attributes of drawings, on drawings whose attributes are known."""

from __future__ import annotations

import pytest
import torch

from aeplug.interfaces import Batch, DataShape
from aeplug_image.attributes import aspect, length, size, slant, thickness

SHAPE = DataShape((1, 28, 28), (1, 28, 28))


def bar(height, width, lean=0.0):
    """An upright bar, its rows shifted by ``lean`` pixels a row upwards."""
    image = torch.zeros(1, 1, 28, 28)
    top = 14 - height // 2
    for row in range(top, top + height):
        left = round(14 - width / 2 + lean * (14 - row))
        image[0, 0, row, left : left + width] = 1
    return image


def of(measure, *images):
    return measure(Batch(torch.cat(images), torch.cat(images)), SHAPE).tolist()


def test_slant_is_the_angle_of_the_shear_and_rightwards_is_positive():
    upright, right, left = of(slant, bar(20, 3), bar(20, 3, 0.5), bar(20, 3, -0.5))
    assert upright == pytest.approx(0, abs=0.5)
    assert right == pytest.approx(26.6, abs=1.5)
    assert left == pytest.approx(-26.6, abs=1.5)


def test_strokes():
    thin, thick = of(thickness, bar(20, 2), bar(20, 4))
    assert thin == pytest.approx(2, rel=0.15) and thick == pytest.approx(4, rel=0.25)
    assert of(length, bar(20, 2))[0] == pytest.approx(20, rel=0.15)
    # Grey strokes of the same shape are as thick.
    assert of(thickness, bar(20, 2) * 0.6)[0] == pytest.approx(thin, rel=0.01)


def test_proportions_do_not_depend_on_the_slant():
    square, wide, leaning = of(aspect, bar(12, 12), bar(6, 24), bar(12, 12, 0.5))
    assert square == pytest.approx(1, abs=0.01) and wide == pytest.approx(4, abs=0.1)
    assert leaning == pytest.approx(1, abs=0.06)
    assert of(size, bar(12, 12))[0] == pytest.approx(12, rel=0.02)


@pytest.mark.parametrize("measure", [slant, thickness, length, size, aspect])
def test_an_empty_picture_has_none(measure):
    empty, drawn = of(measure, torch.zeros(1, 1, 28, 28), bar(20, 3))
    assert empty != empty and drawn == drawn
