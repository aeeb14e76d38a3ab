"""Constraints on melodies, key, scale, range and density, as a bias on a decoder's logits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from aeplug.errors import ConfigError
from aeplug_music.score.keys import estimate_key, weigh_pitch_classes
from aeplug_music.score.melody import Melody
from aeplug_music.score.metres import STEPS_PER_QUARTER
from aeplug_music.score.options import AUTO_KEY, NO_KEY
from aeplug_music.score.scales import Key, check_scale, parse_key, parse_pitch, signature_key
from aeplug_music.score.tokens import (
    CLASSES,
    FIRST_ONSET,
    HIGHEST,
    LOWEST,
    PITCH_OFFSET,
    tokens_to_notes,
)

#: A key signature is believed where its scale has this share of the sounding time, and lacks at
#: most so much of what the estimated key has.
LEAST_IN_SIGNATURE, LESS_THAN_ESTIMATED = 0.9, 0.03
#: How much rarer a note from outside the scale becomes at most, where the document has it, nats.
_RAREST = -3.0
#: Mean notes a quarter of folk tunes, where there is no document to compare with.
_USUAL_DENSITY = 1.94
#: Logits by which the density moves, for each logit that it is to move by: decoders are sure of
#: their rhythms. Measured on samples of melody-2bar (docs/results.md).
_DENSITY_GAIN = 2.0


@dataclass(frozen=True)
class MelodyConstraints:
    """What a melody may be.

    Attributes:
        key: a key; None: that of the document, and none without one.
        scale: name of its scale; empty: that of the key.
        free: no key at all.
        lowest, highest: MIDI numbers, inclusive.
        density: notes a quarter; None: as the model has it.
    """

    key: Key | None = None
    scale: str = ""
    free: bool = False
    lowest: int = LOWEST
    highest: int = HIGHEST
    density: float | None = None

    def logit_bias(self, like: Melody | None) -> Tensor | None:
        """Bias on tokens, float32 ``(1, 1, classes)``; None: nothing is constrained.

        Args:
            like: the melody that is changed or continued.

        Raises:
            ConfigError: no pitch is left, or a scale has no tonic.
        """
        bias = np.zeros(CLASSES, np.float32)
        pitches = np.arange(FIRST_ONSET, CLASSES) + PITCH_OFFSET
        bias[FIRST_ONSET:] = self._weigh_degrees(like)[pitches % 12]
        outside = (pitches < self.lowest) | (pitches > self.highest)
        bias[FIRST_ONSET:][outside] = -math.inf
        if not (bias[FIRST_ONSET:] > -math.inf).any():
            raise ConfigError(
                f"no pitch from {self.lowest} to {self.highest} is in the scale: widen --low and "
                f"--high, or name another --key or --scale"
            )
        if self.density is not None:
            usual = _USUAL_DENSITY if like is None else measure_density(like)
            bias[FIRST_ONSET:] += _DENSITY_GAIN * (_logit(self.density) - _logit(usual))
        return torch.from_numpy(bias).view(1, 1, -1) if bias.any() else None

    def _weigh_degrees(self, like: Melody | None) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Bias of each pitch class, ``(12,)``."""
        key, weights = self.key, np.zeros(12)
        if self.free or (key is None and like is None):
            if self.scale not in ("", "chromatic"):
                raise ConfigError(f"--scale {self.scale} needs a tonic: name a --key")
            return np.zeros(12, np.float32)
        if key is None:
            assert like is not None
            weights = weigh_pitch_classes(like.tokens)
            key = find_key(like, weights)
        allowed = np.zeros(12, bool)
        allowed[list(key.pitch_classes(self.scale))] = True
        bias = np.where(allowed, 0.0, -math.inf)
        if self.key is None and not self.scale:
            # Accidentals of the document stay as rare as they are in it.
            own = weights > 0
            usual = np.median(weights[allowed & own]) if (allowed & own).any() else 1.0
            rarity = np.log(np.maximum(weights, 1e-9) / usual).clip(_RAREST, 0)
            bias = np.where(~allowed & own, rarity, bias)
        return bias.astype(np.float32)


def read_constraints(options: Mapping[str, Any]) -> MelodyConstraints:
    """The constraints that options name.

    Raises:
        ConfigError: no key, scale or pitch is called so, or the range is empty.
    """
    text = str(options.get("key") or AUTO_KEY).strip()
    named = text.lower() not in (AUTO_KEY, NO_KEY)
    low, high = options.get("low"), options.get("high")
    lowest = LOWEST if low is None else parse_pitch(str(low), "low")
    highest = HIGHEST if high is None else parse_pitch(str(high), "high")
    if lowest > highest:
        raise ConfigError(f"--low {low} is above --high {high}")
    return MelodyConstraints(
        parse_key(text) if named else None,
        check_scale(str(options.get("scale") or "")),
        text.lower() == NO_KEY,
        lowest,
        highest,
        options.get("density"),
    )


def find_key(melody: Melody, weights: np.ndarray[Any, np.dtype[np.float64]] | None = None) -> Key:
    """The key of a melody: its file's key signature where the notes are in it, else estimated.

    Args:
        melody: of at least one note.
        weights: of its pitch classes, ``(12,)``; None: computed.
    """
    weights = weigh_pitch_classes(melody.tokens) if weights is None else weights
    estimated = estimate_key(weights)
    keys = melody.origin.tune.keys if melody.origin is not None else []
    if not keys:
        return estimated
    signed = signature_key(*keys[0][1:])
    share, best = (weights[list(key.pitch_classes())].sum() for key in (signed, estimated))
    plausible = share >= LEAST_IN_SIGNATURE and share >= best - LESS_THAN_ESTIMATED
    return signed if plausible else estimated


def measure_density(melody: Melody) -> float:
    """Notes a quarter of the part of a melody that sounds, at least one in four quarters."""
    tokens = melody.tokens
    onsets, ends, _ = tokens_to_notes(tokens)
    if not len(onsets):
        return _USUAL_DENSITY
    quarters = (ends[-1] - onsets[0]) / STEPS_PER_QUARTER
    return float(max(len(onsets) / quarters, 0.25))


def _logit(density: float) -> float:
    """Log-odds that a note begins at a step."""
    share = min(max(density / STEPS_PER_QUARTER, 0.01), 0.99)
    return math.log(share / (1 - share))
