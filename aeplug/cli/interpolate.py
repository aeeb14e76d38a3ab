"""``aeplug interpolate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aeplug.cli.options import (
    common_options,
    drawing_options,
    open_model,
    overwrite_option,
    sampling_of,
)
from aeplug.cli.plugin_options import VerbCommand, resolve_options
from aeplug.inference.results import write_documents

if TYPE_CHECKING:
    from aeplug.interfaces import Document, Sampling
    from aeplug.model.model import Model


@click.command(cls=VerbCommand)
@click.argument("model")
@click.argument("inputs", metavar="A B [C D]", nargs=-1, required=True, type=click.Path())
@click.option(
    "--steps",
    type=click.IntRange(min=2),
    help="Results, the ends included; of a grid, along each side.  [default: 9; of a grid 6]",
)
@drawing_options(greedy=True)
@overwrite_option
@common_options
def interpolate(
    model: str, inputs: tuple[str, ...], steps: int | None, overwrite: bool, **values: Any
) -> None:
    """Walk through MODEL's latent space from file A to file B, or over the grid of four.

    \b
    aeplug interpolate mnist-vae three.png eight.png --steps 9 --out morph
    aeplug interpolate melody-2bar one.mid two.mid --out morph
    aeplug interpolate mnist 0.png 3.png 6.png 9.png --steps 8 --out grid

    Writes one file a step and a strip of all; with four files, which stand at the corners of a
    grid (A top left, B top right, C and D below), one a place, and the grid. Between Gaussian
    posteriors the way is spherical, between plain codes straight. Of two tunes the longer is cut
    to the shorter, and where their metres differ the metre changes half way.
    """
    if len(inputs) not in (2, 4):
        raise click.UsageError(
            f"2 files are the ends of a line, 4 the corners of a grid; got {len(inputs)}"
        )
    loaded, out = open_model(model, "interpolate", values)
    sampling = sampling_of(loaded, values)
    values.pop("seed")
    options = resolve_options(loaded, "interpolate", values)
    loaded = loaded.with_options(options)
    paths = [Path(one) for one in inputs]
    read = [loaded.read(path) for path in paths]
    draw = _grid if len(read) == 4 else _line
    rows, also = draw(loaded, read, steps, sampling)
    made = [*(one for row in rows for one in row), *also]
    write_documents(loaded, made, out, options, paths, "interpolation.png", overwrite)
    title = f"{loaded.spec.name}: {' to '.join(path.stem for path in paths)}"
    if len(read) == 4:
        title = f"{loaded.spec.name}: between {', '.join(path.stem for path in paths)}"
        for document in (one for row in rows for one in row):
            document.name = ""  # the place in the grid says it
    loaded.codec.sheet([("", row) for row in rows], out / "interpolation.png", title)
    click.echo(str(out / "interpolation.png"))


def _line(
    model: Model, ends: list[Document], steps: int | None, sampling: Sampling
) -> tuple[list[list[Document]], list[Document]]:
    """One row from end to end, named by step, and what plays it."""
    steps = steps or 9
    from aeplug.inference.interpolate import interpolate_documents

    documents = interpolate_documents(model, ends[0], ends[1], steps, sampling)
    digits = max(2, len(str(steps)))
    for number, document in enumerate(documents, 1):
        document.name = f"step-{number:0{digits}}"
    return [documents], _in_a_row(model, documents)


def _grid(
    model: Model, corners: list[Document], steps: int | None, sampling: Sampling
) -> tuple[list[list[Document]], list[Document]]:
    """The rows between four corners, named by row and column, from 1."""
    from aeplug.inference.interpolate import interpolate_grid

    steps = steps or 6
    rows = interpolate_grid(model, corners, steps, sampling)
    digits = max(2, len(str(steps)))
    for y, row in enumerate(rows, 1):
        for x, document in enumerate(row, 1):
            document.name = f"row-{y:0{digits}}-column-{x:0{digits}}"
    return rows, []


def _in_a_row(model: Model, documents: list[Document]) -> list[Document]:
    """One document that plays the others in a row, where the codec knows how."""
    chain = getattr(model.codec, "chain", None)
    return [chain(documents, "all-steps")] if chain else []
