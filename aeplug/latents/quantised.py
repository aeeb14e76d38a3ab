"""What quantised bottlenecks have in common: codes of a finite set in place of free numbers."""

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
        z: what is decoded, ``(B, C x d)``; gradient goes through as if nothing were rounded.
        codes: numbers of the entries, int64 ``(B, C)``.
        entries: how many there are.
        before: what was quantised, ``(B, C, d)``.
        chosen: the entries, ``(B, C, d)``, with gradient where they are learnt by it.
    """

    codes: Tensor
    entries: int
    before: Tensor
    chosen: Tensor

    def kl(self) -> Tensor:
        """What it takes to write a code down, ``log(entries)`` nats, ``(B, C)``."""
        return self.z.new_full(tuple(self.codes.shape), math.log(self.entries))

    def statistics(self) -> dict[str, Tensor]:
        """``mean`` ``(B, C x d)`` and ``codes`` int64 ``(B, C)``."""
        return {"mean": self.z, "codes": self.codes}


def passed_through(before: Tensor, quantised: Tensor) -> Tensor:
    """The quantised values with the gradient of what they were made of (Bengio et al., 2013)."""
    return before + (quantised - before).detach()


def perplexity(codes: Tensor, entries: int) -> Tensor:
    """How many entries are at work in a batch of codes, 0-d: the exponential of their entropy."""
    counts = torch.zeros(entries, device=codes.device)
    counts.index_add_(0, codes.flatten(), torch.ones(codes.numel(), device=codes.device))
    shares = counts / codes.numel()
    return torch.exp(-torch.xlogy(shares, shares).sum())
