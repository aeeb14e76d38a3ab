"""Printed letters in MNIST's form."""

from __future__ import annotations

import pytest
import torch

from aeplug_image.datasets.letters import FONTS, LETTERS, Letters, LettersConfig


@pytest.fixture(scope="module")
def upright():
    columns = Letters(LettersConfig(copies=1, affine=0.0)).split("test").columns
    return columns["image"].float() / 255, columns["label"]


def test_each_letter_in_each_font_is_ink_on_black(upright):
    images, labels = upright
    assert images.shape == (len(LETTERS) * len(FONTS), 1, 28, 28)
    assert labels.bincount().tolist() == [len(FONTS)] * len(LETTERS)
    assert float(images.amax((1, 2, 3)).min()) > 0.8
    shares = (images > 0.5).float().mean((1, 2, 3))
    assert float(shares.min()) > 0.015
    assert float(shares.max()) < 0.5
    assert float(images[:, :, [0, -1]].max()) == 0.0  # nothing is cut off


def test_form_is_mnists(upright):
    """A box of 20, and the centre of mass in the middle, as far as whole pixels go."""
    images = upright[0][:, 0]
    places = torch.arange(28.0)
    extents = []
    for axis in (1, 2):
        ink = images.sum(3 - axis)
        centre = (ink * places).sum(1) / ink.sum(1)
        assert float((centre - 13.5).abs().max()) <= 1.0
        inked = torch.where(ink > 0, places, torch.nan)
        low, high = inked.nan_to_num(99).amin(1), inked.nan_to_num(-1).amax(1)
        extents.append(high - low + 1)
    longest = torch.maximum(*extents)
    assert float(longest.max()) == 20
    assert float(longest.min()) >= 19


def test_splits_are_turned_differently_and_always_the_same():
    letters = Letters(LettersConfig(copies=1))
    test = letters.split("test").columns["image"]
    assert torch.equal(test, letters.split("test").columns["image"])
    assert not torch.equal(test, letters.split("train").columns["image"])
