"""From pictures to a batch of reduced ones; a user's own file goes in as it is."""

from __future__ import annotations

import torch
from torch import Tensor

from aeplug.config import PartConfig, setting
from aeplug.interfaces import Batch, DataShape, RawBatch
from aeplug_image.datasets.crops import crop_windows
from aeplug_image.prepare import normalise
from aeplug_image.resampling import downscale


class PrepareReducedConfig(PartConfig):
    """How much is lost."""

    main = "scale"

    scale: int = setting(2, "how many times smaller the input is", ge=2, le=8)


class PrepareReduced:
    """Column ``photo`` (windows to crop from) or ``image`` -> reduced input, full target.

    Reduced as the field's tables are made: antialiased bicubic with a = -0.5, at 8 bit.

    Attributes:
        shape: of the model's items: the input's sides are the target's over the scale.

    Raises:
        ValueError: the target's sides are no multiples of the scale.
    """

    Config = PrepareReducedConfig

    def __init__(self, config: PrepareReducedConfig, shape: DataShape) -> None:
        channels, height, width = shape.target
        scale = config.scale
        if height % scale or width % scale:
            raise ValueError(
                f"pictures of {width}x{height} pixels cannot be reduced {scale} times; expected "
                "multiples of it (of crops: --set data.crop=...)"
            )
        self.scale, self.side = scale, width
        self.shape = DataShape((channels, height // scale, width // scale), shape.target)

    def __call__(self, raw: RawBatch, generator: torch.Generator, training: bool) -> Batch:
        """uint8 ``(B, C, H, W)`` -> float32 in 0..1."""
        if "photo" in raw:
            crop = crop_windows(raw["photo"], self.side, generator, training)
            target = normalise(crop)
        else:
            target = normalise(raw["image"])
        return Batch(round_to_eight_bits(downscale(target, self.scale)), target)

    def prepare_file(self, raw: RawBatch) -> Batch:
        """Pictures of a user's file: the input as it is."""
        image = normalise(raw["image"])
        return Batch(image, image)


def round_to_eight_bits(images: Tensor) -> Tensor:
    """Rounded to what a file of 8 bit holds, in 0..1."""
    return (images * 255).round().clamp(0, 255) / 255
