"""Whole documents of many pieces: made anew, or made to go on, by a prior over sequences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from aeplug.errors import ConfigError
from aeplug.interfaces import Batch, Document, Sampling, SequencedCodec
from aeplug.priors.mixture import SEQUENCE, STYLE
from aeplug.runtime.console import Progress

if TYPE_CHECKING:
    from aeplug.inference.generation import Model
    from aeplug_priors.sequence.prior import SequencePrior
    from aeplug_priors.style.prior import StylePrior

#: A document's draws are of a generator of its own, so that it is the same however many are made.
_SEED_STRIDE = 1_000_003


def generate_documents(
    model: Model,
    count: int,
    pieces: int,
    seed: int,
    sampling: Sampling,
    cond: Mapping[str, Any] | None = None,
) -> list[Document]:
    """``count`` documents of ``pieces`` pieces each, which end with the last.

    Args:
        model: with a prior of the kind ``sequence``, or data to fit one on.
        count: how many.
        pieces: of each, at least 1.
        seed: of every draw; a document is the same however many follow.
        sampling: how to decode; the temperature also scales latents' distance from the middle.
        cond: condition's name -> class, one for all of a document, or int64 ``(count,)``.

    Raises:
        ConfigError: there is no such prior and no data to fit one on.
    """
    _check(count, pieces)
    prior = sequence_prior(model)
    classes = model.drawn_conditions(cond, count, seed, model.default_prior)
    documents = []
    with Progress(count * pieces, "pieces") as progress:
        for number in range(count):
            here = {name: value[number : number + 1] for name, value in classes.items()}
            made = []
            schedule_values = _own(model, sampling, seed, number)
            for piece in prior.pieces(model, pieces, here, schedule_values, style=_style(model)):
                made.append(piece.data)
                progress.update(number * pieces + len(made))
            each = {name: value.expand(pieces) for name, value in here.items()}
            documents.append(model.codec.join(torch.stack(made), each, None))
    return documents


@torch.no_grad()
def continue_documents(
    model: Model,
    document: Document,
    count: int,
    pieces: int,
    seed: int,
    sampling: Sampling,
    to: Mapping[str, Any] | None = None,
) -> list[Document]:
    """A document, as the codec reads it, with ``pieces`` more behind it, in ``count`` ways.

    The classes of its last piece go on, unless ``to`` names others. Other arguments as for
    :func:`composed_documents`.

    Raises:
        ConfigError: documents of this model do not go on.
        FileError: the document holds no piece to go on from.
    """
    model.require("continue")
    _check(count, pieces)
    assert isinstance(model.codec, SequencedCodec)
    prior = sequence_prior(model)
    raw = model.codec.passage(document)
    batch: Batch = model.given({name: rows.to(model.device) for name, rows in raw.items()})
    mean = model.posterior(batch)[0].mode().float()
    here: dict[str, Tensor] = {name: value[-1:] for name, value in batch.cond.items()}
    here |= model.told(to, 1)
    found = []
    with Progress(count * pieces, "pieces") as progress:
        for number in range(count):
            made = []
            going_on = prior.pieces(
                model,
                pieces,
                here,
                _own(model, sampling, seed, number),
                mean,
                batch.cond,
                list(batch.target),
                style=_style(model),
            )
            for piece in going_on:
                made.append(piece.data)
                progress.update(number * pieces + len(made))
            each = {name: value.expand(pieces) for name, value in here.items()}
            found.append(model.codec.followed(document, torch.stack(made), each))
    return found


def sequence_prior(model: Model) -> SequencePrior:
    """The model's prior over whole documents, where need be fitted now.

    Raises:
        ConfigError: there is none, and no data to fit one on.
        CheckpointError: the one in the checkpoint is damaged.
    """
    found: Any = model.fitted_prior(SEQUENCE)
    prior: SequencePrior = found
    return prior


def _style(model: Model) -> StylePrior | None:
    """Of a model that was adapted, what its new pieces are drawn from."""
    if model.default_prior != STYLE:
        return None
    found: Any = model.fitted_prior(STYLE)
    style: StylePrior = found
    return style


def _own(model: Model, sampling: Sampling, seed: int, number: int) -> Sampling:
    generator = model.generator((seed * _SEED_STRIDE + number) % 2**63)
    return replace(sampling, generator=generator)


def _check(count: int, pieces: int) -> None:
    if count < 1 or pieces < 1:
        raise ConfigError(f"{count} documents of {pieces} pieces: expected at least 1 of each")
