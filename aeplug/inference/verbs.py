"""What models are asked to make, as files to be written and a sheet that shows them.

Each function gives :class:`aeplug.inference.Results`, for :func:`aeplug.inference.write_results`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from aeplug.errors import ConfigError
from aeplug.inference.interpolate import interpolate_documents, interpolate_grid
from aeplug.inference.results import Results, arrange_in_rows, number_documents
from aeplug.inference.sample import sample_documents
from aeplug.inference.similarity import NEAR_ENOUGH
from aeplug.inference.vary import add_noise, draw_variations
from aeplug.interfaces import ChainingCodec, Document, Sampling, supports
from aeplug.model.model import Model

#: Items that are drawn unless their number is named, and whole documents.
ITEMS, WHOLE_DOCUMENTS = 64, 4
#: Steps of a line and of a grid's sides, unless their number is named.
LINE_STEPS, GRID_STEPS = 9, 6
#: Variations in a row of their sheet.
_ACROSS = 6


def make_samples(
    model: Model,
    count: int | None = None,
    *,
    seed: int = 0,
    sampling: Sampling | None = None,
    cond: Mapping[str, Any] | None = None,
    prior: str = "",
    pieces: int = 1,
    prior_scale: float | None = None,
) -> Results:
    """New items, as :meth:`aeplug.Model.sample` draws them, or documents of several pieces each.

    Args:
        model: what draws.
        count: how many; by default 64, of several pieces each 4.
        seed: of every draw.
        sampling: how to decode; None: at the task's own temperature.
        cond: condition's name -> class.
        prior: name of the prior; by default the model's, of several pieces that of documents.
        pieces: of each document.
        prior_scale: see :meth:`aeplug.Model.sample`.

    Raises:
        ConfigError: the model has no prior, or none of this name.

    Example:
        >>> results = make_samples(model, 3, seed=1)
        >>> [document.name for document in results.documents], results.picture
        (['sample-001', 'sample-002', 'sample-003'], 'samples.png')
    """
    count = count or (WHOLE_DOCUMENTS if pieces > 1 else ITEMS)
    sampling = sampling or Sampling(model.spec.sampling.temperature)
    documents = sample_documents(model, count, seed, sampling, cond, prior, pieces, prior_scale)
    number_documents(documents, "sample", 3)
    title = f"{model.spec.name}: samples, seed {seed}"
    rows, title = arrange_in_rows(documents, title, pieces)
    return Results(documents, "samples.png", title, rows)


def make_interpolation(
    model: Model,
    paths: Sequence[str | Path],
    steps: int | None = None,
    *,
    sampling: Sampling | None = None,
) -> Results:
    """The way from a file to another, or the grid between four that stand at its corners.

    Args:
        model: what decodes.
        paths: two files; or four: top left, top right, bottom left, bottom right.
        steps: documents, the ends included, of a grid along each side; by default 9, of a grid 6.
        sampling: how to decode; None: greedily.

    Raises:
        ConfigError: neither two nor four files.
        FileError: one of them cannot be read.

    Example:
        >>> files = write_results(model, make_samples(model, 2), "out").files
        >>> make_interpolation(model, files, 5).documents[-1].name
        'step-05'
    """
    if len(paths) not in (2, 4):
        raise ConfigError(
            f"2 files are the ends of a line, 4 the corners of a grid; got {len(paths)}"
        )
    sampling = sampling or Sampling(greedy=True)
    ends, stems = [model.read(path) for path in paths], [Path(path).stem for path in paths]
    inputs = [Path(path) for path in paths]
    if len(ends) == 2:
        line = interpolate_documents(model, ends[0], ends[1], steps or LINE_STEPS, sampling)
        number_documents(line, "step")
        title = f"{model.spec.name}: {' to '.join(stems)}"
        documents = [*line, *_chain(model, line)]
        results = Results(documents, "interpolation.png", title, [("", line)], inputs)
        results.add_passed(model, line[0].passed)
        results.add_readings(ends)
        return results
    grid = interpolate_grid(model, ends, steps or GRID_STEPS, sampling)
    digits = max(2, len(str(len(grid))))
    for y, row in enumerate(grid, 1):
        for x, document in enumerate(row, 1):
            document.name = f"row-{y:0{digits}}-column-{x:0{digits}}"
    # The place in the grid is caption enough.
    rows = [("", [replace(document, name="") for document in row]) for row in grid]
    title = f"{model.spec.name}: between {', '.join(stems)}"
    documents = [document for row in grid for document in row]
    results = Results(documents, "interpolation.png", title, rows, inputs)
    results.add_passed(model, documents[0].passed)
    results.add_readings(ends)
    return results


def make_variations(
    model: Model,
    path: str | Path,
    count: int = 6,
    similarity: float = 0.8,
    *,
    seed: int = 0,
    sampling: Sampling | None = None,
    to: Mapping[str, Any] | None = None,
    prior: str = "",
) -> Results:
    """Variations of a file; see :func:`aeplug.inference.draw_variations`.

    Args:
        model: what encodes and decodes.
        path: the file.
        count: how many.
        similarity: 0..1, of the variations to the file; 1: the file, 0: drawn from the prior.
        seed: of every draw.
        sampling: how to decode; None: greedily.
        to: change the class: condition's name -> class.
        prior: name of the prior; by default the model's.

    Raises:
        ConfigError: the model has no prior, or none of this name that draws single items.
        FileError: the file cannot be read.

    Example:
        >>> (file,) = write_results(model, make_samples(model, 1), "out").files
        >>> [document.name for document in make_variations(model, file, 2).documents]
        ['sample-001-variation-01', 'sample-001-variation-02']
    """
    original, sampling = model.read(path), sampling or Sampling(greedy=True)
    found = draw_variations(model, original, count, similarity, seed, sampling, to, prior)
    documents = [variation.document for variation in found]
    number_documents(documents, f"{Path(path).stem}-variation")
    starts = range(0, len(documents), _ACROSS)
    rows = [("" if start else "variations", documents[start : start + _ACROSS]) for start in starts]
    results = _below_input(model, original, documents, rows, Path(path))
    reached = [one.similarity for one in found if one.similarity is not None]
    if reached:
        results.facts = {**results.facts, "similarity": [one.similarity for one in found]}
        results.remarks = [*results.remarks, *_describe_miss(reached, similarity)]
    return results


def _describe_miss(reached: Sequence[float], similarity: float) -> list[str]:
    """A line where variations are not as near as was asked for."""
    missed = [one for one in reached if abs(one - similarity) > NEAR_ENOUGH]
    if not missed:
        return []
    ends = sorted({f"{end:.2f}" for end in (min(missed), max(missed))})
    return [
        f"{len(missed)} of {len(reached)} variations are not of similarity {similarity:g}: the "
        f"nearest that the model gets is {' to '.join(ends)}"
    ]


def make_noisy_variations(
    model: Model,
    path: str | Path,
    sigmas: Sequence[float],
    count: int = 6,
    *,
    seed: int = 0,
    sampling: Sampling | None = None,
    to: Mapping[str, Any] | None = None,
) -> Results:
    """A file with noise of each strength on its latents; it needs no prior.

    Args:
        model: what encodes and decodes.
        path: the file.
        sigmas: standard deviations, in the latents' own units.
        count: draws of each.
        seed: of the draws.
        sampling: how to decode; None: greedily.
        to: change the class: condition's name -> class.

    Raises:
        ConfigError: a sigma below 0, or beyond what the decoder can take.
        FileError: the file cannot be read.

    Example:
        >>> (file,) = write_results(model, make_samples(model, 1), "out").files
        >>> results = make_noisy_variations(model, file, [0.5, 1], count=1)
        >>> [document.name for document in results.documents]
        ['sample-001-sigma-0.5-01', 'sample-001-sigma-1-01']
    """
    original, sampling = model.read(path), sampling or Sampling(greedy=True)
    rows = []
    noisy = add_noise(model, original, sigmas, count, seed, sampling, to)
    for sigma, documents in zip(sigmas, noisy, strict=True):
        number_documents(documents, f"{Path(path).stem}-sigma-{sigma:g}")
        rows.append((f"sigma {sigma:g}", documents))
    documents = [document for _, row in rows for document in row]
    return _below_input(model, original, documents, rows, Path(path))


def _below_input(
    model: Model,
    original: Document,
    documents: list[Document],
    rows: Sequence[tuple[str, Sequence[Document]]],
    path: Path,
) -> Results:
    title = f"{model.spec.name}: {path.name}"
    rows = [("input", [original]), *rows]
    results = Results(documents, "variations.png", title, rows, [path])
    results.add_passed(model, documents[0].passed)
    results.add_readings([original])
    return results


def _chain(model: Model, documents: list[Document]) -> list[Document]:
    """One document that plays the others in a row, where the codec knows how."""
    codec = model.codec
    return [codec.chain(documents, "all-steps")] if supports(codec, ChainingCodec) else []
