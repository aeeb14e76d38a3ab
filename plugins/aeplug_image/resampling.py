"""Bicubic resampling, once, so that nets, files and figures have one kernel: Matlab's."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

__all__ = ["downscale"]


def upscale(images: Tensor, scale: int) -> Tensor:
    """``(B, C, H, W)`` enlarged by bicubic with a = -0.5, Matlab's and Pillow's kernel."""
    if scale == 1:
        return images
    # `antialias` chooses that kernel; torch's own has a = -0.75.
    return functional.interpolate(images, scale_factor=scale, mode="bicubic", antialias=True)


def downscale(images: Tensor, scale: int) -> Tensor:
    """``(B, C, H, W)`` reduced by antialiased bicubic with a = -0.5; sides are multiples.

    Example:
        >>> downscale(torch.ones(2, 3, 8, 12), 4).shape
        torch.Size([2, 3, 2, 3])
    """
    height, width = images.shape[-2:]
    size = (height // scale, width // scale)
    return functional.interpolate(images, size, mode="bicubic", antialias=True)
