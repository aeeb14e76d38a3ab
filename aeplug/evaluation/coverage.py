"""How much of data a model is trusted with: what its guard would not pass through."""

from __future__ import annotations

import torch

from aeplug.interfaces import ComparableCodec, Split, supports
from aeplug.model.model import Model


@torch.no_grad()
def measure_coverage(model: Model, split: Split) -> float | None:
    """Share of a split's items, the blank ones left out, that ``reconstruct`` gives back.

    Those are within the bound of the task's guard; None: it has none, or every item is blank.

    Example:
        >>> from aeplug.data import first_items, open_dataset
        >>> model = aeplug.load("drums-2bar", device="cpu")
        >>> split = first_items(open_dataset(model.config).split("test"), 20)
        >>> measure_coverage(model, split) > 0.9
        True
    """
    codec, guard = model.codec, model.guard
    if guard is None or guard.reconstruct is None or not supports(codec, ComparableCodec):
        return None
    near = items = 0
    for batch in model.batches(split):
        made = model.reconstruct_batch(batch).cpu()
        target = batch.target.cpu()
        cond = {name: value.cpu() for name, value in batch.cond.items()}
        heard = ~codec.is_blank(target, cond)
        near += int(((codec.distance(target, made, cond) <= guard.reconstruct) & heard).sum())
        items += int(heard.sum())
    return near / items if items else None
