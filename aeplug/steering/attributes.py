"""Attributes: quantities that can be measured of a model's items, such as a digit's slant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from aeplug.errors import ConfigError, nearest
from aeplug.interfaces import Batch
from aeplug.plugins.specs import AttributeSpec, TaskSpec, load_attribute

if TYPE_CHECKING:
    from aeplug.model.model import Model


def find_attribute(task: TaskSpec, name: str) -> AttributeSpec:
    """A task's attribute by name.

    Raises:
        ConfigError: it has none of this name.
    """
    for one in task.attributes:
        if one.name == name:
            return one
    hint = nearest(name, (one.name for one in task.attributes))
    raise ConfigError(f"'{task.name}' has no attribute '{name}'. {hint}")


@torch.no_grad()
def measure(model: Model, data: Tensor, cond: Mapping[str, Tensor]) -> Tensor:
    """All attributes of a model's task, in their own units.

    Args:
        model: whose task.
        data: items ``(B, *shape.target)``.
        cond: their conditions, name -> int64 ``(B,)``.

    Returns:
        float32 ``(B, K)`` in the order of ``model.spec.attributes``; NaN where an item has no
        such thing.
    """
    here = {name: value.to(data.device) for name, value in cond.items()}
    batch = Batch(data, data, here)
    columns = [load_attribute(one.measure)(batch, model.shape) for one in model.spec.attributes]
    return (
        torch.stack([one.float() for one in columns], 1)
        if columns
        else data.new_zeros(len(data), 0)
    )
