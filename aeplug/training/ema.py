"""EMA of a model's weights; a file of its own, so that its name is found in the tree."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import nn

Model = TypeVar("Model", bound=nn.Module)


def ema_copy(model: Model) -> Model:
    """A copy of a model for the average of its weights, without gradient."""
    return copy.deepcopy(model).requires_grad_(False)


@torch.no_grad()
def update_ema(average: nn.Module, model: nn.Module, decay: float, step: int) -> None:
    """Move the average a step towards the model; buffers are copied.

    Args:
        average: from :func:`ema_copy`.
        model: in training.
        decay: of the average per step.
        step: from 0; the decay is smaller in the first steps, so that the random initial weights
            are forgotten.
    """
    decay = min(decay, (step + 1) / (step + 10))
    torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1 - decay)
    for mean, latest in zip(average.buffers(), model.buffers(), strict=True):
        mean.copy_(latest)
