"""Residual convolutional encoder and decoder, for images of any size and channel count.

Stages halve the image: n pixels become ceil(n / 2), and the decoder goes back to exactly the
sizes the encoder came from, so no size is special.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from pydantic import model_validator
from torch import Tensor, nn
from torch.nn import functional

from aeplug.config import PartConfig, setting
from aeplug.interfaces import Context, DataShape, Sampling, ScheduleValues
from aeplug.model import ConditionEmbedding
from aeplug_image.nets.pixels import PixelOutput


class StagesConfig(PartConfig):
    """Settings of nets in stages."""

    widths: tuple[int, ...]
    blocks: tuple[int, ...]

    @model_validator(mode="after")
    def _agree(self) -> StagesConfig:
        if len(self.widths) != len(self.blocks):
            raise ValueError(
                f"widths {list(self.widths)} and blocks {list(self.blocks)} must be of one length"
            )
        if min(self.widths) < 1 or min(self.blocks) < 0:
            raise ValueError("widths must be at least 1 and blocks at least 0")
        return self


class ConvConfig(StagesConfig):
    """Settings of encoder and decoder alike; the decoder runs through the stages backwards."""

    widths: tuple[int, ...] = setting(
        (8, 32, 64),
        "channels of each stage; the first is at full size",
        unit="channels",
        min_length=1,
    )
    blocks: tuple[int, ...] = setting(
        (0, 1, 2), "residual blocks of each stage", unit="blocks", min_length=1
    )
    hidden: int = setting(
        0, "width of a layer between feature maps and features; 0: none", unit="units", ge=0
    )
    norm: Literal["none", "batch", "group"] = setting("none", "normalisation in front of layers")


def stage_sizes(height: int, width: int, stages: int) -> list[tuple[int, int]]:
    """Sizes of the feature maps of each stage, the full size first."""
    sizes = [(height, width)]
    for _ in range(stages - 1):
        height, width = (height + 1) // 2, (width + 1) // 2
        sizes.append((height, width))
    return sizes


def _check(shape: tuple[int, ...], config: ConvConfig) -> None:
    if len(shape) != 3:
        raise ValueError(f"'conv' takes images (channels, height, width), got items of {shape}")
    stages = len(config.widths)
    if min(shape[1:]) < 2 ** (stages - 1):
        raise ValueError(
            f"images of {shape[2]}x{shape[1]} pixels are too small for {stages} stages of 'conv' "
            f"(at least {2 ** (stages - 1)} pixels); give fewer widths and blocks"
        )


def _norm(kind: str, channels: int) -> nn.Module:
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    if kind == "group":
        return nn.GroupNorm(math.gcd(channels, 8), channels)
    return nn.Identity()


class ResidualBlock(nn.Module):
    """``x + conv(silu(norm(conv(silu(norm(x))))))``; starts as the identity."""

    def __init__(self, channels: int, norm: str) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _norm(norm, channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            _norm(norm, channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )
        last = self.layers[-1]
        assert isinstance(last, nn.Conv2d) and last.bias is not None
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` -> the same shape."""
        return x + self.layers(x)


class ResizeTo(nn.Module):
    """Nearest-neighbour upsampling to a fixed size."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, h, w)`` -> ``(B, C, *size)``."""
        return functional.interpolate(x, size=self.size, mode="nearest")


class ConvEncoder(nn.Module):
    """Stem, then stages of a stride-2 convolution and residual blocks, flattened.

    Of conditions it sees none: an image shows its class, and a file of a user's tells nothing else.
    """

    Config = ConvConfig
    ignores_conditions = True

    def __init__(self, config: ConvConfig, shape: DataShape) -> None:
        super().__init__()
        _check(shape.input, config)
        channels, height, width = shape.input
        widths = config.widths
        layers: list[nn.Module] = [nn.Conv2d(channels, widths[0], 3, padding=1)]
        layers += [ResidualBlock(widths[0], config.norm) for _ in range(config.blocks[0])]
        for stage in range(1, len(widths)):
            before, after = widths[stage - 1], widths[stage]
            layers += [_norm(config.norm, before), nn.SiLU()]
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1)]
            layers += [ResidualBlock(after, config.norm) for _ in range(config.blocks[stage])]
        layers += [_norm(config.norm, widths[-1]), nn.SiLU()]
        self.maps = nn.Sequential(*layers)
        flat = widths[-1] * math.prod(stage_sizes(height, width, len(widths))[-1])
        self.features_shape: tuple[int, ...] = (config.hidden or flat,)
        self.hidden = (
            nn.Sequential(nn.Linear(flat, config.hidden), nn.SiLU())
            if config.hidden
            else nn.Identity()
        )

    def forward(self, input: Tensor, context: Context | None = None) -> Tensor:
        """``(B, C, H, W)`` -> ``(B, F)``."""
        maps = self.maps(input.contiguous(memory_format=torch.channels_last))
        return self.hidden(maps.flatten(1))


class ConvDecoder(nn.Module):
    """The encoder's mirror: a linear map to feature maps, stages that double, logits.

    Conditions come in beside z, in front of the first nonlinearity.
    """

    Config = ConvConfig

    def __init__(self, config: ConvConfig, shape: DataShape, latent_shape: tuple[int, ...]) -> None:
        super().__init__()
        _check(shape.target, config)
        channels, height, width = shape.target
        widths = config.widths
        sizes = stage_sizes(height, width, len(widths))
        self.first = (widths[-1], *sizes[-1])
        size, flat = math.prod(latent_shape), math.prod(self.first)
        self.project = (
            nn.Sequential(nn.Linear(size, config.hidden), nn.SiLU(), nn.Linear(config.hidden, flat))
            if config.hidden
            else nn.Linear(size, flat)
        )
        self.condition = (
            ConditionEmbedding(shape.conditions, config.hidden or flat)
            if shape.conditions
            else None
        )
        layers: list[nn.Module] = []
        for stage in range(len(widths) - 1, 0, -1):
            now, next_width = widths[stage], widths[stage - 1]
            layers += [ResidualBlock(now, config.norm) for _ in range(config.blocks[stage])]
            layers += [_norm(config.norm, now), nn.SiLU(), ResizeTo(sizes[stage - 1])]
            layers += [nn.Conv2d(now, next_width, 3, padding=1)]
        layers += [ResidualBlock(widths[0], config.norm) for _ in range(config.blocks[0])]
        layers += [_norm(config.norm, widths[0]), nn.SiLU()]
        layers += [nn.Conv2d(widths[0], channels, 3, padding=1)]
        self.maps = nn.Sequential(*layers)

    def forward(self, z: Tensor, context: Context, schedule_values: ScheduleValues) -> PixelOutput:
        """``(B, *latent_shape)`` -> logits of ``(B, C, H, W)``."""
        x = z.flatten(1)
        layers = self.project if isinstance(self.project, nn.Sequential) else (self.project,)
        for number, layer in enumerate(layers):
            x = layer(x)
            if number == 0 and self.condition is not None:
                x = self.condition(x, context.cond)
        maps = x.reshape(-1, *self.first)
        logits = self.maps(maps.contiguous(memory_format=torch.channels_last))
        return PixelOutput(logits.float().contiguous(), logits=True)

    def generate(self, z: Tensor, context: Context, sampling: Sampling) -> Tensor:
        """Pixel means, ``(B, C, H, W)`` in 0..1."""
        return self(z, context, {}).means
