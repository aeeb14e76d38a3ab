"""Noise of a chosen strength on the latents of an input: what the space around it decodes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from aeplug.errors import ConfigError

if TYPE_CHECKING:
    from aeplug.inference.generation import Model
    from aeplug.interfaces import Document, Sampling


@torch.no_grad()
def noisy_documents(
    model: Model,
    document: Document,
    sigmas: Sequence[float],
    count: int,
    seed: int,
    sampling: Sampling,
    to: Mapping[str, Any] | None = None,
) -> list[list[Document]]:
    """A document with N(0, sigma^2) added to its latents, for each sigma ``count`` times.

    The noise is added to the posterior's mode, in the latent's own units: of a variational model
    the prior's standard deviation is 1; an autoencoder without a prior has a scale of its own.
    Every sigma gets the same draws, scaled, so that a column goes one way further and further.

    Args:
        model: any with a latent that is decoded alone; it needs no prior.
        document: the input.
        sigmas: standard deviations, from 0.
        count: draws.
        seed: of the draws.
        sampling: how to decode.
        to: change the class: condition's name -> class.

    Returns:
        A row a sigma, of ``count`` documents.

    Raises:
        ConfigError: a sigma below 0 or beyond what the decoder can take, or a task that cannot be
            varied.
    """
    if "vary" not in model.spec.verbs:
        raise ConfigError(f"'{model.spec.name}' cannot vary. It can: {', '.join(model.verbs)}")
    if any(not sigma >= 0 for sigma in sigmas):
        raise ConfigError(f"sigma {min(sigmas)}: expected 0 or more")
    batch = model.pieces(document)
    z = model.posterior(batch)[0].mode()
    cond = {**batch.cond, **model.told(to, len(z))}
    generator = model.generator(seed)
    draws = [torch.empty_like(z).normal_(generator=generator) for _ in range(count)]
    sampling = replace(sampling, generator=generator)
    found = []
    for sigma in sigmas:
        decoded = [model.decode(z + sigma * draw, cond, sampling, batch.input) for draw in draws]
        if not all(bool(torch.isfinite(data).all()) for data in decoded):
            raise ConfigError(f"sigma {sigma:g} is so far out that what is decoded is not finite")
        found.append([model.codec.join(data, cond, document) for data in decoded])
    return found
