"""Data for tasks that wait for a folder of the user's: documents that the codec itself writes."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from aeplug.config import TaskConfig
from aeplug.interfaces import Codec, DataShape

#: Few enough to be written at once, enough for three splits.
DOCUMENTS = 48


def write_documents(config: TaskConfig, shape: DataShape, folder: Path) -> None:
    """Write made-up documents of one piece each into ``folder``."""
    section = config.sections["codec"]
    codec: Codec = section.factory(section.config, shape)
    for number in range(DOCUMENTS):
        pieces = synthetic_items(shape, 1, seed=number)
        cond = {name: torch.zeros(1, dtype=torch.int64) for name in shape.conditions}
        codec.write(codec.join(pieces, cond, None), folder / f"made-up-{number:02}", {})


def synthetic_items(shape: DataShape, count: int, seed: int = 0) -> Tensor:
    """Items of a shape: smooth values in 0..1, float32, or tokens, int64; ``(count, *target)``."""
    generator = torch.Generator().manual_seed(seed)
    if shape.classes:
        return torch.randint(shape.classes, (count, *shape.target), generator=generator)
    sizes = shape.target[-2:]
    lead = shape.target[: -len(sizes)] if sizes else ()
    mode = "bilinear" if len(sizes) == 2 else "linear"
    layers = []
    for cells in (5, 20):  # large forms, and some detail that a coarser picture would lose
        coarse = torch.rand(
            count, math.prod(lead), *(min(cells, n) for n in sizes), generator=generator
        )
        layers.append(functional.interpolate(coarse, sizes, mode=mode, align_corners=True))
    return torch.lerp(layers[0], layers[1], 0.3).reshape(count, *shape.target)
