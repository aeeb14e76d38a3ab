"""EMA of a model's weights; a file of its own, so that its name is found in the tree."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import nn

Model = TypeVar("Model", bound=nn.Module)


def ema_copy(model: Model) -> Model:
    """A copy to hold the average, without gradient."""
    return copy.deepcopy(model).requires_grad_(False)


@torch.no_grad()
def update_ema(average: nn.Module, model: nn.Module, decay: float, step: int) -> None:
    """Move the average a step towards the model; what is no weight is taken over as it is.

    Args:
        average: from :func:`ema_copy`.
        model: in training.
        decay: a step.
        step: from 0; early on the average follows faster, else it would remember the random start.
    """
    decay = min(decay, (step + 1) / (step + 10))
    torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1 - decay)
    for kept, new in zip(average.buffers(), model.buffers(), strict=True):
        kept.copy_(new)
