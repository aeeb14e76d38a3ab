"""A past with errors in it, for decoders that are taught with a true one.

With teacher forcing a decoder learns to trust the steps before its own more than its latent; where
it goes on from steps of its own, one error then brings the next. So in training some of the past is
another window's (word dropout, as Bowman et al., CoNLL 2016, have it for sentences, with what might
have stood there in place of a blank).
"""

from __future__ import annotations

import torch
from torch import Tensor


def corrupt_history(past: Tensor, share: float) -> Tensor:
    """Windows some of whose values are those of another window of the batch at the same step.

    Args:
        past: ``(B, T)``, or ``(B, T, parts, ...)`` of which a part goes as a whole; any dtype.
        share: of the parts that are another's, in the mean; each window has its own, evenly
            between none and twice as many.
    """
    parts = past.shape[:3]
    rate = 2 * share * torch.rand(len(past), *(1,) * (len(parts) - 1), device=past.device)
    wrong = torch.rand(parts, device=past.device) < rate
    wrong = wrong.reshape(*parts, *(1,) * (past.dim() - len(parts)))
    return torch.where(wrong, past[torch.randperm(len(past), device=past.device)], past)
