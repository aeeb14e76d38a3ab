"""A mixture of Gaussians for every place of a document."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

#: Least standard deviation of a component, in the data's own.
NARROWEST = 0.05


@dataclass
class Components:
    """A mixture for every place, of K components and one around each piece before.

    Attributes:
        weights: log, ``(B, L, K + L)``.
        mean, deviation: ``(B, L, K, D)``, in the data's own scale.
        near: ``(B, L, D)`` of each piece.
        around: ``(B, L, D)`` of each place.
        middle, spread: of the data, ``(D,)``.
    """

    weights: Tensor
    mean: Tensor
    deviation: Tensor
    near: Tensor
    around: Tensor
    middle: Tensor
    spread: Tensor

    def log_prob(self, z: Tensor) -> Tensor:
        """Log-density at ``(B, L, D)``, nats, ``(B, L)``."""
        z = (z - self.middle) / self.spread
        own = _log_normal(z.unsqueeze(2), self.mean, self.deviation)
        varied = _log_normal(z.unsqueeze(2), self.near.unsqueeze(1), self.around.unsqueeze(2))
        density: Tensor = (self.weights + torch.cat([own, varied], -1)).logsumexp(-1)
        return density - self.spread.log().sum()

    def sample(
        self,
        count: int,
        spread: float | Tensor,
        generator: torch.Generator | None,
        places: int = 0,
    ) -> Tensor:
        """``count`` draws for each of the last ``places`` (0: all), ``(B, places, count, D)``.

        ``spread`` scales a draw's distance from the middle of its component: of all, or of each,
        ``(count, 1)``.
        """
        weights, mean, deviation, around = (
            column[:, -places:] for column in (self.weights, self.mean, self.deviation, self.around)
        )
        batch, length, own, size = mean.shape
        chosen = torch.multinomial(
            weights.exp().flatten(0, 1), count, replacement=True, generator=generator
        ).view(batch, length, count)
        row = torch.arange(batch, device=chosen.device)[:, None, None]
        place = torch.arange(length, device=chosen.device)[:, None]
        is_own = (chosen < own).unsqueeze(-1)
        number, piece = chosen.clamp(max=own - 1), (chosen - own).clamp(min=0)
        middle = torch.where(is_own, mean[row, place, number], self.near[row, piece])
        scale = torch.where(is_own, deviation[row, place, number], around.unsqueeze(2))
        noise = torch.empty(batch, length, count, size, device=chosen.device)
        noise.normal_(generator=generator)
        return (middle + spread * scale * noise) * self.spread + self.middle


def _log_normal(z: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    scaled = (z - mean) / deviation
    constant = 0.5 * z.shape[-1] * math.log(2 * math.pi)
    density: Tensor = -0.5 * scaled.square().sum(-1) - deviation.log().sum(-1) - constant
    return density
