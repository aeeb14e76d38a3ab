"""The hierarchical melody VAE: bars -> phrases -> window, and back through a conductor.

The encoder embeds each bar by itself and merges bars up a tree; the decoder's conductor gives every
bar an embedding (:mod:`aeplug_music.nets.hierarchy`), from which weights that all bars share make
the bar's slices of the plan.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from aeplug.config import setting
from aeplug.interfaces import Context, DataShape
from aeplug_music.melodies.stepwise import StepConfig, StepwiseDecoder
from aeplug_music.nets.hierarchy import Conductor, Gatherer, ResidualMLP, TreeConfig
from aeplug_music.nets.reference_pitch import REFERENCES, estimate_reference, to_relative
from aeplug_music.nets.window_shape import count_bars, lengths_by_metre
from aeplug_music.score.metres import longest_bar
from aeplug_music.score.tokens import CLASSES, HOLD


class HierarchicalEncoderConfig(TreeConfig):
    """Settings of the encoder."""

    embedding: int = setting(16, "width of a token's embedding", unit="units", ge=1)


class HierarchicalEncoder(nn.Module):
    """Each bar's tokens, relative to the window's reference pitch, into a vector; up the tree."""

    Config = HierarchicalEncoderConfig

    def __init__(self, config: HierarchicalEncoderConfig, shape: DataShape) -> None:
        super().__init__()
        self.bars = count_bars(shape)
        metres, width = shape.conditions["metre"], config.width
        levels, widths = config.tree(self.bars)
        bar_width = widths[-1]
        self.longest = longest_bar(metres)
        self.register_buffer("bar", lengths_by_metre(shape) // self.bars, persistent=False)
        self.bar: Tensor
        self.tokens = nn.Embedding(CLASSES, config.embedding)
        self.metre = nn.Embedding(len(metres), bar_width)
        self.read = nn.Linear(self.longest * config.embedding, bar_width)
        self.bar_layers = nn.Sequential(
            *(ResidualMLP(bar_width, config.hidden) for _ in range(config.layers))
        )
        self.gatherer = Gatherer(levels, widths, config.hidden, config.layers)
        self.reference = nn.Embedding(REFERENCES, width)
        self.pitch = nn.Linear(3, width)
        self.norm = nn.LayerNorm(width)
        self.features_shape: tuple[int, ...] = (width,)
        for table, deviation in ((self.tokens, 0.3), (self.metre, 0.1), (self.reference, 0.02)):
            nn.init.normal_(table.weight, std=deviation)

    def forward(self, input: Tensor, context: Context | None = None) -> Tensor:
        """Tokens int64 ``(B, T)``, metre in ``context.cond`` -> ``(B, width)``."""
        metre = context.cond["metre"] if context else torch.zeros_like(input[:, 0])
        reference = estimate_reference(input)
        by_bar = split_into_bars(
            to_relative(input, reference), self.bar[metre], self.bars, self.longest
        )
        bars = self.read(self.tokens(by_bar).flatten(2)) + self.metre(metre).unsqueeze(1)
        x = self.gatherer(self.bar_layers(bars))
        angle = reference * (2 * math.pi / 12)
        pitch = torch.stack([(reference - 66) / 6, torch.sin(angle), torch.cos(angle)], 1)
        return self.norm(x + self.reference(reference) + self.pitch(pitch))


class HierarchicalDecoderConfig(TreeConfig, StepConfig):
    """Settings of the decoder."""

    slice: int = setting(48, "width of a step's slice of the plan", unit="units", ge=1)
    embedding: int = setting(16, "width of a past token's embedding", unit="units", ge=1)
    agreement: int = setting(
        8,
        "width of the embedding of how long the past has equalled that of 1, 2, 4 and 8 bars "
        "before; 0: none",
        unit="units",
        ge=0,
    )
    step_width: int = setting(128, "width of a step's vector", unit="units", ge=1)


class HierarchicalDecoder(StepwiseDecoder):
    """z -> reference pitch and, through a conductor, a slice for each step of each bar."""

    Config = HierarchicalDecoderConfig

    def __init__(
        self, config: HierarchicalDecoderConfig, shape: DataShape, latent_shape: tuple[int, ...]
    ) -> None:
        metres, width = shape.conditions.get("metre", ()), config.width
        levels, widths = config.tree(count_bars(shape))
        bar_width = widths[-1]
        self.longest = longest_bar(metres)
        super().__init__(config, shape, len(metres) * self.longest)
        self.enter = nn.Linear(math.prod(latent_shape), width)
        self.metre = nn.Embedding(len(metres), width)
        self.conductor = Conductor(levels, widths, config.hidden, config.layers)
        self.bar_layers = nn.Sequential(
            *(ResidualMLP(bar_width, config.hidden) for _ in range(config.layers)),
            nn.LayerNorm(bar_width),
        )
        self.reference = nn.Linear(width, REFERENCES)
        self.unroll = nn.Linear(bar_width, self.longest * config.slice)
        nn.init.normal_(self.metre.weight, std=0.1)

    def plan(self, z: Tensor, metre: Tensor) -> tuple[Tensor, Tensor]:
        """Latents -> slices ``(B, T, slice)`` and logits of the reference pitch ``(B, 128)``."""
        x = self.enter(z.flatten(1)) + self.metre(metre)
        bars = self.bar_layers(self.conductor(x))  # (B, bars, bar width)
        slices = self.unroll(bars).reshape(len(z), -1, self.slice)
        # Bars of a metre may be shorter than the longest: the position of each step's slice.
        steps = torch.arange(self.steps, device=z.device)
        bar = self.bar[metre].unsqueeze(1)
        index = (steps // bar * self.longest + steps % bar).clamp(max=slices.shape[1] - 1)
        plan = slices.gather(1, index.unsqueeze(2).expand(-1, -1, self.slice))
        return plan, self.reference(x)

    def places(self, metre: Tensor, steps: Tensor) -> Tensor:
        """A position for each step of a bar of each metre, int64 ``(B, S)``."""
        return metre.unsqueeze(1) * self.longest + steps % self.bar[metre].unsqueeze(1)


def split_into_bars(tokens: Tensor, bar: Tensor, bars: int, longest: int) -> Tensor:
    """Split windows ``(B, T)`` of ``bar`` steps per bar ``(B,)`` into ``(B, bars, longest)``.

    Shorter bars are padded with HOLD.
    """
    step = torch.arange(longest, device=tokens.device)
    first = torch.arange(bars, device=tokens.device) * bar.unsqueeze(1)  # (B, bars)
    index = (first.unsqueeze(2) + step).clamp(max=tokens.shape[1] - 1)
    by_bar = tokens.gather(1, index.flatten(1)).unflatten(1, (bars, longest))
    return torch.where(step < bar.view(-1, 1, 1), by_bar, HOLD)
