"""Conditions: classes that a model is told beside its input, such as a metre or a digit.

A user's file may not say them. Where the encoder looks at no condition, z is the same under each
class, and the class that makes the item likeliest is as good as told: see :func:`infer_conditions`.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from aeplug.data.batching import concat_batches, iter_chunks
from aeplug.errors import ConfigError, list_choices, nearest
from aeplug.interfaces import Batch, ConditionBlindEncoder, supports

if TYPE_CHECKING:
    from aeplug.model.task import Task


#: Classes that an error lists; of more the nearest name is given.
FEW_CLASSES = 24


class ConditionEmbedding(nn.Module):
    """The sum of a learnt vector for each condition, to be added to a hidden layer.

    Args:
        conditions: condition's name -> names of its classes.
        width: of the vectors.

    Example:
        >>> embedding = ConditionEmbedding({"digit": tuple("0123456789")}, width=64)
        >>> embedding(torch.zeros(2, 64), {"digit": torch.tensor([3, 5])}).shape
        torch.Size([2, 64])
    """

    def __init__(self, conditions: Mapping[str, tuple[str, ...]], width: int) -> None:
        super().__init__()
        tables = {name: nn.Embedding(len(each), width) for name, each in conditions.items()}
        # Rows of N(0, 1), torch's own start: the class is heard beside z from the first step.
        self.tables = nn.ModuleDict(tables)

    def forward(self, hidden: Tensor, cond: Mapping[str, Tensor]) -> Tensor:
        """``(B, width)`` and classes int64 ``(B,)`` by condition -> ``(B, width)``."""
        for name, table in self.tables.items():
            hidden = hidden + table(cond[name])
        return hidden


def encode_classes(
    conditions: Mapping[str, tuple[str, ...]],
    given: Mapping[str, Any],
    count: int,
    whose: str,
) -> dict[str, Tensor]:
    """Classes as int64 ``(count,)``, of the conditions that are given.

    Args:
        conditions: condition's name -> names of its classes.
        given: condition's name -> class name, number, or int64 ``(count,)``.
        count: of items.
        whose: the task's name, for messages.

    Raises:
        ConfigError: an unknown condition or class.
    """
    found: dict[str, Tensor] = {}
    for name, value in given.items():
        if name not in conditions:
            raise ConfigError(f"'{whose}' takes no condition '{name}'. {nearest(name, conditions)}")
        classes = conditions[name]
        if isinstance(value, str):
            if value not in classes:
                few = len(classes) <= FEW_CLASSES
                hint = f"{list_choices(classes)}." if few else nearest(value, classes)
                raise ConfigError(f"{name} has no class '{value}'. {hint}")
            value = classes.index(value)
        if not isinstance(value, Tensor):
            value = torch.full((count,), int(value), dtype=torch.int64)
        if len(value) and not 0 <= int(value.min()) <= int(value.max()) < len(classes):
            raise ConfigError(f"{name} has {len(classes)} classes, got number {value.max()}")
        found[name] = value
    return found


def can_infer(task: Task) -> bool:
    """Whether a class that is not told can be found by :func:`inferred`."""
    return supports(task.encoder, ConditionBlindEncoder)


@torch.no_grad()
def infer_conditions(task: Task, batch: Batch) -> Batch:
    """The batch with the classes it leaves open: those under which its items are likeliest.

    Raises:
        ConfigError: the encoder looks at conditions, so that they must be told.
    """
    left = {n: classes for n, classes in task.shape.conditions.items() if n not in batch.cond}
    if not left:
        return batch
    if not can_infer(task):
        raise ConfigError(f"the condition {', '.join(left)} must be told: the encoder looks at it")
    posterior, context = task.encode(batch.input, batch.context(with_target=True))
    z, count, device = posterior.mode(), len(batch.input), batch.input.device
    schedule_values = task.new_schedule_values(device)
    all_classes = list(itertools.product(*(range(len(classes)) for classes in left.values())))
    costs = []
    for classes in all_classes:
        tried = {
            name: torch.full((count,), one, device=device)
            for name, one in zip(left, classes, strict=True)
        }
        cond = {**batch.cond, **tried}
        output = task.decoder(z, replace(context, cond=cond), schedule_values)
        costs.append(task.loss.nll(output, replace(batch, cond=cond)))
    best = torch.stack(costs).argmin(0)
    chosen = torch.tensor(all_classes, device=device)[best]
    return replace(batch, cond={**batch.cond, **dict(zip(left, chosen.T, strict=True))})


def complete_conditions(task: Task, batch: Batch) -> Batch:
    """The batch with every condition, inferred where its rows do not tell it."""
    if set(task.shape.conditions) <= set(batch.cond):
        return batch
    return concat_batches([infer_conditions(task, part) for part in iter_chunks(batch)])
