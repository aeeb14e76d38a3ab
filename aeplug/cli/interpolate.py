"""``aeplug interpolate``."""

from __future__ import annotations

from typing import Any

import click

from aeplug.cli.options import (
    common_options,
    drawing_options,
    guard_option,
    model_argument,
    open_request,
)
from aeplug.cli.output import print_results
from aeplug.cli.plugin_options import VerbCommand
from aeplug.cli.progress import show_bars


@click.command(cls=VerbCommand)
@model_argument
@click.argument("inputs", metavar="A B [C D]", nargs=-1, required=True, type=click.Path())
@click.option(
    "--steps",
    type=click.IntRange(min=2),
    help="Results, the ends included; of a grid, along each side.  [default: 9; of a grid 6]",
)
@guard_option
@drawing_options(greedy=True)
@common_options
def interpolate(
    model: str,
    inputs: tuple[str, ...],
    steps: int | None,
    overwrite: bool,
    as_json: bool,
    **values: Any,
) -> None:
    """Interpolate in MODEL's latent space from file A to file B, or over a grid of four files.

    \b
    aeplug interpolate mnist-vae three.png eight.png --steps 9 --out morph
    aeplug interpolate melody-2bar one.mid two.mid --out morph
    aeplug interpolate mnist 0.png 3.png 6.png 9.png --steps 8 --out grid

    Writes one file a step and a sheet of all. Four files are the corners of a grid: A top left, B
    top right, C and D below. Files of several pieces are cut to the shortest; where classes differ,
    they change half way. Of melodies and drums the ends and corners are the files themselves, and
    the steps of a line are even to the ear.
    """
    if len(inputs) not in (2, 4):
        raise click.UsageError(
            f"2 files are the ends of a line, 4 the corners of a grid; got {len(inputs)}"
        )
    request = open_request(model, "interpolate", **values)
    from aeplug.inference import make_interpolation, write_results

    with show_bars("finding even steps"):
        results = make_interpolation(request.model, inputs, steps, sampling=request.sampling)
    with show_bars("writing"):
        written = write_results(
            request.model, results, request.out, request.options, overwrite=overwrite
        )
    print_results(written, as_json, model=model, task=request.model.spec.name)
