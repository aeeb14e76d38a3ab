"""From stored pixels to a batch: normalise, and in training augment, on the device."""

from __future__ import annotations

import math
from typing import Literal

import torch
from pydantic import model_validator
from torch import Tensor
from torch.nn import functional

from aeplug.config import PartConfig, setting
from aeplug.interfaces import Batch, DataShape, RawBatch
from aeplug_image.binarise import fix_binary, sample_binary

__all__ = ["normalise"]


class PrepareConfig(PartConfig):
    """Settings of augmentation and binarisation."""

    affine: float = setting(
        0.0,
        "strength of random affine maps in training: at 1 up to 10 degrees, 10 % of scale and "
        "shear, and shifts of a 14th of the side; 0 is off",
        ge=0,
    )
    affine_share: float = setting(0.5, "share of images under such a map", gt=0, le=1)
    affine_undone: bool = setting(
        False,
        "the target is the image before the affine map: the latent then holds shape, not pose",
    )
    binarise: Literal["none", "dynamic", "static"] = setting(
        "none",
        "black and white pixels, white with probability = grey level; dynamic: drawn anew at each "
        "training step; static: one draw an image. Both are evaluated on that one draw",
    )

    @model_validator(mode="after")
    def _agree(self) -> PrepareConfig:
        if self.binarise == "static" and self.affine:
            raise ValueError("images that move have no one draw: affine=0, or binarise=dynamic")
        if self.binarise != "none" and self.affine_undone:
            raise ValueError("affine_undone needs grey pixels: binarise=none")
        return self


class PrepareImages:
    """Column ``image`` -> input and target alike: an autoencoder's batch.

    With ``affine_undone`` a denoising autoencoder's (Vincent et al., ICML 2008), whose noise is
    that the image moves.

    A data set's conditions are columns of their names.
    """

    Config = PrepareConfig

    def __init__(self, config: PrepareConfig, shape: DataShape) -> None:
        self.config = config
        self.conditions = tuple(shape.conditions)
        self.facts = {"binarisation": config.binarise}

    def __call__(self, raw: RawBatch, generator: torch.Generator, training: bool) -> Batch:
        """``image`` ``(B, C, H, W)``, uint8 or float in 0..1 -> float32 in 0..1."""
        images = normalise(raw["image"])
        before = images
        if training and self.config.affine:
            # Rows come in random order: the first ones are as good as any.
            count = round(len(images) * self.config.affine_share)
            moved = random_affine(images[:count], self.config.affine, generator)
            images = torch.cat([moved, images[count:]])
        if self.config.binarise != "none":
            anew = training and self.config.binarise == "dynamic"
            images = sample_binary(images, generator) if anew else fix_binary(images)
        # Files tell no class.
        cond = {name: raw[name].long() for name in self.conditions if name in raw}
        target = before if self.config.affine_undone else images
        return Batch(input=images, target=target, cond=cond)


def normalise(images: Tensor) -> Tensor:
    """uint8 0..255 -> float32 0..1; floats are taken to be in 0..1 already.

    Example:
        >>> normalise(torch.tensor([0, 51, 255], dtype=torch.uint8))
        tensor([0.0000, 0.2000, 1.0000])
    """
    if images.dtype == torch.uint8:
        return images.float().div_(255)
    return images.float()


def random_affine(images: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Each image ``(B, C, H, W)`` under an affine map of its own; the outside is black."""
    count, device = len(images), images.device

    def draw(limit: float) -> Tensor:
        return (torch.rand(count, device=device, generator=generator) * 2 - 1) * limit * strength

    angle, shear = draw(math.pi / 18), draw(0.1)
    scale_x, scale_y = torch.exp(draw(0.1)), torch.exp(draw(0.1))
    shift_x, shift_y = draw(2 / 14), draw(2 / 14)  # the grid's side is 2
    cosine, sine = torch.cos(angle), torch.sin(angle)
    maps = torch.stack(
        [
            torch.stack([cosine * scale_x, (shear - sine) * scale_y, shift_x], 1),
            torch.stack([sine * scale_x, cosine * scale_y, shift_y], 1),
        ],
        1,
    )
    grid = functional.affine_grid(maps, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)
