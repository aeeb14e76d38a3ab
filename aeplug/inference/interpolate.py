"""The way between two documents, and the surface between four."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from aeplug.data.batching import slice_batch
from aeplug.errors import ConfigError
from aeplug.interfaces import Batch, Document, Sampling
from aeplug.latents.paths import interpolate_corners
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

    Example:
        >>> a, b = sample_documents(model, 2, seed=1, sampling=Sampling())
        >>> len(interpolate_documents(model, a, b, 5, Sampling()))
        5
    """
    ends, sampling = _cut_to_shortest(model, (a, b)), constrain(model, sampling)
    return [
        model.codec.join(data, ends[nearest].cond, _apart_from_file((a, b)[nearest]))
        for data, nearest in iter_steps(model, ends, steps, sampling)
    ]


@torch.no_grad()
def interpolate_grid(
    model: Model, corners: Sequence[Document], steps: int, sampling: Sampling
) -> list[list[Document]]:
    """``steps`` rows of ``steps`` documents between four, which stand at the corners.

    As between two (:func:`interpolate_documents`): piece by piece, cut to the shortest,
    spherical between Gaussian posteriors, else straight. Conditions,
    and what the decoder sees of the input, are those of the nearest corner, of two as near the
    first.

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
    codes = [model.posterior(end)[0].mode() for end in ends]
    grid = []
    for row in range(steps):
        documents = []
        for column in range(steps):
            x, y = column / (steps - 1), row / (steps - 1)
            z = interpolate_corners(codes, x, y, spherical=model.has_prior)
            nearest = 2 * (y > 0.5) + (x > 0.5)
            cond = ends[nearest].cond
            data = model.decode(z, cond, sampling, ends[nearest].input)
            documents.append(model.codec.join(data, cond, _apart_from_file(corners[nearest])))
        grid.append(documents)
    return grid


def _apart_from_file(document: Document) -> Document:
    # What lies between files belongs to none of them: nothing of theirs is to stay around it.
    return replace(document, source=None)


def _cut_to_shortest(model: Model, documents: Sequence[Document]) -> list[Batch]:
    batches = [model.pieces(document) for document in documents]
    count = min(len(batch.input) for batch in batches)
    return [slice_batch(batch, slice(0, count)) for batch in batches]
