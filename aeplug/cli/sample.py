"""``aeplug sample``."""

from __future__ import annotations

from typing import Any

import click

from aeplug.cli.options import (
    FiniteRange,
    common_options,
    drawing_options,
    fit_option,
    model_argument,
    open_request,
    prior_option,
    read_length,
)
from aeplug.cli.output import print_results
from aeplug.cli.plugin_options import VerbCommand
from aeplug.cli.progress import show_bars


@click.command(cls=VerbCommand)
@model_argument
@click.option(
    "-n",
    "--count",
    type=click.IntRange(min=1),
    help="How many.  [default: 64; of several pieces each 4]",
)
@click.option(
    "--cond",
    multiple=True,
    metavar="CLASS|NAME=CLASS",
    help="Class to generate: 6/8, or metre=6/8 where there are several conditions.",
)
@click.option(
    "--pieces",
    type=click.IntRange(min=1),
    help="Pieces of each item: a whole document, from a prior over documents.  [default: 1]",
)
@prior_option
@fit_option
@click.option(
    "--prior-scale",
    type=FiniteRange(min=0),
    help="Scale latents around the prior's mean; below 1 more typical.  "
    "[default: the task's own, or the square root of the temperature]",
)
@drawing_options(greedy=False)
@common_options
def sample(
    model: str,
    count: int | None,
    pieces: int | None,
    prior_scale: float | None,
    overwrite: bool,
    as_json: bool,
    **values: Any,
) -> None:
    """Generate new items with MODEL: a run directory, or a task that ships weights.

    \b
    aeplug sample runs/mnist-vae-20260101-120000 -n 64 --seed 1 --out samples
    aeplug sample mnist-vae -n 16 --temperature 0.8 --out samples
    aeplug sample mnist --prior gmm --out samples
    aeplug sample melody-2bar --pieces 32 -n 4 --cond 6/8 --out tunes

    Writes one file an item and a sheet of all. The same seed gives the same items. A fitted prior
    that does not exist yet is fitted first, and kept; one that takes minutes only with --fit. Items
    of several pieces come from the prior `sequence`, in which sections return; with another prior
    the pieces are independent.
    """
    request = open_request(model, "sample", **values)
    from aeplug.inference import make_samples, require_free, write_results

    require_free(request.out, "samples.png", overwrite=overwrite)
    with show_bars("sampling"):
        results = make_samples(
            request.model,
            count,
            seed=request.seed,
            sampling=request.sampling,
            cond=request.cond,
            prior=request.prior,
            pieces=read_length(request.model, pieces, request.options) or 1,
            prior_scale=prior_scale,
        )
    with show_bars("writing"):
        written = write_results(
            request.model, results, request.out, request.options, overwrite=overwrite
        )
    varied = ("vary", model, written.files[0], "--out", "variations")
    following = varied if "vary" in request.model.verbs else ()
    print_results(written, as_json, following, model=model, task=request.model.spec.name)
