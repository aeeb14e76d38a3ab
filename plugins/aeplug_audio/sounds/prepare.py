"""Stored windows -> a batch; random gain in training."""

from __future__ import annotations

import torch

from aeplug.config import PartConfig, setting
from aeplug.interfaces import Batch, DataShape, RawBatch
from aeplug_audio.sounds.spectrogram import RANGE_DB


class PrepareConfig(PartConfig):
    """Settings of augmentation."""

    gain: float = setting(0.0, "largest random change of level in training", unit="dB", ge=0, le=40)


class PrepareSound:
    """Column ``frames`` -> input and target alike."""

    Config = PrepareConfig

    def __init__(self, config: PrepareConfig, shape: DataShape) -> None:
        self.gain = config.gain / RANGE_DB

    def __call__(self, raw: RawBatch, generator: torch.Generator, training: bool) -> Batch:
        """``frames`` ``(B, 1, MELS, WINDOW_FRAMES)``, uint8 or float in 0..1 -> float32 in 0..1."""
        frames = raw["frames"]
        values = frames.float().div_(255) if frames.dtype == torch.uint8 else frames.float()
        if training and self.gain:
            gain = torch.rand(len(values), 1, 1, 1, device=values.device, generator=generator)
            # The floor is silence at any gain.
            louder = (values + (2 * gain - 1) * self.gain).clamp(0, 1)
            values = torch.where(values > 0, louder, values)
        return Batch(values, values)
