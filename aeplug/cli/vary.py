"""``aeplug vary``."""

from __future__ import annotations

from typing import Any

import click

from aeplug.cli.options import (
    FiniteRange,
    change_option,
    common_options,
    drawing_options,
    fit_option,
    guard_option,
    model_argument,
    open_request,
    prior_option,
    read_numbers,
)
from aeplug.cli.output import print_results
from aeplug.cli.plugin_options import VerbCommand
from aeplug.cli.progress import show_bars


@click.command(cls=VerbCommand)
@model_argument
@click.argument("input", type=click.Path())
@click.option(
    "-n", "--count", default=6, show_default=True, type=click.IntRange(min=1), help="How many."
)
@click.option(
    "--similarity",
    type=FiniteRange(0, 1),
    help="Share of the input that is kept, as it is heard or seen, of codecs that compare; else "
    "1: as near as the model can, 0: drawn from the prior.  [default: 0.8]",
)
@click.option(
    "--sigma",
    metavar="S[,S]...",
    help="Instead: add noise of this standard deviation to the latents, in their own units (a "
    "variational model's prior has 1); COUNT variations for each. Needs no prior.",
)
@prior_option
@fit_option
@change_option
@guard_option
@drawing_options(greedy=True)
@common_options
def vary(
    model: str,
    input: str,
    count: int,
    similarity: float | None,
    sigma: str | None,
    overwrite: bool,
    as_json: bool,
    **values: Any,
) -> None:
    """Make variations of a file with MODEL.

    \b
    aeplug vary melody-2bar tune.mid --similarity 0.8 -n 6 --out variations
    aeplug vary mnist-vae seven.png -n 12 --out variations
    aeplug vary mnist seven.png --sigma 0,0.5,1,2 --out noisy
    aeplug vary mnist-cvae seven.png --cond 8 --similarity 1 -n 1 --out as-eight

    Writes one file a variation and a sheet with the input first.
    """
    if sigma is not None and similarity is not None:
        raise click.UsageError("--sigma and --similarity exclude each other")
    if sigma is not None and values["prior"]:
        raise click.UsageError("--sigma needs no --prior")
    sigmas = read_numbers("--sigma", sigma, minimum=0) if sigma is not None else []
    request = open_request(model, "vary", needs="reconstruct" if sigmas else "", **values)
    from aeplug.inference import make_noisy_variations, make_variations, write_results

    shared: Any = {"seed": request.seed, "sampling": request.sampling, "to": request.cond}
    if sigmas:
        results = make_noisy_variations(request.model, input, sigmas, count, **shared)
    else:
        shared["prior"] = request.prior
        near = 0.8 if similarity is None else similarity
        results = make_variations(request.model, input, count, near, **shared)
    with show_bars("writing"):
        written = write_results(
            request.model, results, request.out, request.options, overwrite=overwrite
        )
    print_results(written, as_json, model=model, task=request.model.spec.name)
