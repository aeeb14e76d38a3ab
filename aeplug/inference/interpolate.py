"""The way between two latents, and the surface between four."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from aeplug.errors import ConfigError

if TYPE_CHECKING:
    from aeplug.inference.generation import Model
    from aeplug.interfaces import Document, Sampling


def slerp(a: Tensor, b: Tensor, t: float) -> Tensor:
    """Spherical interpolation between rows of ``a`` and ``b``, ``(B, D)``; ``t`` in 0..1.

    Under a Gaussian prior it keeps to the shell on which draws lie; nearly parallel rows are
    interpolated along the straight line.
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


def between(corners: Sequence[Tensor], x: float, y: float, *, spherical: bool) -> Tensor:
    """A point of the surface between four latents: along the two rows first, then down.

    Args:
        corners: top left, top right, bottom left, bottom right, each ``(B, D)``.
        x: from left to right, 0..1.
        y: from top to bottom, 0..1.
        spherical: :func:`slerp`, else straight lines.

    Returns:
        ``(B, D)``.
    """
    way = slerp if spherical else torch.lerp
    a, b, c, d = corners
    found: Tensor = way(way(a, b, x), way(c, d, x), y)
    return found


@torch.no_grad()
def interpolate_grid(
    model: Model, corners: Sequence[Document], steps: int, sampling: Sampling
) -> list[list[Document]]:
    """``steps`` rows of ``steps`` documents between four, which stand at the corners.

    As between two (:meth:`Model.interpolate_documents`): piece by piece, cut
    to the shortest, spherical between Gaussian posteriors, else straight. Conditions,
    and what the decoder sees of the input, are those of the nearest corner, of two as near the
    first.

    Args:
        model: what decodes.
        corners: top left, top right, bottom left, bottom right.
        steps: at least 2, the corners included.
        sampling: how to decode.

    Raises:
        ConfigError: there are not four corners, or fewer than two steps.
    """
    from aeplug.data.batching import slice_batch

    if len(corners) != 4 or steps < 2:
        raise ConfigError(f"a grid needs 4 corners and 2 steps, got {len(corners)} and {steps}")
    ends = [model.pieces(document) for document in corners]
    count = min(len(end.input) for end in ends)
    ends = [slice_batch(end, slice(0, count)) for end in ends]
    codes = [model.posterior(end)[0].mode() for end in ends]
    grid = []
    for row in range(steps):
        documents = []
        for column in range(steps):
            x, y = column / (steps - 1), row / (steps - 1)
            z = between(codes, x, y, spherical=model.has_prior)
            nearest = 2 * (y > 0.5) + (x > 0.5)
            cond = ends[nearest].cond
            data = model.decode(z, cond, sampling, ends[nearest].input)
            documents.append(model.codec.join(data, cond, corners[nearest]))
        grid.append(documents)
    return grid
