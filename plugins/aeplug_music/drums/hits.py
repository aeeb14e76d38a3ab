"""Hits of nine drums at a step: an exact distribution over 512 combinations.

Drum by drum: ``logit[d] = h[d] + sum over d' < d of W[d, d'] * hit[d']``, where h depends on the
step and W does not. So an unseen combination has the probability that follows from its drums, while
a softmax over 512 classes would have to learn each separately.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from aeplug.interfaces import Context, DataShape, Sampling, ScheduleValues
from aeplug_music.drums.kit import COMBINATIONS, DRUMS
from aeplug_music.drums.steps import DrumSteps, DrumStepsConfig, Past
from aeplug_music.drums.window_shape import combination_to_bits
from aeplug_music.nets.token_output import draw_class
from aeplug_music.nets.window_shape import step_mask

#: Steps whose 512 combinations are evaluated at a time.
_AT_ONCE = 4096


class HitChain(nn.Module):
    """A step's vector -> logits of each drum given the drums of lower number."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, width)
        self.logits = nn.Linear(width, DRUMS)
        # A flat vector of weights per pair: not a matrix that Muon should orthogonalise.
        self.chain = nn.Parameter(torch.zeros(DRUMS * DRUMS))
        self.register_buffer("lower", torch.ones(DRUMS, DRUMS).tril(-1), persistent=False)
        self.lower: Tensor

    def forward(self, vectors: Tensor) -> Tensor:
        """``(..., width)`` -> h, the logits if no lower drum is hit, ``(..., 9)``."""
        h: Tensor = self.logits(functional.gelu(self.hidden(vectors), approximate="tanh"))
        return h.float()

    def weights(self) -> Tensor:
        """W, ``(9, 9)``, 0 on and above the diagonal."""
        return self.chain.float().reshape(DRUMS, DRUMS) * self.lower


@dataclass
class HitOutput:
    """Distribution of a window's hits given its latent, with teacher forcing.

    Attributes:
        alone: logits if no lower drum is hit, float32 ``(B, T, 9)``.
        weights: of the hits of lower drums, ``(9, 9)``.
    """

    alone: Tensor
    weights: Tensor

    def hit_nll(self, bits: Tensor) -> Tensor:
        """Negative log-likelihood of each step's hits ``(B, T, 9)``, nats, ``(B, T)``."""
        logits = self.alone + bits @ self.weights.T
        return functional.binary_cross_entropy_with_logits(logits, bits, reduction="none").sum(-1)

    def nll(self, target: Tensor, lengths: Tensor) -> Tensor:
        """Negative log-likelihood of windows int64 ``(B, T)`` over valid steps, nats, ``(B,)``."""
        mask = step_mask(lengths, target.shape[1])
        return (self.hit_nll(combination_to_bits(target)) * mask).sum(1)

    def most_likely(self) -> Tensor:
        """Most likely combination at each step given the true ones before, int64 ``(B, T)``."""
        steps = self.alone.flatten(0, 1)
        best = [combination_logits(part, self.weights).argmax(-1) for part in steps.split(_AT_ONCE)]
        return torch.cat(best).reshape(self.alone.shape[:2])


def combination_logits(alone: Tensor, weights: Tensor) -> Tensor:
    """Log-probabilities of all combinations: ``(S, 9)`` and ``(9, 9)`` -> ``(S, 512)``."""
    bits = combination_to_bits(torch.arange(COMBINATIONS, device=alone.device))  # (512, 9)
    given_lower = bits @ weights.T
    log_probs = alone.new_zeros(len(alone), 1)
    # Drum by drum: a drum depends only on lower ones, which have few combinations.
    for drum in range(DRUMS):
        logits = alone[:, drum : drum + 1] + given_lower[: 1 << drum, drum]
        hit, silent = functional.logsigmoid(logits), functional.logsigmoid(-logits)
        log_probs = torch.cat([log_probs + silent, log_probs + hit], 1)
    return log_probs


class DrumDecoder(nn.Module):
    """z -> hits, step by step."""

    Config = DrumStepsConfig
    distribution = "combinations of nine drums a step"

    def __init__(
        self, config: DrumStepsConfig, shape: DataShape, latent_shape: tuple[int, ...]
    ) -> None:
        super().__init__()
        if not shape.classes:
            raise ValueError(f"drum-hits decodes combinations, not items of {shape.target}")
        self.steps = DrumSteps(config, shape, latent_shape, DRUMS)
        self.hits = HitChain(config.step_width)

    def forward(self, z: Tensor, context: Context, schedule_values: ScheduleValues) -> HitOutput:
        """Latents ``(B, D)`` and ``context.target`` for teacher forcing -> logits."""
        assert context.target is not None
        views = self.steps.history(combination_to_bits(context.target))
        vectors = self.steps.vectors(self.steps.plan(z), views)
        return HitOutput(self.hits(vectors), self.hits.weights())

    @torch.no_grad()
    def generate(self, z: Tensor, context: Context, sampling: Sampling) -> Tensor:
        """Combinations int64 ``(B, T)``."""
        plan, past = self.steps.plan(z), Past(self.steps, len(z), z.device)
        weights, tokens = self.hits.weights(), []
        for step in range(self.steps.steps):
            vector = self.steps.vectors(plan[:, step : step + 1], past.views(), step)
            logits = combination_logits(self.hits(vector[:, 0]), weights)
            tokens.append(draw_class(sampling.add_bias(logits, step), sampling))
            past.add(combination_to_bits(tokens[-1]))
        return torch.stack(tokens, 1)
