"""Fully connected encoder and decoder, for items of any shape."""

from __future__ import annotations

import itertools
import math

from torch import Tensor, nn

from aeplug.config import PartConfig, setting
from aeplug.interfaces import Context, DataShape, Sampling, ScheduleValues
from aeplug.model import ConditionEmbedding
from aeplug_image.nets.pixels import PixelOutput


class MLPConfig(PartConfig):
    """Settings of both."""

    hidden: tuple[int, ...] = setting(
        (512, 256), "widths of the hidden layers, encoder's order", unit="units", min_length=1
    )


def _layers(widths: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for fan_in, fan_out in itertools.pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out), nn.GELU()]
    return nn.Sequential(*layers)


class MLPEncoder(nn.Module):
    """Flatten, then linear layers with GELU. Of conditions it sees none, as 'conv' does."""

    Config = MLPConfig
    ignores_conditions = True

    def __init__(self, config: MLPConfig, shape: DataShape) -> None:
        super().__init__()
        self.layers = _layers((math.prod(shape.input), *config.hidden))
        self.features_shape = (config.hidden[-1],)

    def forward(self, input: Tensor, context: Context | None = None) -> Tensor:
        """``(B, *shape.input)`` -> ``(B, hidden[-1])``."""
        return self.layers(input.flatten(1))


class MLPDecoder(nn.Module):
    """The encoder's layers in reverse, then a linear map to logits; conditions beside z."""

    Config = MLPConfig

    def __init__(self, config: MLPConfig, shape: DataShape, latent_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.target = shape.target
        self.layers = _layers((math.prod(latent_shape), *reversed(config.hidden)))
        self.logits = nn.Linear(config.hidden[0], math.prod(shape.target))
        self.condition = (
            ConditionEmbedding(shape.conditions, config.hidden[-1]) if shape.conditions else None
        )

    def forward(self, z: Tensor, context: Context, schedule_values: ScheduleValues) -> PixelOutput:
        """``(B, *latent_shape)`` -> logits of ``(B, *shape.target)``."""
        x = z.flatten(1)
        for number, layer in enumerate(self.layers):
            x = layer(x)
            if number == 0 and self.condition is not None:
                x = self.condition(x, context.cond)
        logits = self.logits(x)
        return PixelOutput(logits.float().reshape(-1, *self.target), logits=True)

    def generate(self, z: Tensor, context: Context, sampling: Sampling) -> Tensor:
        """Pixel means, ``(B, *shape.target)`` in 0..1."""
        return self(z, context, {}).means
