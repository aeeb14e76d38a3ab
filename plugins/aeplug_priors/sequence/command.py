"""``aeplug continue``."""

from __future__ import annotations

from typing import Any

import click

from aeplug.cli import (
    VerbCommand,
    change_option,
    common_options,
    drawing_options,
    fit_option,
    model_argument,
    open_request,
    print_results,
    read_length,
)


@click.command("continue", cls=VerbCommand)
@model_argument
@click.argument("input", type=click.Path())
@click.option(
    "-n", "--count", default=4, show_default=True, type=click.IntRange(min=1), help="How many."
)
@click.option(
    "--pieces",
    type=click.IntRange(min=1),
    help="Pieces to add, after which the document ends.  [default: 8]",
)
@change_option
@fit_option
@drawing_options(greedy=False)
@common_options
def continue_(
    model: str,
    input: str,
    count: int,
    pieces: int | None,
    overwrite: bool,
    as_json: bool,
    **values: Any,
) -> None:
    """Continue a file: the part MODEL can read, then new material.

    \b
    aeplug continue melody-2bar tune.mid -n 4 --out more
    aeplug continue drums-2bar beat.mid --bars 8 --out more

    Of music that is the melody, or the drums; all else of its file stays. The continuation may
    repeat earlier sections; it ends after the requested length. It is drawn from the prior
    `sequence` (see fit-prior). Writes one file a continuation and a sheet with the input first.
    """
    request = open_request(model, "continue", **values)
    from aeplug.inference import require_free, write_results
    from aeplug_priors.sequence.continuation import PICTURE, make_continuations

    require_free(request.out, PICTURE, overwrite=overwrite)
    results = make_continuations(
        request.model,
        input,
        count,
        read_length(request.model, pieces, request.options) or 8,
        seed=request.seed,
        sampling=request.sampling,
        to=request.cond,
    )
    written = write_results(
        request.model, results, request.out, request.options, overwrite=overwrite
    )
    print_results(written, as_json, model=model, task=request.model.spec.name)
