"""From clean pictures to a batch of noisy ones; a user's own file goes in as it is."""

from __future__ import annotations

import torch
from torch import Tensor

from aeplug.config import PartConfig, setting
from aeplug.interfaces import Batch, DataShape, RawBatch
from aeplug_denoise.noise import Noise
from aeplug_image.datasets.crops import crop_windows
from aeplug_image.files.fitting import LUMA
from aeplug_image.prepare import normalise


class PrepareNoisyConfig(PartConfig):
    """Which noise."""

    main = "noise"

    noise: tuple[Noise, ...] = setting(
        ("gaussian(0, 0.1)",),
        "kinds of noise, each for as many pictures of a batch (see aeplug_denoise.noise)",
        min_length=1,
    )
    grey: float = setting(
        0.0, "share of colour photographs that are made grey, the noise too", ge=0, le=1
    )


class PrepareNoisy:
    """Column ``photo`` (windows to crop from) or ``image`` -> noisy input and clean target."""

    Config = PrepareNoisyConfig

    def __init__(self, config: PrepareNoisyConfig, shape: DataShape) -> None:
        self.config, self.side = config, shape.target[-1]

    def __call__(self, raw: RawBatch, generator: torch.Generator, training: bool) -> Batch:
        """uint8 ``(B, C, H, W)`` -> float32 in 0..1; the input is not clipped."""
        if "photo" in raw:
            crop = crop_windows(raw["photo"], self.side, generator, training)
            clean = self._make_some_grey(normalise(crop))
        else:
            clean = normalise(raw["image"])
        return Batch(self._add_noise(clean, generator), clean)

    def prepare_file(self, raw: RawBatch) -> Batch:
        """Pictures of a user's file: the input as it is."""
        image = normalise(raw["image"])
        return Batch(image, image)

    # Rows come in random order: shares of a batch are its first rows, then the next.

    def _make_some_grey(self, images: Tensor) -> Tensor:
        count = round(len(images) * self.config.grey)
        if count == 0 or images.shape[1] == 1:
            return images
        weights = torch.tensor(LUMA, device=images.device).reshape(1, 3, 1, 1)
        grey = (images[:count] * weights).sum(1, keepdim=True).expand(-1, 3, -1, -1)
        return torch.cat([grey, images[count:]])

    def _add_noise(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        kinds = self.config.noise
        parts = torch.tensor_split(torch.arange(len(clean)), len(kinds))
        noisy = [
            kind.add_to(clean[part], generator) for kind, part in zip(kinds, parts, strict=True)
        ]
        result = torch.cat(noisy)
        grey = round(len(clean) * self.config.grey) if clean.shape[1] == 3 else 0
        if grey:
            # A grey picture's noise is grey too: that of its first channel.
            equal = result[:grey, :1].expand(-1, 3, -1, -1)
            result = torch.cat([equal, result[grey:]])
        return result
