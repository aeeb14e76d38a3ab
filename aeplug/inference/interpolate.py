"""The way between two documents, and the surface between four."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from aeplug.data.batching import count_pieces, slice_batch
from aeplug.errors import ConfigError
from aeplug.inference.even_steps import EvenWay, nearest_end
from aeplug.inference.file_pieces import FilePieces
from aeplug.interfaces import (
    ComparableCodec,
    Document,
    PassedThrough,
    Sampling,
    supports,
)
from aeplug.latents.paths import interpolate_corners
from aeplug.model.guard import Passing
from aeplug.model.model import Model
from aeplug.model.sampling import constrain
from aeplug.model.walks import iter_steps


@torch.no_grad()
def interpolate_documents(
    model: Model, a: Document, b: Document, steps: int, sampling: Sampling
) -> list[Document]:
    """``steps`` documents from ``a`` to ``b``, ends included, piece by piece.

    The longer document is cut to the pieces of the shorter. Between Gaussian posteriors the
    way is spherical (White, 2016), between plain codes straight. A condition in which the
    ends differ changes at half way, and so does what the decoder sees of the input.

    Where the codec compares pieces, the ends are the documents' own, and steps differ by as much
    each (:mod:`aeplug.inference.even_steps`). Pieces that are passed through change at half way.

    Example:
        >>> a, b = sample_documents(model, 2, seed=1, sampling=Sampling())
        >>> len(interpolate_documents(model, a, b, 5, Sampling()))
        5
    """
    ends, sampling = _cut_to_shortest(model, (a, b)), constrain(model, sampling)
    codec, batches = model.codec, [end.batch for end in ends]
    if not supports(codec, ComparableCodec):
        return [
            codec.join(data, batches[nearest].cond, _apart_from_file((a, b)[nearest]))
            for data, nearest in iter_steps(model, batches, steps, sampling)
        ]
    if steps < 1:
        raise ConfigError(f"expected steps from 1, got {steps}")
    kept, passed = _combine(ends)
    active = (~kept).nonzero()[:, 0]
    way = None
    if len(active):
        way = EvenWay(
            model,
            codec,
            [slice_batch(batch, active.to(batch.input.device)) for batch in batches],
            [end.results[active] for end in ends],
            sampling,
        ).take(steps)
    documents = []
    for step in range(steps):
        nearest = nearest_end(step, steps)
        data = ends[nearest].results.clone()
        if way is not None:
            data[active] = way[step].to(data.dtype)
        like = (a, b)[nearest]
        if step not in (0, steps - 1):
            like = _apart_from_file(like)
        document = codec.join(data, batches[nearest].cond, like)
        document.passed = passed
        documents.append(document)
    return documents


@torch.no_grad()
def interpolate_grid(
    model: Model, corners: Sequence[Document], steps: int, sampling: Sampling
) -> list[list[Document]]:
    """``steps`` rows of ``steps`` documents between four, which stand at the corners.

    As between two (:func:`interpolate_documents`): piece by piece, cut to the shortest,
    spherical between Gaussian posteriors, else straight, in equal steps of the latents. Conditions,
    and what the decoder sees of the input, are those of the nearest corner, of two as near the
    first. Where the codec compares pieces, the corners are the documents' own.

    Args:
        model: what decodes.
        corners: top left, top right, bottom left, bottom right.
        steps: at least 2, the corners included.
        sampling: how to decode.

    Raises:
        ConfigError: there are not four corners, or fewer than two steps.

    Example:
        >>> corners = sample_documents(model, 4, seed=1, sampling=Sampling())
        >>> [len(row) for row in interpolate_grid(model, corners, 3, Sampling())]
        [3, 3, 3]
    """
    if len(corners) != 4 or steps < 2:
        raise ConfigError(f"a grid needs 4 corners and 2 steps, got {len(corners)} and {steps}")
    ends, sampling = _cut_to_shortest(model, corners), constrain(model, sampling)
    batches = [end.batch for end in ends]
    codes = [model.posterior(batch)[0].mode() for batch in batches]
    compares = supports(model.codec, ComparableCodec)
    kept, passed = _combine(ends)
    grid = []
    for row in range(steps):
        documents = []
        for column in range(steps):
            x, y = column / (steps - 1), row / (steps - 1)
            z = interpolate_corners(codes, x, y, spherical=model.has_prior)
            nearest = 2 * (y > 0.5) + (x > 0.5)
            cond = batches[nearest].cond
            data = model.decode(z, cond, sampling, batches[nearest].input)
            is_corner = compares and x in (0, 1) and y in (0, 1)
            if compares:
                own = ends[nearest].results
                chosen = (kept | is_corner).view(-1, *[1] * (own.ndim - 1))
                data = torch.where(chosen, own.to(data.dtype), data.cpu())
            like = corners[nearest] if is_corner else _apart_from_file(corners[nearest])
            document = model.codec.join(data, cond, like)
            document.passed = passed
            documents.append(document)
        grid.append(documents)
    return grid


def _apart_from_file(document: Document) -> Document:
    # What lies between files belongs to none of them: nothing of theirs is to stay around it.
    return replace(document, source=None)


def _cut_to_shortest(model: Model, documents: Sequence[Document]) -> list[FilePieces]:
    raws = [model.codec.split(document) for document in documents]
    count = min(count_pieces(raw) for raw in raws)
    return [FilePieces.of(model, raw, count) for raw in raws]


def _combine(ends: Sequence[FilePieces]) -> tuple[Tensor, PassedThrough | None]:
    """Pieces that are passed through at any end, bool ``(P,)``, and their counts."""
    passing = [end.passing for end in ends if end.passing is not None]
    if not passing:
        return torch.zeros(len(ends[0].batch.input), dtype=torch.bool), None
    blank = torch.stack([each.blank for each in passing]).any(0)
    unlike = torch.stack([each.unlike for each in passing]).any(0) & ~blank
    together = Passing(passing[0].originals, blank, unlike)
    return together.kept, together.count()
