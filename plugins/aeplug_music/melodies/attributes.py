"""Attributes of windows of melody: density, range, intervals, syncopation, register.

Computed from the notes of windows ``(B, T)``; NaN where a window has too few notes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from aeplug.interfaces import Batch, DataShape
from aeplug_music.nets.window_shape import lengths_by_metre
from aeplug_music.score.metres import STEPS_PER_BAR, STEPS_PER_QUARTER
from aeplug_music.score.tokens import FIRST_ONSET, PITCH_OFFSET

#: Division of bars down to sixteenths: 3/4 into three, each of them into two, twice.
DIVISIONS = {
    "4/4": (2, 2, 2, 2),
    "3/4": (3, 2, 2),
    "6/8": (2, 3, 2),
    "2/4": (2, 2, 2),
    "2/2": (2, 2, 2, 2),
    "9/8": (3, 3, 2),
    "3/8": (3, 2),
    "12/8": (2, 2, 3, 2),
    "3/2": (3, 2, 2, 2),
    "6/4": (2, 3, 2, 2),
}


def note_density(batch: Batch, shape: DataShape) -> Tensor:
    """Onsets per quarter, ``(B,)``, of the window's length in its metre."""
    quarters = _lengths(batch, shape) / STEPS_PER_QUARTER
    return _onsets(batch).sum(1) / quarters


def pitch_range(batch: Batch, shape: DataShape) -> Tensor:
    """Semitones from the lowest note to the highest, ``(B,)``."""
    onsets, pitches = _onsets(batch), _pitches(batch)
    high = torch.where(onsets, pitches, -torch.inf).amax(1)
    low = torch.where(onsets, pitches, torch.inf).amin(1)
    return torch.where(onsets.any(1), high - low, torch.nan)


def mean_interval(batch: Batch, shape: DataShape) -> Tensor:
    """Mean absolute interval between consecutive notes, semitones, ``(B,)``."""
    onsets, pitches = _onsets(batch), _pitches(batch)
    steps = torch.arange(onsets.shape[1], device=onsets.device)
    last = torch.where(onsets, steps, -1).cummax(1).values
    before = torch.nn.functional.pad(last[:, :-1], (1, 0), value=-1)
    has_both = onsets & (before >= 0)
    leaps = (pitches - pitches.gather(1, before.clamp(min=0))).abs()
    # 0 / 0 with fewer than two notes.
    return (leaps * has_both).sum(1) / has_both.sum(1)


def syncopation(batch: Batch, shape: DataShape) -> Tensor:
    """Mean syncopation, levels per note, ``(B,)``; 0 is none.

    A note followed by a stronger step without an onset counts the metrical levels between the two
    (Longuet-Higgins and Lee, Music Perception 1984); the levels of 4/4 are the bar, halves,
    quarters, eighths, sixteenths.
    """
    onsets = _onsets(batch)
    weights = _weights(shape).to(onsets.device)[_metre(batch)]
    note = onsets.cumsum(1)
    # The strongest of the steps between a note and the next.
    passed = torch.where(onsets, -torch.inf, weights)
    strongest = torch.full_like(weights, -torch.inf)
    strongest = torch.nn.functional.pad(strongest, (1, 0), value=-torch.inf)
    strongest.scatter_reduce_(1, note, passed, "amax")
    against = (strongest.gather(1, note) - weights).clamp(min=0)
    return torch.where(onsets, against, 0).sum(1) / onsets.sum(1)


def mean_pitch(batch: Batch, shape: DataShape) -> Tensor:
    """Mean MIDI pitch of the notes, ``(B,)``, unweighted by duration."""
    onsets = _onsets(batch)
    return (_pitches(batch) * onsets).sum(1) / onsets.sum(1)


def _onsets(batch: Batch) -> Tensor:
    return batch.target >= FIRST_ONSET


def _pitches(batch: Batch) -> Tensor:
    return (batch.target + PITCH_OFFSET).float()


def _metre(batch: Batch) -> Tensor:
    return batch.cond.get("metre", torch.zeros_like(batch.target[:, 0], dtype=torch.int64))


def _lengths(batch: Batch, shape: DataShape) -> Tensor:
    return lengths_by_metre(shape).to(batch.target.device)[_metre(batch)]


def _weights(shape: DataShape) -> Tensor:
    """Metrical weight of every step, 0 for a bar's first, ``(metres, T)``; -inf after the end."""
    lengths = lengths_by_metre(shape).tolist()
    weights = torch.full((len(lengths), shape.target[0]), -torch.inf)
    for row, metre, length in zip(weights, shape.conditions["metre"], lengths, strict=True):
        period = STEPS_PER_BAR[metre]
        steps = torch.arange(length)
        levels = torch.zeros(length)
        for parts in DIVISIONS[metre]:
            levels -= (steps % period != 0).float()
            period //= parts
        row[:length] = levels
    return weights
