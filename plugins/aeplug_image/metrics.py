"""Figures of image quality, a value an image, on the device."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["psnr_db", "ssim"]


def mse(images: Tensor, targets: Tensor) -> Tensor:
    """Mean squared error of a pixel, ``(B,)``, for ``(B, C, H, W)`` in 0..1."""
    return (images - targets).square().flatten(1).mean(1)


def psnr_db(images: Tensor, targets: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB, ``(B,)``, peak 1; 100 dB where nothing differs.

    Example:
        >>> images = torch.zeros(2, 1, 8, 8)
        >>> psnr_db(images, images + torch.tensor([0.0, 0.5]).reshape(2, 1, 1, 1))
        tensor([100.0000,   6.0206])
    """
    return -10 * torch.log10(mse(images, targets).clamp(min=1e-10))


def ssim(images: Tensor, targets: Tensor) -> Tensor:
    """Structural similarity, ``(B,)``, for ``(B, C, H, W)`` in 0..1 (Wang et al., TIP 2004).

    Gaussian window of 11x11 pixels with sigma 1.5, over positions where it lies inside the
    image; images smaller than that get a window of their own size.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> ssim(images, images)
        tensor([1., 1.])
    """
    size = min(11, *images.shape[-2:])
    distance = torch.arange(size, device=images.device, dtype=torch.float32) - (size - 1) / 2
    line = torch.exp(-distance.square() / (2 * 1.5**2))
    line = line / line.sum()
    channels = images.shape[1]
    column = line.reshape(1, 1, size, 1).expand(channels, 1, size, 1)
    row = line.reshape(1, 1, 1, size).expand(channels, 1, 1, size)

    def blur(x: Tensor) -> Tensor:
        return functional.conv2d(
            functional.conv2d(x, column, groups=channels), row, groups=channels
        )

    mean_a, mean_b = blur(images), blur(targets)
    variance_a = blur(images.square()) - mean_a.square()
    variance_b = blur(targets.square()) - mean_b.square()
    covariance = blur(images * targets) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    similarity = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    similarity = similarity / (
        (mean_a.square() + mean_b.square() + c1) * (variance_a + variance_b + c2)
    )
    return similarity.flatten(1).mean(1)
