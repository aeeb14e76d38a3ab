"""Whole performances as sequences of windows, for priors over sequences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from aeplug.interfaces import RawBatch
from aeplug_music.drums.augmentation import SWAPS
from aeplug_music.drums.kit import BAR, DRUMS, METRE
from aeplug_music.drums.performance import Performance, cut_windows

#: Probability that two drums of a performance swap their parts, where it is altered.
_SWAPPED = 0.25


def performance_windows(
    performances: Sequence[Performance], bars: int, generator: torch.Generator | None = None
) -> tuple[RawBatch, Tensor]:
    """Cut the passages in 4/4 of each performance into consecutive windows.

    Args:
        performances: what is cut; those without a whole window are left out.
        bars: of a window.
        generator: the first window of each begins at a random bar, as far as that loses no whole
            window, and in a quarter of them two drums swap their parts; None: as they are.

    Returns:
        Columns ``velocity`` uint8 and ``offset`` int8 ``(N, T, 9)``; and the number of windows of
        each performance, int64 ``(M,)``.
    """
    columns: list[tuple[np.ndarray, np.ndarray]] = []
    counts: list[int] = []
    for performance in performances:
        windows = _cut_whole(performance, bars, generator)
        if not windows:
            continue
        velocity, offset = (np.concatenate(column) for column in zip(*windows, strict=True))
        if generator is not None and float(torch.rand((), generator=generator)) < _SWAPPED:
            drums = _draw_swap(generator)
            velocity, offset = velocity[..., drums], offset[..., drums]
        columns.append((velocity, offset))
        counts.append(len(velocity))
    empty = np.zeros((0, bars * BAR, DRUMS))
    velocity, offset = (
        np.concatenate([empty.astype(kind), *(pair[place] for pair in columns)])
        for place, kind in enumerate((np.uint8, np.int8))
    )
    raw = {"velocity": torch.from_numpy(velocity), "offset": torch.from_numpy(offset)}
    return raw, torch.tensor(counts, dtype=torch.int64)


def _cut_whole(
    performance: Performance, bars: int, generator: torch.Generator | None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Velocities and offsets of the whole windows of each passage in 4/4, ``(n, T, 9)``."""
    windows = []
    for passage in performance.passages:
        spare = passage.steps // BAR % bars
        if passage.metre != METRE or passage.steps < bars * BAR:
            continue
        first = 0
        if generator is not None:
            first = int(torch.randint(spare + 1, (), generator=generator))
        velocity, offset, _ = cut_windows(passage, bars, slide=1)
        windows.append((velocity[first::bars], offset[first::bars]))
    return windows


def _draw_swap(generator: torch.Generator) -> list[int]:
    """Number of the drum whose part each drum gets, ``(9,)``."""
    swap = SWAPS[int(torch.randint(len(SWAPS), (), generator=generator))]
    return [swap.get(drum, drum) for drum in range(DRUMS)]
