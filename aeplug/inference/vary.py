"""Variations of a document: turned towards draws from a prior, or with noise on its latents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from aeplug.data.batching import slice_batch
from aeplug.errors import ConfigError
from aeplug.inference.file_pieces import FilePieces
from aeplug.inference.similarity import VariationSearch
from aeplug.interfaces import ComparableCodec, Document, Sampling, supports
from aeplug.model.capabilities import require_verb
from aeplug.model.model import Model
from aeplug.model.sampling import constrain, item_prior
from aeplug.model.walks import vary_batch
from aeplug.runtime.tracking import track


@dataclass(frozen=True)
class Variation:
    """A variation of a document.

    Attributes:
        document: what it is.
        similarity: to the document, 0..1, as its codec compares them, over the pieces that were not
            passed through; None: it compares none, or all were.

    Example:
        >>> Variation(Document([60, 62], "two notes"), 0.8).similarity
        0.8
    """

    document: Document
    similarity: float | None = None


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
    """``count`` variations of a document; see :func:`draw_variations`.

    Example:
        >>> document = model.codec.join(model.sample(1), {}, None)
        >>> len(vary_document(model, document, 3, similarity=0.8, seed=1, sampling=Sampling()))
        3
    """
    variations = draw_variations(model, document, count, similarity, seed, sampling, to, prior)
    return [variation.document for variation in variations]


@torch.no_grad()
def draw_variations(
    model: Model,
    document: Document,
    count: int,
    similarity: float,
    seed: int,
    sampling: Sampling,
    to: Mapping[str, Any] | None = None,
    prior: str = "",
) -> list[Variation]:
    """``count`` variations: the document's latents turned towards draws from the prior.

    All pieces of a variation are turned by one angle towards one draw, so that those that are alike
    stay alike, to where they are about as similar to the document's as was asked for. Where a codec
    compares no pieces each is turned towards a draw of its own, and ``similarity`` is the cosine of
    the angle. What the decoder sees of the input beside its latents is kept.

    Args:
        model: what encodes and decodes.
        document: the input.
        count: how many.
        similarity: 0..1; 1 is the document itself, where its pieces can be compared and its class
            is not changed.
        seed: of every draw.
        sampling: how to decode.
        to: change the class: condition's name -> class.
        prior: see :meth:`aeplug.Model.sample`.

    Raises:
        ConfigError: the model has no prior, or none of this name.

    Example:
        >>> model, greedy = aeplug.load("melody-2bar", device="cpu"), Sampling(greedy=True)
        >>> tune = sample_documents(model, 1, seed=1, sampling=greedy)[0]
        >>> variations = draw_variations(model, tune, 2, 1.0, seed=1, sampling=greedy)
        >>> [variation.similarity for variation in variations]
        [1.0, 1.0]
    """
    sampling = constrain(model, sampling, document)
    if not supports(model.codec, ComparableCodec):
        batch = model.pieces(document)
        data, cond = vary_batch(model, batch, count, similarity, seed, prior, to, sampling)
        return [Variation(model.codec.join(pieces, cond, document)) for pieces in data]
    prior = prior or model.default_prior
    require_verb(model, "vary", prior)
    pieces = FilePieces.of(model, model.codec.split(document))
    batch, passing, reference = pieces.batch, pieces.passing, pieces.results
    changed = model.encode_conditions(to, len(batch.input))
    cond, active = {**batch.cond, **changed}, torch.arange(len(reference))
    if passing is not None:
        cond, active = passing.restore_classes(cond, batch.cond), active[~passing.kept]
    is_wanted = passing is not None and similarity == 1 and not to and pieces.is_meant_alike
    if is_wanted or not len(active):
        same = replace(model.codec.join(reference, cond, document), passed=pieces.passed)
        return [Variation(same, 1.0 if is_wanted else None) for _ in range(count)]
    search = VariationSearch(
        model,
        model.codec,
        slice_batch(batch, active.to(batch.input.device)),
        reference[active],
        item_prior(model, prior),
        sampling,
        {name: value[active.to(value.device)] for name, value in changed.items()},
        seed,
    )
    variations = []
    for _ in track(range(count), count, "variations"):
        varied, data = search.vary(similarity), reference.clone()
        data[active] = varied.data.cpu().to(data.dtype)
        made = replace(model.codec.join(data, cond, document), passed=pieces.passed)
        variations.append(Variation(made, varied.similarity))
    return variations


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
    Pieces that the model does not reconstruct, and empty ones, stay as they are.

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
    pieces = FilePieces.of(model, model.codec.split(document))
    batch, passing = pieces.batch, pieces.passing
    z = model.posterior(batch)[0].mode()
    cond = {**batch.cond, **model.encode_conditions(to, len(z))}
    classes = cond if passing is None else passing.restore_classes(cond, batch.cond)
    generator = model.generator(seed)
    draws = [torch.empty_like(z).normal_(generator=generator) for _ in range(count)]
    sampling = replace(constrain(model, sampling, document), generator=generator)
    rows = []
    for sigma in sigmas:
        decoded = [model.decode(z + sigma * draw, cond, sampling, batch.input) for draw in draws]
        if not all(bool(torch.isfinite(data).all()) for data in decoded):
            raise ConfigError(f"sigma {sigma:g} is so far out that what is decoded is not finite")
        if passing is not None:
            decoded = [passing.restore(data) for data in decoded]
        row = [model.codec.join(data, classes, document) for data in decoded]
        rows.append([replace(noisy, passed=pieces.passed) for noisy in row])
    return rows
