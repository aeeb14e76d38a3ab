"""The default melody VAE: the whole window at once into z, and z unrolled into a plan.

MusicVAE hands its decoder the same z at every step, and its LSTM has to count; here every step
has a slice of its own, cut from an MLP of z, and next to it what was already played. The MLPs
act once a window, so that most weights cost next to nothing per step. The decoder has no
recurrent state: with teacher forcing all steps are one product, and a generated step costs the
same however long the window.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from aeplug.config import PartConfig, setting
from aeplug.interfaces import Context, DataShape, Knobs, Sampling
from aeplug_music.key import REFERENCES, absolute, reference_pitch, relative
from aeplug_music.melody import CLASSES, FIRST_ONSET, HOLD
from aeplug_music.token_output import TokenOutput, draw_class, draw_token
from aeplug_music.window_shape import bars_of, lengths_by_metre

#: Stands for steps before the window's first.
START = CLASSES
#: What a step sees of those before it; see :func:`history`.
VIEWS = 8


class ResidualMLP(nn.Module):
    """``x + linear(gelu(linear(norm(x))))``."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, hidden)
        self.narrow = nn.Linear(hidden, width)
        nn.init.zeros_(self.narrow.bias)
        with torch.no_grad():
            self.narrow.weight.mul_(0.3)

    def forward(self, x: Tensor) -> Tensor:
        """``(..., width)`` -> the same shape."""
        inner = functional.gelu(self.widen(self.norm(x)), approximate="tanh")
        y: Tensor = x + self.narrow(inner)
        return y


class WindowEncoderConfig(PartConfig):
    """Settings of the encoder."""

    embedding: int = setting(24, "width of a token's embedding", unit="units", ge=1)
    width: int = setting(512, "width of the window's vector", unit="units", ge=1)
    hidden: int = setting(768, "width inside a residual layer", unit="units", ge=1)
    layers: int = setting(1, "residual layers", unit="layers", ge=0)


class WindowEncoder(nn.Module):
    """Embeddings of all steps, relative to the reference pitch, laid end to end into an MLP."""

    Config = WindowEncoderConfig

    def __init__(self, config: WindowEncoderConfig, shape: DataShape) -> None:
        super().__init__()
        bars_of(shape)
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
        reference = reference_pitch(input)
        vectors = self.tokens(relative(input, reference)).flatten(1)
        angle = reference * (2 * math.pi / 12)
        pitch = torch.stack([(reference - 66) / 6, torch.sin(angle), torch.cos(angle)], 1)
        x = self.gather(vectors) + self.metre(metre)
        x = x + self.reference(reference) + self.pitch(pitch)
        features: Tensor = self.norm(self.layers(x))
        return features


class PlanDecoderConfig(PartConfig):
    """Settings of the decoder."""

    width: int = setting(512, "width of the window's vector", unit="units", ge=1)
    hidden: int = setting(896, "width inside a residual layer of the window", unit="units", ge=1)
    layers: int = setting(1, "residual layers of the window", unit="layers", ge=0)
    slice: int = setting(64, "width of a step's slice of the plan", unit="units", ge=1)
    embedding: int = setting(24, "width of a past token's embedding", unit="units", ge=1)
    step_width: int = setting(160, "width of a step's vector", unit="units", ge=1)
    step_layers: int = setting(1, "residual layers of a step", unit="layers", ge=0)


