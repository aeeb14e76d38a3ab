"""Shapes of windows of drums, and combinations of hits as numbers or as bits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from aeplug.errors import ConfigError, nearest
from aeplug.interfaces import DataShape
from aeplug_music.drums.kit import BAR, COMBINATIONS, DRUMS

#: Values of a step with velocity and timing: hits, velocities and offsets of the nine drums.
VALUES = 3 * DRUMS
#: Values of a step of an encoder's input: those; hit, velocity, offset of taps; whether hits are
#: fixed.
INPUT_VALUES = VALUES + 4
#: What an encoder sees of a performance: all of it; its hits; its rhythm, as one voice.
ALL, RHYTHM = "all", "rhythm"
FORMS = (ALL, "score", RHYTHM)


def check_form(options: Mapping[str, Any]) -> str:
    """What of a performance the option ``given`` says is given; without it all of it.

    Raises:
        ConfigError: no form is called so.
    """
    form = str(options.get("given") or ALL)
    if form not in FORMS:
        raise ConfigError(f"--given {form}: no such form. {nearest(form, FORMS)}")
    return form


def hits_shape(bars: int) -> DataShape:
    """Windows of combinations, int64 ``(T,)`` in 0..511."""
    return DataShape((bars * BAR,), (bars * BAR,), COMBINATIONS)


def groove_shape(bars: int) -> DataShape:
    """Windows with velocity and timing: 31 input values and 27 target values per step."""
    return DataShape((bars * BAR, INPUT_VALUES), (bars * BAR, VALUES))


def count_bars(shape: DataShape) -> int:
    """Number of bars of a window.

    Raises:
        ValueError: the items are not windows of drums.
    """
    steps = shape.target[0] if shape.target else 0
    hits = len(shape.target) == 1 and shape.classes == COMBINATIONS
    groove = shape.target[1:] == (VALUES,) and not shape.classes
    if not (hits or groove) or steps < BAR or steps % BAR:
        raise ValueError(
            f"drum parts take bars of {BAR} steps, of {COMBINATIONS} classes or of {VALUES} "
            f"values a step; got items of shape {shape.target} with {shape.classes} classes"
        )
    return steps // BAR


def combination_to_bits(combination: Tensor) -> Tensor:
    """Combinations int64 ``(...)`` -> hits, float32 ``(..., 9)`` of 0 and 1."""
    drums = torch.arange(DRUMS, device=combination.device)
    return (combination.unsqueeze(-1) >> drums & 1).float()


def bits_to_combination(bits: Tensor) -> Tensor:
    """Invert :func:`combination_to_bits`; values above a half are hits."""
    weights = 1 << torch.arange(DRUMS, device=bits.device)
    return ((bits > 0.5) * weights).sum(-1)
