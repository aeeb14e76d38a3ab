"""A document that goes on: new pieces behind those that a file holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from aeplug.inference import Results, number_documents
from aeplug.interfaces import Document, Sampling, SequencedCodec, supports
from aeplug.model import Model, constrain
from aeplug.runtime import Progress
from aeplug_priors.sequence.prior import SequencePrior, check_counts, default_style, seed_draws

#: Name of the sheet of continuations.
PICTURE = "continuations.png"


def make_continuations(
    model: Model,
    path: str | Path,
    count: int = 4,
    pieces: int = 8,
    *,
    seed: int = 0,
    sampling: Sampling | None = None,
    to: Mapping[str, Any] | None = None,
) -> Results:
    """A file, as the codec reads it, with new pieces behind it, in several ways.

    Args:
        model: what reads and continues.
        path: the file.
        count: continuations.
        pieces: new pieces in each.
        seed: of every draw.
        sampling: how to decode; None: at the task's own temperature.
        to: change the class from there on: condition's name -> class.

    Raises:
        ConfigError: documents of this model do not go on.
        FileError: the file cannot be read, or holds no piece to go on from.
    """
    path, task = Path(path), model.spec.name
    original, sampling = model.read(path), sampling or Sampling(model.spec.sampling.temperature)
    documents = continue_documents(model, original, count, pieces, seed, sampling, to)
    number_documents(documents, f"{path.stem}-continued")
    rows = [("input", [original]), *(("", [document]) for document in documents)]
    results = Results(documents, PICTURE, f"{task}: {path.name}, continued", rows, [path])
    results.add_readings([original])
    return results


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
    :func:`generate_documents`.

    Raises:
        ConfigError: documents of this model do not go on.
        FileError: the document holds no piece to go on from.
    """
    model.require("continue")
    check_counts(count, pieces)
    assert supports(model.codec, SequencedCodec)
    prior = model.priors.get(SequencePrior.kind)
    assert isinstance(prior, SequencePrior)
    sampling = constrain(model, sampling, document)
    raw = model.codec.context_pieces(document)
    batch = model.prepare_file(raw)
    mean = model.posterior(batch)[0].mode().float()
    classes: dict[str, Tensor] = {name: value[-1:] for name, value in batch.cond.items()}
    classes |= model.encode_conditions(to, 1)
    documents = []
    with Progress(count * pieces, "pieces") as progress:
        for number in range(count):
            data = []
            continuation = prior.pieces(
                model,
                pieces,
                classes,
                seed_draws(model, sampling, seed, number),
                mean,
                batch.cond,
                list(batch.target),
                style=default_style(model),
            )
            for piece in continuation:
                data.append(piece.data)
                progress.update(number * pieces + len(data))
            each = {name: value.expand(pieces) for name, value in classes.items()}
            documents.append(model.codec.append_pieces(document, torch.stack(data), each))
    return documents