class PlanDecoder(nn.Module):
    """z -> reference pitch and a slice a step; slice and history -> token."""

    Config = PlanDecoderConfig

    def __init__(
        self, config: PlanDecoderConfig, shape: DataShape, latent_shape: tuple[int, ...]
    ) -> None:
        super().__init__()
        bars = bars_of(shape)
        metres, self.steps = len(shape.conditions["metre"]), shape.target[0]
        width, step_width = config.width, config.step_width
        self.slice = config.slice
        lengths = lengths_by_metre(shape)
        self.register_buffer("lengths", lengths, persistent=False)
        self.register_buffer("bar", lengths // bars, persistent=False)
        self.lengths: Tensor
        self.bar: Tensor
        self.enter = nn.Linear(math.prod(latent_shape), width)
        self.metre = nn.Embedding(metres, width)
        self.layers = nn.Sequential(
            *(ResidualMLP(width, config.hidden) for _ in range(config.layers))
        )
        self.norm = nn.LayerNorm(width)
        self.reference = nn.Linear(width, REFERENCES)
        self.unroll = nn.Linear(width, self.steps * config.slice)
        # One table for all views, each with its own rows.
        self.past = nn.Embedding(VIEWS * (CLASSES + 1), config.embedding)
        self.register_buffer("views", torch.arange(VIEWS) * (CLASSES + 1), persistent=False)
        self.views: Tensor
        self.place = nn.Embedding(metres * self.steps, step_width)
        self.step_enter = nn.Linear(config.slice + VIEWS * config.embedding, step_width)
        self.step_layers = nn.Sequential(
            *(ResidualMLP(step_width, 2 * step_width) for _ in range(config.step_layers))
        )
        self.step_norm = nn.LayerNorm(step_width)
        self.step_hidden = nn.Linear(step_width, step_width)
        self.step_logits = nn.Linear(step_width, CLASSES)
        for table, deviation in ((self.metre, 0.1), (self.past, 0.3), (self.place, 0.1)):
            nn.init.normal_(table.weight, std=deviation)

    def forward(self, z: Tensor, context: Context, knobs: Knobs) -> TokenOutput:
        """Latents ``(B, D)`` and ``context.target`` for teacher forcing -> logits."""
        assert context.target is not None
        metre = context.cond["metre"]
        plan, reference = self._plan(z, metre)
        tokens = relative(context.target, reference_pitch(context.target))
        before = functional.pad(tokens[:, :-1], (1, 0), value=START)
        views = history(before, self.bar[metre])
        steps = torch.arange(self.steps, device=z.device)
        return TokenOutput(self._step(plan, views, metre, steps), reference)

    @torch.no_grad()
    def generate(self, z: Tensor, context: Context, sampling: Sampling) -> Tensor:
        """Tokens int64 ``(B, T)``; steps beyond the metre's length are 0."""
        metre = context.cond["metre"]
        plan, reference_logits = self._plan(z, metre)
        reference = draw_class(reference_logits, sampling)
        bar = self.bar[metre]
        steps = int(self.lengths[metre].max())
        before = torch.full((len(z), 1), START, dtype=torch.long, device=z.device)
        for step in range(steps):
            views = history(before, bar)[:, -1:]
            here = torch.tensor([step], device=z.device)
            logits = self._step(plan[:, step : step + 1], views, metre, here)
            before = torch.cat([before, draw_token(logits[:, 0], sampling).unsqueeze(1)], 1)
        tokens = absolute(before[:, 1:], reference)
        tokens = functional.pad(tokens, (0, self.steps - steps), value=HOLD)
        counts = torch.arange(self.steps, device=z.device) < self.lengths[metre].unsqueeze(1)
        return torch.where(counts, tokens, HOLD)

    def _plan(self, z: Tensor, metre: Tensor) -> tuple[Tensor, Tensor]:
        """Slices ``(B, T, slice)`` and logits of the reference pitch ``(B, 128)``."""
        x = self.norm(self.layers(self.enter(z.flatten(1)) + self.metre(metre)))
        return self.unroll(x).reshape(-1, self.steps, self.slice), self.reference(x)

    def _step(self, plan: Tensor, views: Tensor, metre: Tensor, steps: Tensor) -> Tensor:
        """Slices ``(B, S, slice)`` and views ``(B, S, VIEWS)`` at ``steps`` ``(S,)`` -> logits."""
        past = self.past(views + self.views).flatten(2)
        place = self.place(metre.unsqueeze(1) * self.steps + steps)
        x = self.step_enter(torch.cat([plan, past.to(plan.dtype)], -1)) + place
        x = self.step_norm(self.step_layers(x))
        logits: Tensor = self.step_logits(functional.gelu(self.step_hidden(x), approximate="tanh"))
        return logits


def history(before: Tensor, bar: Tensor) -> Tensor:
    """What each step sees of the steps before it: int64 ``(B, S, VIEWS)`` of tokens.

    The four tokens before, the last three onsets (HOLD where there are fewer), and the token one
    bar ago.

    Args:
        before: int64 ``(B, S)``; at s the token of step s - 1, START at 0.
        bar: steps of a bar, int64 ``(B,)``.
    """
    count, steps = before.shape
    places = torch.arange(steps, device=before.device)
    onsets = (before >= FIRST_ONSET) & (before < START)
    # Place of the last onset up to each step, then of the one before that, and so on.
    last = torch.where(onsets, places, -1).cummax(1).values
    place = last.clamp(min=0)
    first = torch.where(last >= 0, before.gather(1, place), HOLD)
    second = functional.pad(first[:, :-1], (1, 0), value=HOLD).gather(1, place)
    third = functional.pad(second[:, :-1], (1, 0), value=HOLD).gather(1, place)
    earlier = [functional.pad(before, (by, 0), value=START)[:, :steps] for by in range(4)]
    ago = (places.unsqueeze(0) - bar.unsqueeze(1) + 1).expand(count, steps)
    bar_ago = torch.where(ago >= 1, before.gather(1, ago.clamp(min=0)), START)
    return torch.stack([*earlier, first, second, third, bar_ago], 2)
