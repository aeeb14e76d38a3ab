"""Walks through a model's latent space: from one batch to another, and around one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from aeplug.errors import AeplugError
from aeplug.interfaces import Batch, Sampling
from aeplug.latents.paths import interpolate_latents
from aeplug.model.capabilities import require_verb
from aeplug.model.sampling import item_prior
from aeplug.model.trained import TrainedModel


@torch.no_grad()
def iter_steps(
    model: TrainedModel, ends: Sequence[Batch], steps: int, sampling: Sampling | None
) -> Iterator[tuple[Tensor, int]]:
    """Data ``(B, *shape.target)`` of each step between two batches, and its nearest end, 0 or 1.

    Raises:
        AeplugError: not as many items at both ends, or no step.
    """
    counts = [len(end.input) for end in ends]
    if counts[0] != counts[1] or steps < 1:
        raise AeplugError(
            f"expected as many items at both ends and steps from 1, got {counts[0]}, {counts[1]} "
            f"and {steps}"
        )
    codes = [model.posterior(end)[0].mode() for end in ends]
    for step in range(steps):
        t = step / max(steps - 1, 1)
        z = interpolate_latents(codes[0], codes[1], t, spherical=model.has_prior)
        nearest = 0 if t < 0.5 else 1
        yield model.decode(z, ends[nearest].cond, sampling, ends[nearest].input), nearest


@torch.no_grad()
def vary_batch(
    model: TrainedModel,
    batch: Batch,
    count: int,
    similarity: float,
    seed: int,
    prior: str,
    to: Mapping[str, Any] | None,
    sampling: Sampling | None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """As :meth:`aeplug.Model.vary`, of a prepared batch; also the conditions of the results."""
    prior = prior or model.default_prior
    require_verb(model, "vary", prior)
    source, generator = item_prior(model, prior), model.generator(seed)
    sampling = replace(sampling or Sampling(greedy=True), generator=generator)
    z = model.posterior(batch)[0].mode()
    cond = {**batch.cond, **model.encode_conditions(to, len(z))}
    variations = []
    for _ in range(count):
        draw = source.sample(len(z), 1.0, generator, cond)
        turned = similarity * z + math.sqrt(1 - similarity**2) * draw
        variations.append(model.decode(turned, cond, sampling, batch.input))
    return torch.stack(variations), cond
