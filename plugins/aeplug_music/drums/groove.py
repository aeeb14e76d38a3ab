"""Hits with velocity and timing, step by step: the decoder of ``groove``.

Within a step first the hits (:mod:`aeplug_music.drums.hits`), then velocity and offset of each
given all hits of the step. So a pattern can be kept exactly, by using its hits in place of sampled
ones: there is no second model, and velocities and offsets depend on the pattern.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from aeplug.config import setting
from aeplug.interfaces import Context, DataShape, Sampling, ScheduleValues
from aeplug_music.drums.hits import HitChain, HitOutput, combination_logits
from aeplug_music.drums.kit import DRUMS, MAX_VELOCITY, OFFSETS
from aeplug_music.drums.steps import DrumSteps, DrumStepsConfig, Past
from aeplug_music.drums.window_shape import INPUT_VALUES, VALUES, combination_to_bits
from aeplug_music.nets.hierarchy import ResidualMLP
from aeplug_music.nets.token_output import draw_class
from aeplug_music.nets.window_shape import step_mask

#: Initial location of velocities: about the mean of the data.
_USUAL_VELOCITY = 0.5
#: Initial log-scale of velocity and offset, and its bounds.
_USUAL_SCALE, _NARROWEST, _WIDEST = -2.0, -6.0, 1.0


@dataclass(frozen=True)
class ValueGrid:
    """Values of a quantity: ``low``, ``low + step`` ... ``high``."""

    low: float
    high: float
    step: float

    def log_prob(self, value: Tensor, logistic: Tensor) -> Tensor:
        """Log-probability of values under a discretised logistic (Salimans et al., 2017), nats.

        The tails belong to the ends, so that the probabilities of the grid's values sum to 1.

        Args:
            value: on the grid, ``(...)``.
            logistic: location and natural logarithm of the scale, in the value's units,
                ``(..., 2)``.
        """
        location, scale = logistic.unbind(-1)
        narrow = torch.exp(-scale)
        above = (value + self.step / 2 - location) * narrow
        below = (value - self.step / 2 - location) * narrow
        # log(sigmoid(a) - sigmoid(b)) without cancellation.
        width = above - below
        inside = (
            functional.logsigmoid(above)
            + functional.logsigmoid(-below)
            + torch.log(-torch.expm1(-width))
        )
        log_probs = torch.where(
            value < self.low + self.step / 2, functional.logsigmoid(above), inside
        )
        return torch.where(
            value > self.high - self.step / 2, functional.logsigmoid(-below), log_probs
        )

    def sample_values(self, logistic: Tensor, sampling: Sampling) -> Tensor:
        """A value of the grid for each location and log-scale ``(..., 2)``.

        The most likely, or a sample; ``top_k`` and ``top_p`` do not apply.
        """
        location, scale = logistic.unbind(-1)
        value = location
        if not sampling.greedy:
            chance = torch.empty_like(location)
            chance.uniform_(1e-4, 1 - 1e-4, generator=sampling.generator)
            value = location + torch.logit(chance) * torch.exp(scale) * sampling.temperature
        return self.nearest(value)

    def nearest(self, value: Tensor) -> Tensor:
        """Round to the nearest value of the grid."""
        value = value.clamp(self.low, self.high)
        return self.low + ((value - self.low) / self.step).round() * self.step


VELOCITIES = ValueGrid(1 / MAX_VELOCITY, 1.0, 1 / MAX_VELOCITY)
OFFSET_GRID = ValueGrid(-0.5, 0.5 - 1 / OFFSETS, 1 / OFFSETS)


@dataclass
class GrooveOutput:
    """Distribution of a window's hits, velocities and offsets, with teacher forcing.

    Attributes:
        hits: distribution of the hits.
        velocity: location and log-scale of each drum's velocity, ``(B, T, 9, 2)``.
        offset: location and log-scale of each drum's offset, steps, ``(B, T, 9, 2)``.
    """

    hits: HitOutput
    velocity: Tensor
    offset: Tensor

    def nll(self, target: Tensor, lengths: Tensor) -> Tensor:
        """Negative log-likelihood of hits, and of their velocities and offsets, nats, ``(B,)``."""
        hits, velocity, offset = target.split(DRUMS, -1)
        playing = VELOCITIES.log_prob(velocity, self.velocity)
        playing = playing + OFFSET_GRID.log_prob(offset, self.offset)
        steps = self.hits.hit_nll(hits) - (playing * hits).sum(-1)
        return (steps * step_mask(lengths, target.shape[1])).sum(1)


class GrooveConfig(DrumStepsConfig):
    """Settings of the decoder."""

    past_noise: float = setting(
        0.08,
        "standard deviation of noise on past velocities (in 0..1) in training, and half of it on "
        "past offsets (in steps), against the accumulation of the model's own errors",
        ge=0,
    )
    past_hidden: float = setting(
        0.25, "share of training windows that see only the hits of their past", ge=0, le=1
    )


class GrooveDecoder(nn.Module):
    """z -> hits, velocities and offsets; hits that the input fixes are kept."""

    Config = GrooveConfig
    distribution = "hits, and velocities and offsets on their grids"

    def __init__(
        self, config: GrooveConfig, shape: DataShape, latent_shape: tuple[int, ...]
    ) -> None:
        super().__init__()
        if shape.classes:
            raise ValueError("drum-groove decodes velocity and timing, not combinations")
        width = config.step_width
        self.noise, self.hidden = config.past_noise, config.past_hidden
        self.steps = DrumSteps(config, shape, latent_shape, VALUES)
        self.hits = HitChain(width)
        self.see = nn.Linear(DRUMS, width)
        self.play = nn.Sequential(
            ResidualMLP(width, 2 * width), nn.LayerNorm(width), nn.Linear(width, 4 * DRUMS)
        )

    def forward(self, z: Tensor, context: Context, schedule_values: ScheduleValues) -> GrooveOutput:
        """Latents ``(B, D)`` and ``context.target`` for teacher forcing -> distributions."""
        assert context.target is not None
        past = self._add_noise(context.target) if self.training else context.target
        views = self.steps.history(_scale_offsets(past))
        vectors = self.steps.vectors(self.steps.plan(z), views)
        hits = HitOutput(self.hits(vectors), self.hits.weights())
        return GrooveOutput(hits, *self._predict_playing(vectors, context.target[..., :DRUMS]))

    @torch.no_grad()
    def generate(self, z: Tensor, context: Context, sampling: Sampling) -> Tensor:
        """Values ``(B, T, 27)``: hits 0 or 1, velocities and offsets on their grids."""
        plan, past = self.steps.plan(z), Past(self.steps, len(z), z.device)
        weights, rows = self.hits.weights(), []
        is_fixed, fixed = find_fixed_hits(context)
        for step in range(self.steps.steps):
            vector = self.steps.vectors(plan[:, step : step + 1], past.views(), step)[:, 0]
            logits = combination_logits(self.hits(vector), weights)
            logits = sampling.add_bias(logits, step)
            bits = combination_to_bits(draw_class(logits, sampling))
            if fixed is not None:
                bits = torch.where(is_fixed, fixed[:, step], bits)
            velocity, offset = self._predict_playing(vector, bits)
            values = [
                bits,
                VELOCITIES.sample_values(velocity, sampling) * bits,
                OFFSET_GRID.sample_values(offset, sampling) * bits,
            ]
            rows.append(torch.cat(values, -1))
            past.add(_scale_offsets(rows[-1]))
        return torch.stack(rows, 1)

    def _add_noise(self, target: Tensor) -> Tensor:
        """Add noise to windows as the past of training, ``(B, T, 27)``."""
        hits, velocity, offset = target.split(DRUMS, -1)
        seen = hits * (torch.rand(len(hits), 1, 1, device=hits.device) >= self.hidden)
        velocity = velocity + self.noise * torch.randn_like(velocity)
        offset = offset + self.noise / 2 * torch.randn_like(offset)
        return torch.cat([hits, velocity * seen, offset * seen], -1)

    def _predict_playing(self, vectors: Tensor, hits: Tensor) -> tuple[Tensor, Tensor]:
        """Location and log-scale of velocities and of offsets, each ``(..., 9, 2)``."""
        outputs = self.play(vectors + self.see(hits.to(vectors.dtype))).float()
        values = outputs.unflatten(-1, (DRUMS, 4))
        location = values[..., ::2] * 0.25
        scale = (values[..., 1::2] + _USUAL_SCALE).clamp(_NARROWEST, _WIDEST)
        velocity = torch.stack([location[..., 0] + _USUAL_VELOCITY, scale[..., 0]], -1)
        return velocity, torch.stack([location[..., 1], scale[..., 1]], -1)


def find_fixed_hits(context: Context) -> tuple[Tensor, Tensor | None]:
    """Windows with fixed hits, bool ``(B, 1)``, and the hits, ``(B, T, 9)``; None: no window."""
    if context.input is None or context.input.shape[-1] != INPUT_VALUES:
        return torch.zeros(0), None
    return context.input[:, 0, -1:] > 0, context.input[..., :DRUMS]


def _scale_offsets(values: Tensor) -> Tensor:
    """Scale offsets by four, since most lie within an eighth of a step."""
    return torch.cat([values[..., : 2 * DRUMS], values[..., 2 * DRUMS :] * 4], -1)
