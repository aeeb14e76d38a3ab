"""Constraints on drums, density and which are hit, as a bias on logits of combinations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from aeplug.errors import ConfigError, nearest
from aeplug_music.drums.kit import CLASSES, COMBINATIONS, DRUMS
from aeplug_music.drums.performance import Performance
from aeplug_music.drums.window_shape import combination_to_bits
from aeplug_music.score.metres import STEPS_PER_QUARTER

NAMES = tuple(name.replace(" ", "-") for name in CLASSES)
#: Steps with a hit a quarter, mean of the bundled patterns, where there is no document.
_USUAL_DENSITY = 2.8
#: Logits by which the density moves, for each logit that it is to move by.
_DENSITY_GAIN = 4.0


@dataclass(frozen=True)
class DrumConstraints:
    """What may be hit.

    Attributes:
        drums: numbers of the drums; None: all.
        density: steps with a hit, a quarter; None: as the model has it.
    """

    drums: frozenset[int] | None = None
    density: float | None = None

    def logit_bias(self, like: Performance | None) -> Tensor | None:
        """Bias on combinations, float32 ``(1, 1, 512)``; None: nothing is constrained.

        Args:
            like: the performance that is changed.
        """
        bits = combination_to_bits(torch.arange(COMBINATIONS)).bool()
        bias = torch.zeros(COMBINATIONS)
        if self.drums is not None:
            left_out = [drum for drum in range(DRUMS) if drum not in self.drums]
            bias[bits[:, left_out].any(1)] = -math.inf
        if self.density is not None:
            usual = _USUAL_DENSITY if like is None else measure_density(like)
            bias[bits.any(1)] += _DENSITY_GAIN * (_logit(self.density) - _logit(usual))
        return bias.view(1, 1, -1) if bool(bias.any()) else None


def read_constraints(options: Mapping[str, Any]) -> DrumConstraints:
    """The constraints that options name.

    Raises:
        ConfigError: no drum is called so.
    """
    text, density = options.get("only-drums"), options.get("density")
    if text is None:
        return DrumConstraints(None, density)
    drums = set()
    for word in text.split(","):
        name = "-".join(word.lower().replace("-", " ").split())
        if name not in NAMES:
            raise ConfigError(
                f"--only-drums {text}: no drum is called '{word.strip()}'. {nearest(name, NAMES)}"
            )
        drums.add(NAMES.index(name))
    return DrumConstraints(frozenset(drums), density)


def measure_density(performance: Performance) -> float:
    """Steps with a hit, a quarter, of a performance; at least one in four quarters."""
    hit = np.any(performance.velocity > 0, axis=-1)
    return max(STEPS_PER_QUARTER * float(hit.mean()), 0.25) if len(hit) else _USUAL_DENSITY


def _logit(density: float) -> float:
    """Log-odds that a step has a hit."""
    share = min(max(density / STEPS_PER_QUARTER, 0.01), 0.99)
    return math.log(share / (1 - share))
