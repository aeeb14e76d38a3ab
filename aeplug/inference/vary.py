"""Variations of a document: turned towards draws from a prior, or with noise on its latents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from aeplug.errors import ConfigError
from aeplug.interfaces import Document, Sampling
from aeplug.model.model import Model
from aeplug.model.sampling import constrain
from aeplug.model.walks import vary_batch


@torch.no_grad()
def vary_document(
    model: Model,
    document: Document,
    count: int,
    similarity: float,
    seed: int,
    sampling: Sampling,
    to: Mapping[str, Any] | None = None,
    prior: str = "",
) -> list[Document]:
    """``count`` variations: the document's latents turned towards draws from the prior.

    What the decoder sees of the input beside its latents is kept; see :meth:`aeplug.Model.vary`
    for the arguments.

    Raises:
        ConfigError: the model has no prior, or none of this name.

    Example:
        >>> document = model.codec.join(model.sample(1), {}, None)
        >>> len(vary_document(model, document, 3, similarity=0.8, seed=1, sampling=Sampling()))
        3
    """
    batch, sampling = model.pieces(document), constrain(model, sampling, document)
    variations, cond = vary_batch(model, batch, count, similarity, seed, prior, to, sampling)
    return [model.codec.join(data, cond, document) for data in variations]


@torch.no_grad()
def add_noise(
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

    Example:
        >>> document = model.codec.join(model.sample(1), {}, None)
        >>> rows = add_noise(model, document, [0.0, 0.5], 4, seed=1, sampling=Sampling())
        >>> [len(row) for row in rows]
        [4, 4]
    """
    if "vary" not in model.spec.verbs:
        raise ConfigError(f"'{model.spec.name}' cannot vary. It can: {', '.join(model.verbs)}")
    if any(not sigma >= 0 for sigma in sigmas):
        raise ConfigError(f"sigma {min(sigmas)}: expected 0 or more")
    batch = model.pieces(document)
    z = model.posterior(batch)[0].mode()
    cond = {**batch.cond, **model.encode_conditions(to, len(z))}
    generator = model.generator(seed)
    draws = [torch.empty_like(z).normal_(generator=generator) for _ in range(count)]
    sampling = replace(constrain(model, sampling, document), generator=generator)
    rows = []
    for sigma in sigmas:
        decoded = [model.decode(z + sigma * draw, cond, sampling, batch.input) for draw in draws]
        if not all(bool(torch.isfinite(data).all()) for data in decoded):
            raise ConfigError(f"sigma {sigma:g} is so far out that what is decoded is not finite")
        rows.append([model.codec.join(data, cond, document) for data in decoded])
    return rows
