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

    Example:
        >>> find_attribute(model.spec, "slant").unit
        'degrees'
    """
    for attribute in task.attributes:
        if attribute.name == name:
            return attribute
    hint = nearest(name, (attribute.name for attribute in task.attributes))
    raise ConfigError(f"'{task.name}' has no attribute '{name}'. {hint}")


@torch.no_grad()
def measure_attributes(model: Model, data: Tensor, cond: Mapping[str, Tensor]) -> Tensor:
    """All attributes of a model's task, in their own units.

    Args:
        model: whose task.
        data: items ``(B, *shape.target)``.
        cond: their conditions, name -> int64 ``(B,)``.

    Returns:
        float32 ``(B, K)`` in the order of ``model.spec.attributes``; NaN where an item has no
        such thing.

    Example:
        >>> measure_attributes(model, model.sample(4, seed=1), {}).shape
        torch.Size([4, 5])
    """
    batch = Batch(data, data, {name: classes.to(data.device) for name, classes in cond.items()})
    columns = [
        load_attribute(attribute.measure)(batch, model.shape).float()
        for attribute in model.spec.attributes
    ]
    return torch.stack(columns, 1) if columns else data.new_zeros(len(data), 0)
