"""Tensors, arrays and files as the batches that a model takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from aeplug.data.batching import concat_batches
from aeplug.errors import AeplugError
from aeplug.interfaces import AnySizeEncoder, Batch, supports
from aeplug.model import conditions
from aeplug.model.trained import TrainedModel

#: Items ``(B, *shape.input)`` as the model takes them, or files.
Items = Tensor | Path | str | Sequence[Path | str]


def prepare_items(model: TrainedModel, items: Items, cond: Mapping[str, Any] | None) -> Batch:
    """Items or files as one batch on the model's device, with every condition.

    Raises:
        AeplugError: items of another shape, tokens out of range, or none at all.
        FileError: a file cannot be read.
    """
    if hasattr(items, "__array__") and not isinstance(items, Tensor):
        items = torch.as_tensor(items)
    if isinstance(items, Tensor):
        return _prepare_tensor(model, items, cond)
    if isinstance(items, (str, Path)):
        items = [items]
    if len(items) == 0:
        raise AeplugError("no items were given")
    return concat_batches([model.pieces(model.read(item)) for item in items])


def _prepare_tensor(model: TrainedModel, items: Tensor, cond: Mapping[str, Any] | None) -> Batch:
    expected, classes = model.shape.input, model.shape.classes
    if supports(model.encoder, AnySizeEncoder) and items.ndim == 1 + len(expected):
        expected = (expected[0], *items.shape[2:])
    if tuple(items.shape[1:]) != expected:
        raise AeplugError(
            f"'{model.spec.name}' takes items of shape {expected}, got {tuple(items.shape[1:])}"
        )
    if len(items) == 0:
        raise AeplugError("no items were given")
    items = items.to(model.device, torch.int64 if classes else torch.float32)
    if classes and not 0 <= int(items.min()) <= int(items.max()) < classes:
        raise AeplugError(f"tokens are 0..{classes - 1}")
    encode = model.encode_conditions if conditions.can_infer(model.task) else model.conditions
    return conditions.complete_conditions(model.task, Batch(items, items, encode(cond, len(items))))
