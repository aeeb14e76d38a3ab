"""The flat melody VAE: an MLP from the whole window to z, and from z to a plan.

The MLPs run once per window, so that most weights cost almost nothing per step.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from aeplug.config import PartConfig, setting
from aeplug.interfaces import Context, DataShape
from aeplug_music.melodies.stepwise import StepConfig, StepwiseDecoder
from aeplug_music.nets.hierarchy import ResidualMLP
from aeplug_music.nets.reference_pitch import REFERENCES, estimate_reference, to_relative
from aeplug_music.nets.window_shape import count_bars
from aeplug_music.score.tokens import CLASSES


class WindowEncoderConfig(PartConfig):
    """Settings of the encoder."""

    embedding: int = setting(24, "width of a token's embedding", unit="units", ge=1)
    width: int = setting(512, "width of the window's vector", unit="units", ge=1)
    hidden: int = setting(768, "width inside a residual layer", unit="units", ge=1)
    layers: int = setting(1, "residual layers", unit="layers", ge=0)


class WindowEncoder(nn.Module):
    """An MLP over the concatenated embeddings of all steps, relative to the reference pitch."""

    Config = WindowEncoderConfig

    def __init__(self, config: WindowEncoderConfig, shape: DataShape) -> None:
        super().__init__()
        count_bars(shape)
        width = config.width
        self.tokens = nn.Embedding(CLASSES, config.embedding)
        self.metre = nn.Embedding(len(shape.conditions["metre"]), width)
        self.reference = nn.Embedding(REFERENCES, width)
        self.pitch = nn.Linear(3, width)
        self.gather = nn.Linear(shape.input[0] * config.embedding, width)
        self.layers = nn.Sequential(
            *(ResidualMLP(width, config.hidden) for _ in range(config.layers))
        )
        self.norm = nn.LayerNorm(width)
        self.features_shape: tuple[int, ...] = (width,)
        for table, deviation in ((self.tokens, 0.3), (self.metre, 0.1), (self.reference, 0.02)):
            nn.init.normal_(table.weight, std=deviation)

    def forward(self, input: Tensor, context: Context | None = None) -> Tensor:
        """Tokens int64 ``(B, T)``, metre in ``context.cond`` -> ``(B, width)``."""
        metre = context.cond["metre"] if context else torch.zeros_like(input[:, 0])
        reference = estimate_reference(input)
        vectors = self.tokens(to_relative(input, reference)).flatten(1)
        angle = reference * (2 * math.pi / 12)
        pitch = torch.stack([(reference - 66) / 6, torch.sin(angle), torch.cos(angle)], 1)
        x = self.gather(vectors) + self.metre(metre)
        x = x + self.reference(reference) + self.pitch(pitch)
        return self.norm(self.layers(x))


class PlanDecoderConfig(StepConfig):
    """Settings of the decoder."""

    width: int = setting(512, "width of the window's vector", unit="units", ge=1)
    hidden: int = setting(896, "width inside a residual layer of the window", unit="units", ge=1)
    layers: int = setting(1, "residual layers of the window", unit="layers", ge=0)


class PlanDecoder(StepwiseDecoder):
    """z -> reference pitch and a slice for each step of the window."""

    Config = PlanDecoderConfig

    def __init__(
        self, config: PlanDecoderConfig, shape: DataShape, latent_shape: tuple[int, ...]
    ) -> None:
        metres, width = len(shape.conditions.get("metre", ())), config.width
        super().__init__(config, shape, metres * shape.target[0])
        self.enter = nn.Linear(math.prod(latent_shape), width)
        self.metre = nn.Embedding(metres, width)
        self.layers = nn.Sequential(
            *(ResidualMLP(width, config.hidden) for _ in range(config.layers))
        )
        self.norm = nn.LayerNorm(width)
        self.reference = nn.Linear(width, REFERENCES)
        self.unroll = nn.Linear(width, self.steps * config.slice)
        nn.init.normal_(self.metre.weight, std=0.1)

    def plan(self, z: Tensor, metre: Tensor) -> tuple[Tensor, Tensor]:
        """Latents -> slices ``(B, T, slice)`` and logits of the reference pitch ``(B, 128)``."""
        x = self.norm(self.layers(self.enter(z.flatten(1)) + self.metre(metre)))
        return self.unroll(x).reshape(-1, self.steps, self.slice), self.reference(x)

    def places(self, metre: Tensor, steps: Tensor) -> Tensor:
        """A position for each step of each metre, int64 ``(B, S)``."""
        return metre.unsqueeze(1) * self.steps + steps
