"""A residual U-Net for pictures of any size: to denoise, to enlarge.

Pixels are folded into channels first (pixel-unshuffle), so that even the finest convolutions run
on a map of half the side; Zhang et al. do so for denoising (FFDNet, TIP 2018; DRUNet, TPAMI 2021).
Residual blocks start as the identity and have no normalisation, which would tie a picture's
brightness to that of its neighbours in the batch.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from aeplug.config import setting
from aeplug.interfaces import Context, DataShape, Features, Sampling, ScheduleValues
from aeplug_image.nets.conv import ResidualBlock, StagesConfig
from aeplug_image.nets.pixels import PixelOutput
from aeplug_image.resampling import upscale


class UNetConfig(StagesConfig):
    """Settings of encoder and decoder alike; the decoder runs through the levels backwards."""

    widths: tuple[int, ...] = setting(
        (64, 128, 192), "channels of each level, the finest first", unit="channels", min_length=1
    )
    blocks: tuple[int, ...] = setting(
        (2, 1, 1), "residual blocks of each level", unit="blocks", min_length=1
    )
    fold: int = setting(
        2, "side of the squares of pixels folded into channels; 1: none", unit="pixels", ge=1, le=8
    )

    @property
    def multiple(self) -> int:
        """Sides are padded to a multiple of this, in pixels."""
        return self.fold * 2 ** (len(self.widths) - 1)


def pad_to_multiple(images: Tensor, multiple: int) -> Tensor:
    """``(B, C, H, W)`` mirrored at the right and lower edge to multiples of ``multiple``.

    Mirrored, not continued: noise must go on as noise. Streaks of one pixel's noise, which no
    training crop has, cost the whole edge a decibel and more.
    """
    for dimension in (-2, -1):
        length = images.shape[dimension]
        more = -length % multiple
        if more:
            places = torch.arange(length + more, device=images.device)
            period = max(2 * length - 2, 1)  # where a side is shorter than what is missing, too
            places = (places % period - (length - 1)).abs().neg() + (length - 1)
            images = images.index_select(dimension, places)
    return images


class UNetEncoder(nn.Module):
    """Folded pixels -> the coarsest maps; those of the finer levels go to the decoder as skips."""

    Config = UNetConfig
    any_size = True

    def __init__(self, config: UNetConfig, shape: DataShape) -> None:
        super().__init__()
        channels, height, width = _images(shape.input)
        widths = config.widths
        self.multiple, self.fold = config.multiple, config.fold
        self.stem = nn.Conv2d(channels * config.fold**2, widths[0], 3, padding=1)
        self.levels = nn.ModuleList(
            nn.Sequential(*(ResidualBlock(size, "none") for _ in range(count)))
            for size, count in zip(widths, config.blocks, strict=True)
        )
        self.down = nn.ModuleList(
            nn.Conv2d(before, after, 2, stride=2) for before, after in pairwise(widths)
        )
        self.features_shape: tuple[int, ...] = (
            widths[-1],
            -(-height // self.multiple),
            -(-width // self.multiple),
        )

    def forward(self, input: Tensor, context: Context | None = None) -> Features:
        """``(B, C, H, W)`` -> ``(B, F, h, w)`` and a map for each finer level."""
        folded = functional.pixel_unshuffle(pad_to_multiple(input, self.multiple), self.fold)
        x = self.stem(folded.contiguous(memory_format=torch.channels_last))
        skips = []
        for number, level in enumerate(self.levels):
            x = level(x)
            if number < len(self.down):
                skips.append(x)
                x = self.down[number](x)
        return Features(x, skips)


class UNetDecoderConfig(UNetConfig):
    """Settings of the decoder."""

    base: Literal["input", "none"] = setting(
        "input",
        "what the net's output is added to: the input (enlarged by bicubic where the target is "
        "larger), or nothing, for logits of pixels in 0..1",
    )


class UNetDecoder(nn.Module):
    """Coarsest maps and skips -> pixels, as a correction of the input or of their own."""

    Config = UNetDecoderConfig

    def __init__(
        self, config: UNetDecoderConfig, shape: DataShape, latent_shape: tuple[int, ...]
    ) -> None:
        super().__init__()
        channels = _images(shape.target)[0]
        widths = config.widths
        if latent_shape[:1] != widths[-1:]:
            raise ValueError(
                f"'unet' decodes maps of {widths[-1]} channels, got a latent of {latent_shape}; "
                "give encoder and decoder the same widths, and latent=maps"
            )
        self.scale = _images(shape.target)[1] // _images(shape.input)[1]
        self.base = config.base
        self.unfold = config.fold * self.scale
        self.levels = nn.ModuleList(
            nn.Sequential(*(ResidualBlock(size, "none") for _ in range(count)))
            for size, count in zip(widths, config.blocks, strict=True)
        )
        # A 1x1 convolution and pixel-shuffle: each coarse pixel says four finer ones.
        self.up = nn.ModuleList(
            nn.Conv2d(after, 4 * before, 1) for before, after in pairwise(widths)
        )
        self.tail = nn.Conv2d(widths[0], channels * self.unfold**2, 3, padding=1)
        if config.base == "input":  # the first output is the input itself
            nn.init.zeros_(self.tail.weight)
            assert self.tail.bias is not None
            nn.init.zeros_(self.tail.bias)

    def forward(self, z: Tensor, context: Context, schedule_values: ScheduleValues) -> PixelOutput:
        """``(B, F, h, w)``, ``context.skips`` and ``context.input`` -> ``(B, C, H, W)``."""
        image = context.input
        if image is None:
            raise ValueError("'unet' restores pictures: it decodes nothing without its input")
        x = self.levels[-1](z)
        for number in range(len(self.up) - 1, -1, -1):
            x = functional.pixel_shuffle(self.up[number](x), 2) + context.skips[number]
            x = self.levels[number](x)
        values = functional.pixel_shuffle(self.tail(functional.silu(x)), self.unfold)
        height, width = (side * self.scale for side in image.shape[-2:])
        values = values[..., :height, :width].float()
        if self.base == "none":
            return PixelOutput(values, logits=True)
        return PixelOutput(upscale(image.float(), self.scale) + values, logits=False)

    def generate(self, z: Tensor, context: Context, sampling: Sampling) -> Tensor:
        """Pixels ``(B, C, H, W)``, clipped to 0..1."""
        return self(z, context, {}).means.clamp(0, 1)


def _images(shape: tuple[int, ...]) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise ValueError(f"'unet' takes images (channels, height, width), got items of {shape}")
    return shape[0], shape[1], shape[2]
