"""What quantised bottlenecks have in common: discrete codes in place of continuous latents."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from aeplug.latents.gaussian import PointPosterior


@dataclass
class CodesPosterior(PointPosterior):
    """C codes an item, each one of ``entries``, of d numbers each.

    Attributes:
        z: what is decoded, ``(B, C x d)``, with straight-through gradient.
        codes: numbers of the entries, int64 ``(B, C)``.
        entries: how many there are.
        before: what was quantised, ``(B, C, d)``.
        chosen: the entries, ``(B, C, d)``, with gradient where they are learnt by it.

    Example:
        >>> codes, entries = torch.tensor([[0, 3], [1, 3]]), torch.randn(8, 4)
        >>> chosen = entries[codes]  # (B, C, d)
        >>> CodesPosterior(chosen.flatten(1), codes, 8, before=chosen, chosen=chosen).kl()
        tensor([[2.0794, 2.0794],
                [2.0794, 2.0794]])
    """

    codes: Tensor
    entries: int
    before: Tensor
    chosen: Tensor

    def kl(self) -> Tensor:
        """KL to the uniform prior over entries: ``log(entries)`` nats a code, ``(B, C)``."""
        return self.z.new_full(tuple(self.codes.shape), math.log(self.entries))

    def statistics(self) -> dict[str, Tensor]:
        """``mean`` ``(B, C x d)`` and ``codes`` int64 ``(B, C)``."""
        return {"mean": self.z, "codes": self.codes}


def pass_straight_through(before: Tensor, quantised: Tensor) -> Tensor:
    """The quantised values with the gradient of what they were made of (Bengio et al., 2013)."""
    return before + (quantised - before).detach()


def perplexity(codes: Tensor, entries: int) -> Tensor:
    """Effective number of entries in use in a batch of codes, 0-d: the exponential of entropy."""
    counts = torch.zeros(entries, device=codes.device)
    counts.index_add_(0, codes.flatten(), torch.ones(codes.numel(), device=codes.device))
    shares = counts / codes.numel()
    return torch.exp(-torch.xlogy(shares, shares).sum())
