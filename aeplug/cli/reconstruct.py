"""``aeplug reconstruct``: files, ten or ten million, through a model."""

from __future__ import annotations

from typing import Any

import click

from aeplug.cli.options import (
    change_option,
    common_options,
    drawing_options,
    guard_option,
    inputs_argument,
    list_inputs,
    manifest_option,
    model_argument,
    open_request,
)
from aeplug.cli.output import report_job
from aeplug.cli.plugin_options import VerbCommand


@click.command(cls=VerbCommand)
@model_argument
@inputs_argument
@manifest_option
@click.option(
    "--sheet",
    type=click.Path(dir_okay=False),
    help="Also draw the first results of this run below their inputs, into this PNG.",
)
@click.option(
    "--latent-of",
    default="",
    metavar="FILE",
    type=click.Path(),
    help="Decode IN with FILE's latents (e.g. transfer its groove), piece by piece.",
)
@change_option
@guard_option
@drawing_options(greedy=True)
@common_options
def reconstruct(
    model: str,
    inputs: tuple[str, ...],
    manifest: str,
    sheet: str | None,
    latent_of: str,
    overwrite: bool,
    as_json: bool,
    **values: Any,
) -> int:
    """Reconstruct, denoise or enlarge files with MODEL.

    \b
    aeplug reconstruct mnist digits/ --out rebuilt
    aeplug reconstruct runs/my-run photo.png "scans/**/*.tif" --out rebuilt
    find photos -name "*.jpg" | aeplug reconstruct runs/my-run - --out rebuilt
    aeplug reconstruct mnist-cvae three.png --cond 8 --out as-eight
    aeplug reconstruct groove stiff.mid --given score --latent-of funky.mid --out out

    IN is a file, a folder (searched recursively; its tree is kept), a pattern, or - for a list of
    names on stdin. Each result has the name of its input. After any interruption, the same command
    resumes. A file that cannot be read is listed with its reason in OUT/failed.jsonl, the others
    are done, and the exit code is 1. Inputs are never overwritten.
    """
    if not (inputs or manifest):
        raise click.UsageError("Missing argument 'IN...': files, folders, or --from LIST")
    request = open_request(model, "reconstruct", **values)
    from aeplug.jobs import reconstruct_files

    report = reconstruct_files(
        request.model,
        list_inputs(request.model, inputs, manifest, request.out, skip_unlisted=True),
        request.out,
        request.options,
        sampling=request.sampling,
        seed=request.seed,
        to=request.cond,
        latent_of=latent_of,
        sheet=sheet,
        overwrite=overwrite,
    )
    return report_job(report, as_json, model=model, task=request.model.spec.name)
