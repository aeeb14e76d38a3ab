"""Plan and past -> the next token: the base of the melody decoders.

MusicVAE gives its decoder the same z at every step, and its LSTM has to count; here z is decoded
into a plan with a slice for every step, and a step sees its slice and the tokens before. There is
no recurrent state: with teacher forcing all steps are one matrix product, and a generated step
costs the same however long the window is. Decoders differ in how they make the plan from z.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from aeplug.config import PartConfig, setting
from aeplug.interfaces import Context, DataShape, Sampling, ScheduleValues
from aeplug_music.nets.hierarchy import ResidualMLP
from aeplug_music.nets.history import AGREEMENTS, Agreement, agreement, bars_back, corrupt_history
from aeplug_music.nets.reference_pitch import (
    bias_reference,
    estimate_reference,
    shift_bias,
    to_absolute,
    to_relative,
)
from aeplug_music.nets.token_output import TokenOutput, draw_class, draw_token
from aeplug_music.nets.window_shape import count_bars, lengths_by_metre
from aeplug_music.score.metres import STEPS_PER_QUARTER
from aeplug_music.score.tokens import CLASSES, FIRST_ONSET, HOLD

#: Token of steps before the window's first.
START = CLASSES
#: Number of preceding tokens, and of preceding onsets, that a step sees.
TOKENS_BACK, ONSETS_BACK = 4, 3


class StepConfig(PartConfig):
    """Settings of the steps."""

    slice: int = setting(64, "width of a step's slice of the plan", unit="units", ge=1)
    embedding: int = setting(24, "width of a past token's embedding", unit="units", ge=1)
    agreement: int = setting(
        0,
        "width of the embedding of how long the past has equalled that of 1, 2, 4 and 8 bars "
        "before, which shows that a section is being repeated; 0: none",
        unit="units",
        ge=0,
    )
    token_noise: float = setting(
        0.0,
        "share of past tokens replaced by those of another window, in training",
        ge=0,
        le=0.5,
    )
    step_width: int = setting(160, "width of a step's vector", unit="units", ge=1)
    step_layers: int = setting(1, "residual layers per step", unit="layers", ge=0)


class StepwiseDecoder(nn.Module):
    """Base of decoders that make a plan of z; slice and history -> token.

    A subclass implements :meth:`plan`, and :meth:`places`, the positions of steps.
    """

    def __init__(self, config: StepConfig, shape: DataShape, places: int) -> None:
        super().__init__()
        bars = count_bars(shape)
        self.steps, self.slice = shape.target[0], config.slice
        self.token_noise = config.token_noise
        step_width = config.step_width
        lengths = lengths_by_metre(shape)
        self.register_buffer("lengths", lengths, persistent=False)
        self.register_buffer("bar", lengths // bars, persistent=False)
        self.lengths: Tensor
        self.bar: Tensor
        self.back = bars_back(bars)
        views = TOKENS_BACK + ONSETS_BACK + len(self.back)
        # One table for all views, each with its own rows.
        self.past = nn.Embedding(views * (CLASSES + 1), config.embedding)
        self.register_buffer("views", torch.arange(views) * (CLASSES + 1), persistent=False)
        self.views: Tensor
        self.place = nn.Embedding(places, step_width)
        seen = config.slice + views * config.embedding
        self.agreement: nn.Embedding | None = None
        if config.agreement:
            self.agreement = nn.Embedding(len(self.back) * AGREEMENTS, config.agreement)
            lags = torch.arange(len(self.back)) * AGREEMENTS
            self.register_buffer("lags", lags, persistent=False)
            self.lags: Tensor
            seen += len(self.back) * config.agreement
        self.step_enter = nn.Linear(seen, step_width)
        self.step_layers = nn.Sequential(
            *(ResidualMLP(step_width, 2 * step_width) for _ in range(config.step_layers))
        )
        self.step_norm = nn.LayerNorm(step_width)
        self.step_hidden = nn.Linear(step_width, step_width)
        self.step_logits = nn.Linear(step_width, CLASSES)
        for table, deviation in ((self.past, 0.3), (self.place, 0.1)):
            nn.init.normal_(table.weight, std=deviation)

    def plan(self, z: Tensor, metre: Tensor) -> tuple[Tensor, Tensor]:
        """Latents -> slices ``(B, T, slice)`` and logits of the reference pitch ``(B, 128)``."""
        raise NotImplementedError

    def places(self, metre: Tensor, steps: Tensor) -> Tensor:
        """Position of each of ``steps`` ``(S,)`` in metres ``(B,)``: int64 ``(B, S)``."""
        raise NotImplementedError

    def forward(self, z: Tensor, context: Context, schedule_values: ScheduleValues) -> TokenOutput:
        """Latents ``(B, D)`` and ``context.target`` for teacher forcing -> logits."""
        assert context.target is not None
        metre = context.cond["metre"]
        plan, reference = self.plan(z, metre)
        tokens = to_relative(context.target, estimate_reference(context.target))
        past = tokens
        if self.training and self.token_noise:
            past = corrupt_history(tokens, self.token_noise)
        before = functional.pad(past[:, :-1], (1, 0), value=START)
        bar = self.bar[metre]
        views, agreements = history(before, bar, self.back), None
        if self.agreement is not None:
            agreements = agreement(before, lags_in_steps(bar, self.back))
        steps = torch.arange(self.steps, device=z.device)
        return TokenOutput(self._step(plan, views, agreements, metre, steps), reference)

    @torch.no_grad()
    def generate(self, z: Tensor, context: Context, sampling: Sampling) -> Tensor:
        """Tokens int64 ``(B, T)``; steps beyond the metre's length are 0."""
        metre = context.cond["metre"]
        plan, reference_logits = self.plan(z, metre)
        bias = sampling.logit_bias
        if bias is not None:
            quarters = self.steps // STEPS_PER_QUARTER
            reference_logits = reference_logits + bias_reference(bias, quarters)
        reference = draw_class(reference_logits, sampling)
        if bias is not None:
            sampling = replace(sampling, logit_bias=shift_bias(bias, reference))
        past = Past(len(z), self.bar[metre], self.back)
        steps = int(self.lengths[metre].max())
        tokens = torch.full((len(z), self.steps), HOLD, dtype=torch.long, device=z.device)
        for step in range(steps):
            now = torch.tensor([step], device=z.device)
            logits = self._step(
                plan[:, step : step + 1], past.views(), past.agreements(), metre, now
            )
            tokens[:, step] = draw_token(sampling.add_bias(logits[:, 0], step), sampling)
            past.add(tokens[:, step])
        tokens = to_absolute(tokens, reference)
        counts = torch.arange(self.steps, device=z.device) < self.lengths[metre].unsqueeze(1)
        return torch.where(counts, tokens, HOLD)

    def _step(
        self,
        plan: Tensor,
        views: Tensor,
        agreements: Tensor | None,
        metre: Tensor,
        steps: Tensor,
    ) -> Tensor:
        """Slices, views and agreements ``(B, S, ...)`` at ``steps`` ``(S,)`` -> logits."""
        seen = [plan, self.past(views + self.views).flatten(2).to(plan.dtype)]
        if self.agreement is not None:
            assert agreements is not None
            seen.append(self.agreement(agreements + self.lags).flatten(2).to(plan.dtype))
        place = self.place(self.places(metre, steps))
        entered = self.step_enter(torch.cat(seen, -1))
        # bfloat16 under autocast, as all that follows.
        x = entered + place.to(entered.dtype)
        x = self.step_norm(self.step_layers(x))
        return self.step_logits(functional.gelu(self.step_hidden(x), approximate="tanh"))


