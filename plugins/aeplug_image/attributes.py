"""What can be measured of a drawing in light on dark, as digits are: slant, strokes, proportions.

All are smooth in the pixels, which count as ink by their value, so that a grey edge is a part of
a pixel; slant and proportions come from the moments of the ink (Hu, 1962), strokes from its
amount and its outline. Pictures of several channels are measured by their mean.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from aeplug.interfaces import Batch, DataShape

#: Sum of values below which a picture counts as empty.
LEAST_INK = 1.0


def slant(batch: Batch, shape: DataShape) -> Tensor:
    """How far strokes lean to the right of upright, degrees in -90..90, ``(B,)``.

    The angle of the shear that makes columns of ink upright, as MNIST is commonly deslanted.
    """
    _, vertical, mixed, ink = _moments(batch)
    # Rows are counted downwards.
    degrees = torch.rad2deg(torch.atan2(-mixed, vertical.clamp(min=1e-6)))
    return _mask_empty(degrees, ink)


def thickness(batch: Batch, shape: DataShape) -> Tensor:
    """Mean width of the strokes in pixels, ``(B,)``: twice the ink over its outline."""
    image = _grey(batch)
    ink = image.sum((1, 2))
    return _mask_empty(2 * ink / _outline(image).clamp(min=1e-6), ink)


def length(batch: Batch, shape: DataShape) -> Tensor:
    """Length of the strokes in pixels, ``(B,)``: half the outline, so ink over thickness."""
    image = _grey(batch)
    return _mask_empty(_outline(image) / 2, image.sum((1, 2)))


def size(batch: Batch, shape: DataShape) -> Tensor:
    """Geometric mean of the upright drawing's width and height in pixels, ``(B,)``.

    Width and height are those of an evenly filled box with the same spread of ink.
    """
    horizontal, vertical, _, ink = _moments(batch)
    return _mask_empty((144 * horizontal * vertical).clamp(min=0) ** 0.25, ink)


def aspect(batch: Batch, shape: DataShape) -> Tensor:
    """Width over height of the upright drawing, ``(B,)``; 1 is square."""
    horizontal, vertical, _, ink = _moments(batch)
    return _mask_empty((horizontal / vertical.clamp(min=1e-6)).clamp(min=0).sqrt(), ink)


def _grey(batch: Batch) -> Tensor:
    return batch.target.float().clamp(0, 1).mean(1)


def _mask_empty(value: Tensor, ink: Tensor) -> Tensor:
    return torch.where(ink >= LEAST_INK, value, torch.nan)


def _moments(batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Variance across once upright, variance down, covariance (pixels squared), sum of ink."""
    image = _grey(batch)
    y, x = (
        torch.arange(count, dtype=image.dtype, device=image.device) for count in image.shape[1:]
    )
    ink = image.sum((1, 2))
    share = image / ink.clamp(min=1e-6)[:, None, None]
    rows, columns = share.sum(2), share.sum(1)
    off_y = y - (rows @ y)[:, None]
    off_x = x - (columns @ x)[:, None]
    vertical, horizontal = (rows * off_y**2).sum(1), (columns * off_x**2).sum(1)
    mixed = torch.einsum("byx,by,bx->b", share, off_y, off_x)
    return horizontal - mixed**2 / vertical.clamp(min=1e-6), vertical, mixed, ink


def _outline(image: Tensor) -> Tensor:
    """Total variation ``(B, H, W)`` -> ``(B,)``: of a sharp drawing the length of its outline."""
    around = functional.pad(image, (1, 1, 1, 1))
    down = around[:, 1:, :-1] - around[:, :-1, :-1]
    right = around[:, :-1, 1:] - around[:, :-1, :-1]
    return (down.square() + right.square()).sqrt().sum((1, 2))
