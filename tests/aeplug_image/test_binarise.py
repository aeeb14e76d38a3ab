"""Binarisation: as white as grey says, drawn anew or once and for all."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from aeplug.interfaces import Batch, DataShape
from aeplug_image.binarise import fix_binary, sample_binary
from aeplug_image.datasets.mnist import MNIST, MNISTConfig
from aeplug_image.prepare import PrepareConfig, PrepareImages

SHAPE = DataShape((1, 28, 28), (1, 28, 28))


@pytest.fixture(scope="module")
def digits() -> torch.Tensor:
    return MNIST(MNISTConfig()).split("test").take(torch.arange(400))["image"]


def prepared(digits: torch.Tensor, kind: str, training: bool, seed: int = 0) -> Batch:
    prepare = PrepareImages(PrepareConfig(binarise=kind), SHAPE)
    return prepare({"image": digits}, torch.Generator().manual_seed(seed), training)


def test_pixels_are_white_as_often_as_grey_says() -> None:
    grey = torch.linspace(0, 1, 256).reshape(1, 1, 16, 16)
    # Each picture with a corner of its own, since like pictures have like draws.
    pictures = grey.repeat(4000, 1, 1, 1)
    pictures[:, 0, 0, :12] = torch.rand(4000, 12, generator=torch.Generator().manual_seed(1))
    for draw in (fix_binary(pictures), sample_binary(pictures, torch.Generator().manual_seed(0))):
        assert set(draw.unique().tolist()) == {0.0, 1.0}
        share = draw.mean(0, keepdim=True)[..., 1:, :]
        assert (share - grey[..., 1:, :]).abs().max() < 0.04  # 5 standard deviations
        # Pixels know nothing of their neighbours.
        off = draw[:, 0, 4:12, 8] - grey[0, 0, 4:12, 8]
        correlation = torch.corrcoef(off.T) - torch.eye(8)
        assert correlation.abs().max() < 0.09


def test_black_stays_black_and_white_white() -> None:
    extremes = torch.tensor([0.0, 1.0]).reshape(1, 1, 1, 2).repeat(3000, 1, 5, 1)
    assert torch.equal(fix_binary(extremes), extremes)
    assert torch.equal(sample_binary(extremes, torch.Generator()), extremes)


def test_the_one_draw_is_the_images_own(digits: torch.Tensor) -> None:
    whole = prepared(digits, "static", training=True).input
    for training in (True, False):
        for seed in (0, 1):
            again = prepared(digits[100:200], "static", training, seed)
            assert again.input is again.target
            assert torch.equal(again.input, whole[100:200])
    # Pinned: figures of one release must compare with those of another.
    assert int(whole.sum()) == 37323
    assert abs(whole.mean() - digits.float().mean() / 255) < 2e-3


def test_dynamic_is_drawn_anew_in_training_and_once_in_evaluation(digits: torch.Tensor) -> None:
    first, again = (prepared(digits, "dynamic", True, seed).input for seed in (0, 1))
    assert 0.01 < (first != again).float().mean() < 0.1
    assert torch.equal(first, prepared(digits, "dynamic", True, 0).input)
    evaluated = prepared(digits, "dynamic", False, 5).input
    assert torch.equal(evaluated, prepared(digits, "static", False).input)


def test_off_by_default_and_not_with_moving_images(digits: torch.Tensor) -> None:
    assert prepared(digits, "none", True).input.unique().numel() > 2
    assert PrepareConfig().binarise == "none"
    with pytest.raises(ValidationError, match="have no one draw: affine=0, or binarise=dynamic"):
        PrepareConfig(binarise="static", affine=0.5)
    moving = PrepareImages(PrepareConfig(binarise="dynamic", affine=1.0), SHAPE)
    found = moving({"image": digits}, torch.Generator().manual_seed(0), True).input
    assert set(found.unique().tolist()) == {0.0, 1.0}