def history(before: Tensor, bar: Tensor, back: tuple[int, ...] = (1,)) -> Tensor:
    """Past tokens that each step sees: int64 ``(B, S, V)``.

    The four tokens before, the last three onsets (HOLD if there are fewer), and the tokens ``back``
    bars ago.

    Args:
        before: int64 ``(B, S)``; at s the token of step s - 1, START at 0.
        bar: steps of a bar, int64 ``(B,)``.
        back: numbers of bars.
    """
    count, steps = before.shape
    places = torch.arange(steps, device=before.device)
    onsets = (before >= FIRST_ONSET) & (before < START)
    # Position of the last onset up to each step, then of the one before that, and so on.
    last = torch.where(onsets, places, -1).cummax(1).values
    place = last.clamp(min=0)
    first = torch.where(last >= 0, before.gather(1, place), HOLD)
    second = functional.pad(first[:, :-1], (1, 0), value=HOLD).gather(1, place)
    third = functional.pad(second[:, :-1], (1, 0), value=HOLD).gather(1, place)
    earlier = [functional.pad(before, (by, 0), value=START)[:, :steps] for by in range(TOKENS_BACK)]
    far = []
    for bars in back:
        ago = (places.unsqueeze(0) - bars * bar.unsqueeze(1) + 1).expand(count, steps)
        far.append(torch.where(ago >= 1, before.gather(1, ago.clamp(min=0)), START))
    return torch.stack([*earlier, first, second, third, *far], 2)


def lags_in_steps(bar: Tensor, back: tuple[int, ...]) -> Tensor:
    """Numbers of bars in steps: bars of ``(B,)`` steps -> int64 ``(B, len(back))``."""
    return torch.stack([by * bar for by in back], 1)


class Past:
    """The last rows of :func:`history` and of agreement, updated token by token.

    Args:
        count: number of windows, B.
        bar: steps of a bar, int64 ``(B,)``.
        back: bars that a step looks back.
    """

    def __init__(self, count: int, bar: Tensor, back: tuple[int, ...]) -> None:
        self._ago = lags_in_steps(bar, back)
        self._agreement = Agreement(self._ago)
        self._longest = int(self._ago.max())
        full = torch.full((count, self._longest), START, dtype=torch.long, device=bar.device)
        self._tokens = full  # (B, steps), behind as much padding as a view looks back
        self._onsets = torch.full((count, ONSETS_BACK), HOLD, device=bar.device)

    def views(self) -> Tensor:
        """Past tokens that the next step sees, int64 ``(B, 1, V)``."""
        tokens = self._tokens
        near = tokens[:, -TOKENS_BACK:].flip(1)
        far = tokens.gather(1, tokens.shape[1] - self._ago)
        return torch.cat([near, self._onsets, far], 1).unsqueeze(1)

    def agreements(self) -> Tensor:
        """Classes of agreement that the next step sees, int64 ``(B, 1, L)``."""
        return self._agreement.classes()

    def add(self, token: Tensor) -> None:
        """Add the next token of each window, int64 ``(B,)``."""
        token_ago = self._tokens.gather(1, self._tokens.shape[1] - self._ago)
        self._agreement.add(token_ago == token.unsqueeze(1))
        self._tokens = torch.cat([self._tokens[:, -self._longest + 1 :], token.unsqueeze(1)], 1)
        onset = (token >= FIRST_ONSET).unsqueeze(1)
        onsets = torch.cat([token.unsqueeze(1), self._onsets[:, :-1]], 1)
        self._onsets = torch.where(onset, onsets, self._onsets)
