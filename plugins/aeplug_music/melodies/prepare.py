"""Stored windows -> a batch; augmented in training."""

from __future__ import annotations

import torch

from aeplug.config import PartConfig, setting
from aeplug.interfaces import Batch, DataShape, RawBatch
from aeplug_music.melodies.augmentation import Chances, augment
from aeplug_music.nets.window_shape import count_bars, lengths_by_metre


class PrepareConfig(PartConfig):
    """Settings of the augmentation."""

    chromatic: float = setting(
        0.5, "probability of a transposition by -6 to 5 semitones", ge=0, le=1
    )
    diatonic: float = setting(
        0.25, "probability of a move by -3 to 3 degrees of the scale", ge=0, le=1
    )
    altered: float = setting(
        0.15, "probability that some notes move by 1 or 2 degrees each", ge=0, le=1
    )
    recombined: float = setting(
        0.15, "probability of continuing after one of the bars with another window", ge=0, le=1
    )


class PrepareMelodies:
    """Columns ``tokens`` and ``metre`` -> input and target alike, with metre and length."""

    Config = PrepareConfig

    def __init__(self, config: PrepareConfig, shape: DataShape) -> None:
        self._chances = Chances(**config.model_dump())
        self._lengths = lengths_by_metre(shape)
        self._bars = count_bars(shape)

    def __call__(self, raw: RawBatch, generator: torch.Generator, training: bool) -> Batch:
        """``tokens`` uint8 ``(B, T)``, ``metre`` integer ``(B,)`` -> int64 tokens."""
        tokens, metre = raw["tokens"].long(), raw["metre"].long()
        if self._lengths.device != metre.device:
            self._lengths = self._lengths.to(metre.device)
        lengths = self._lengths[metre]
        if training:
            bar = lengths // self._bars
            tokens = augment(tokens, metre, bar, self._bars, self._chances, generator)
        return Batch(tokens, tokens, {"metre": metre}, lengths)
