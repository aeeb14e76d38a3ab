"""Bars of a window of melody, and its valid steps in each metre."""

from __future__ import annotations

import torch
from torch import Tensor

from aeplug.interfaces import DataShape
from aeplug_music.score.metres import longest_bar, window_lengths
from aeplug_music.score.tokens import CLASSES


def count_bars(shape: DataShape) -> int:
    """Number of bars of a window, from its steps and its longest metre.

    Raises:
        ValueError: the items are not windows of melodies.
    """
    metres = shape.conditions.get("metre", ())
    if len(shape.target) != 1 or shape.classes != CLASSES or not metres:
        raise ValueError(
            f"melody parts take windows of {CLASSES} classes with the condition 'metre', "
            f"got items of shape {shape.target} with {shape.classes} classes"
        )
    return shape.target[0] // longest_bar(metres)


def lengths_by_metre(shape: DataShape) -> Tensor:
    """Valid steps of a window in each metre, int64 ``(number of metres,)``."""
    return torch.tensor(window_lengths(shape.conditions["metre"], count_bars(shape)))


def step_mask(lengths: Tensor, steps: int) -> Tensor:
    """Valid steps, bool ``(B, steps)``, of windows of lengths int64 ``(B,)``."""
    return torch.arange(steps, device=lengths.device) < lengths.unsqueeze(1)
