"""Ways between latents: from one to another, and over the surface between four."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def slerp(a: Tensor, b: Tensor, t: float) -> Tensor:
    """Spherical interpolation between rows of ``a`` and ``b``, ``(B, D)``; ``t`` in 0..1.

    Under a Gaussian prior it keeps to the shell on which draws lie (White, 2016); nearly parallel
    rows are interpolated along the straight line.

    Example:
        >>> slerp(torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 2.0]]), 0.5)
        tensor([[1.4142, 1.4142]])
    """
    flat_a, flat_b = a.flatten(1), b.flatten(1)
    cosine = torch.nn.functional.cosine_similarity(flat_a, flat_b, dim=1).clamp(-1, 1)
    angle = torch.arccos(cosine).unsqueeze(1)
    sine = torch.sin(angle)
    straight = sine < 1e-4
    safe = torch.where(straight, torch.ones_like(sine), sine)
    weight_a = torch.where(straight, 1 - t, torch.sin((1 - t) * angle) / safe)
    weight_b = torch.where(straight, t, torch.sin(t * angle) / safe)
    return (weight_a * flat_a + weight_b * flat_b).reshape(a.shape)


def interpolate_latents(a: Tensor, b: Tensor, t: float, *, spherical: bool) -> Tensor:
    """The latent ``(B, ...)`` at ``t``, 0..1, from ``a`` to ``b``: spherical, or straight.

    Example:
        >>> a, b = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 2.0]])
        >>> interpolate_latents(a, b, 0.5, spherical=False)
        tensor([[1., 1.]])
    """
    return slerp(a, b, t) if spherical else torch.lerp(a, b, t)


def interpolate_corners(
    corners: Sequence[Tensor], x: float, y: float, *, spherical: bool
) -> Tensor:
    """A point of the surface between four latents: along the two rows first, then down.

    Args:
        corners: top left, top right, bottom left, bottom right, each ``(B, D)``.
        x: from left to right, 0..1.
        y: from top to bottom, 0..1.
        spherical: :func:`slerp`, else straight lines.

    Returns:
        ``(B, D)``.
    """
    a, b, c, d = corners
    top = interpolate_latents(a, b, x, spherical=spherical)
    bottom = interpolate_latents(c, d, x, spherical=spherical)
    return interpolate_latents(top, bottom, y, spherical=spherical)
