"""Attributes of windows of drums: density, syncopation, instruments, loudness, timing.

Computed from combinations ``(B, T)`` or values ``(B, T, 27)``; NaN where a window has no hits to
measure.
"""

from __future__ import annotations

import torch
from torch import Tensor

from aeplug.interfaces import Batch, DataShape
from aeplug_music.drums.kit import (
    BAR,
    CLOSED_HAT,
    DRUMS,
    HIGH_TOM,
    KICK,
    LOW_TOM,
    MAX_VELOCITY,
    MID_TOM,
    OPEN_HAT,
    RIDE,
    SNARE,
)
from aeplug_music.drums.window_shape import combination_to_bits, count_bars


def hits_per_bar(batch: Batch, shape: DataShape) -> Tensor:
    """Hits per bar, ``(B,)``."""
    return _hits(batch).flatten(1).sum(1) / count_bars(shape)


def off_beat(batch: Batch, shape: DataShape) -> Tensor:
    """Share of the hits that are not on an eighth, ``(B,)``."""
    by_step = _hits(batch).sum(2)
    return by_step[:, 1::2].sum(1) / by_step.sum(1)


def drums_used(batch: Batch, shape: DataShape) -> Tensor:
    """Number of drums that are hit, ``(B,)``."""
    return _hits(batch).any(1).sum(1).float()


def change(batch: Batch, shape: DataShape) -> Tensor:
    """Share of the positions hit in a bar or the next that are hit in only one, ``(B,)``.

    0 if all bars are equal, NaN if there is only one bar.
    """
    bars = _hits(batch).unflatten(1, (-1, BAR))
    before, after = bars[:, :-1] > 0, bars[:, 1:] > 0
    return (before ^ after).flatten(1).sum(1) / (before | after).flatten(1).sum(1)


def kick(batch: Batch, shape: DataShape) -> Tensor:
    """Share of the kick in the hits, ``(B,)``."""
    return _share(batch, (KICK,), tuple(range(DRUMS)))


def snare(batch: Batch, shape: DataShape) -> Tensor:
    """Share of the snare in the hits, ``(B,)``."""
    return _share(batch, (SNARE,), tuple(range(DRUMS)))


def toms(batch: Batch, shape: DataShape) -> Tensor:
    """Share of toms in the hits, ``(B,)``."""
    return _share(batch, (LOW_TOM, MID_TOM, HIGH_TOM), tuple(range(DRUMS)))


def ride(batch: Batch, shape: DataShape) -> Tensor:
    """Share of the ride in the hits of hi-hats and ride, ``(B,)``."""
    return _share(batch, (RIDE,), (CLOSED_HAT, OPEN_HAT, RIDE))


def loudness(batch: Batch, shape: DataShape) -> Tensor:
    """Mean velocity of the hits, 1..127, ``(B,)``."""
    return _mean(_values(batch, 1), _hits(batch)) * MAX_VELOCITY


def dynamics(batch: Batch, shape: DataShape) -> Tensor:
    """Standard deviation of the hits' velocities, in MIDI units, ``(B,)``."""
    return _deviation(_values(batch, 1), _hits(batch)) * MAX_VELOCITY


def lateness(batch: Batch, shape: DataShape) -> Tensor:
    """Mean offset of the hits, in steps; below 0 ahead of the beat, ``(B,)``."""
    return _mean(_values(batch, 2), _hits(batch))


def looseness(batch: Batch, shape: DataShape) -> Tensor:
    """Standard deviation of the hits' offsets, in steps, ``(B,)``."""
    return _deviation(_values(batch, 2), _hits(batch))


def _hits(batch: Batch) -> Tensor:
    if batch.target.is_floating_point():
        return (_values(batch, 0) > 0.5).float()
    return combination_to_bits(batch.target)


def _values(batch: Batch, kind: int) -> Tensor:
    return batch.target[..., kind * DRUMS : (kind + 1) * DRUMS].float()


def _share(batch: Batch, of: tuple[int, ...], among: tuple[int, ...]) -> Tensor:
    by_drum = _hits(batch).sum(1)
    # 0 / 0 without hits.
    return by_drum[:, list(of)].sum(1) / by_drum[:, list(among)].sum(1)


def _mean(values: Tensor, hits: Tensor) -> Tensor:
    return (values * hits).flatten(1).sum(1) / hits.flatten(1).sum(1)


def _deviation(values: Tensor, hits: Tensor) -> Tensor:
    distance = values - _mean(values, hits).view(-1, 1, 1)
    return torch.sqrt(_mean(distance.square(), hits))
