"""Output of melody decoders, and how tokens are sampled from it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from aeplug.interfaces import Sampling
from aeplug_music.nets.reference_pitch import estimate_reference, to_absolute, to_relative
from aeplug_music.nets.window_shape import step_mask
from aeplug_music.score.tokens import FIRST_ONSET


@dataclass
class TokenOutput:
    """Distribution of a window given its latent, with teacher forcing.

    Attributes:
        logits: of each step given the steps before, ``(B, T, classes)``.
        reference: logits of the reference pitch ``(B, 128)`` that tokens are relative to; None:
            tokens are absolute.
    """

    logits: Tensor
    reference: Tensor | None = None

    def nll(self, target: Tensor, lengths: Tensor) -> Tensor:
        """Negative log-likelihood of windows over their valid steps, nats, ``(B,)``."""
        total = torch.zeros(len(target), device=target.device)
        if self.reference is not None:
            pitch = estimate_reference(target)
            target = to_relative(target, pitch)
            total = functional.cross_entropy(self.reference.float(), pitch, reduction="none")
        losses = functional.cross_entropy(
            self.logits.float().flatten(0, 1), target.flatten(), reduction="none"
        ).reshape(target.shape)
        return total + (losses * step_mask(lengths, target.shape[1])).sum(1)

    def most_likely(self) -> Tensor:
        """Most likely token at each step given the true ones before, int64 ``(B, T)``."""
        tokens = self.logits.argmax(-1)
        if self.reference is None:
            return tokens
        return to_absolute(tokens, self.reference.argmax(-1))


def draw_token(logits: Tensor, sampling: Sampling) -> Tensor:
    """Sample a token from each row of ``(B, classes)``: int64 ``(B,)``.

    Whether a note is held, ends or begins is sampled at a temperature half way to 1: low
    temperatures favour the most common event, a hold, and tunes would drag. Pitches are sampled at
    the temperature itself.
    """
    if sampling.greedy:
        return logits.argmax(-1)
    logs = logits.float().log_softmax(-1)
    rests, onsets = logs[..., :FIRST_ONSET], logs[..., FIRST_ONSET:]
    onset = onsets.logsumexp(-1, keepdim=True)
    kinds = (torch.cat([rests, onset], -1) / ((1 + sampling.temperature) / 2)).log_softmax(-1)
    pitches = ((onsets - onset) / sampling.temperature).log_softmax(-1)
    tempered = torch.cat([kinds[..., :FIRST_ONSET], kinds[..., FIRST_ONSET:] + pitches], -1)
    return _sample(tempered, sampling)


def draw_class(logits: Tensor, sampling: Sampling) -> Tensor:
    """Sample a class from each row of ``(B, classes)``: int64 ``(B,)``."""
    if sampling.greedy:
        return logits.argmax(-1)
    return _sample(logits.float() / sampling.temperature, sampling)


def _sample(logits: Tensor, sampling: Sampling) -> Tensor:
    if 0 < sampling.top_k < logits.shape[-1]:
        least = logits.topk(sampling.top_k, dim=-1).values[..., -1:]
        logits = logits.masked_fill(logits < least, float("-inf"))
    if sampling.top_p < 1:
        ordered, order = logits.sort(dim=-1, descending=True)
        probabilities = ordered.softmax(-1)
        # A class is kept while those before it sum to less than top_p: at least one is.
        beyond = probabilities.cumsum(-1) - probabilities >= sampling.top_p
        ordered = ordered.masked_fill(beyond, float("-inf"))
        logits = torch.empty_like(logits).scatter_(-1, order, ordered)
    return torch.multinomial(logits.softmax(-1), 1, generator=sampling.generator).squeeze(-1)
