"""``aeplug reconstruct``: files, ten or ten million, through a model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aeplug.cli.options import (
    change_option,
    common_options,
    conditions_of,
    drawing_options,
    manifest_option,
    open_model,
    sampling_of,
)
from aeplug.cli.output import report_job
from aeplug.cli.plugin_options import VerbCommand, resolve_options
from aeplug.errors import ConfigError
from aeplug.plugins import active
from aeplug.runtime.console import say

if TYPE_CHECKING:
    from aeplug.jobs.inputs import Inputs
    from aeplug.jobs.job import Job
    from aeplug.model.model import Model

#: Files on a sheet of inputs and results, and how many side by side.
SHOWN, COLUMNS = 60, 10


@click.command(cls=VerbCommand)
@click.argument("model")
@click.argument("inputs", metavar="[IN]...", nargs=-1)
@manifest_option
@click.option(
    "--overwrite", is_flag=True, help="Replace files in OUT that another job or person left."
)
@click.option(
    "--sheet",
    type=click.Path(dir_okay=False),
    help="Also draw the first results of this run below their inputs, into this PNG.",
)
@click.option(
    "--latent-of",
    default="",
    metavar="FILE",
    help="Decode every piece under the latent of FILE's, in turn: what the decoder is given beside "
    "it stays IN's own.",
)
@change_option
@drawing_options(greedy=True)
@common_options
def reconstruct(
    model: str,
    inputs: tuple[str, ...],
    manifest: str,
    overwrite: bool,
    sheet: str | None,
    latent_of: str,
    cond: tuple[str, ...],
    **values: Any,
) -> int:
    """Put files through MODEL and write what comes out, each under its own name.

    \b
    aeplug reconstruct mnist digits/ --out rebuilt
    aeplug reconstruct runs/my-run photo.png "scans/**/*.tif" --out rebuilt
    find photos -name "*.jpg" | aeplug reconstruct runs/my-run - --out rebuilt
    aeplug reconstruct mnist-cvae three.png --cond 8 --out as-eight
    aeplug reconstruct groove stiff.mid --given score --latent-of funky.mid --out out

    IN is a file, a folder (searched recursively; its tree is kept), a pattern, or - for a list of
    names on stdin. Stopped or killed, the same command goes on where it was. A file that cannot
    be done is listed with its reason in OUT/failed.jsonl, the rest goes on, and the exit code
    is 1. Inputs are never written over.
    """
    if not (inputs or manifest):
        raise click.UsageError("Missing argument 'IN...': files, folders, or --from LIST")
    if not values["out"]:  # else it would mean the current folder
        raise ConfigError("--out is empty")
    loaded, out = open_model(model, "reconstruct", values)
    sampling, seed = sampling_of(loaded, values), values.pop("seed")
    options = resolve_options(loaded, "reconstruct", values)
    to = conditions_of(cond, loaded)
    loaded.encode_conditions(to, 1)  # reject an unknown class before reading any file
    latents = None
    if latent_of:  # what options say of IN does not hold for this file
        from aeplug.inference.reconstruct import fix_latents

        latents = fix_latents(loaded, loaded.read(Path(latent_of).expanduser()))
    loaded = loaded.with_options(options)
    from aeplug.jobs.inputs import Inputs
    from aeplug.jobs.job import Job
    from aeplug.jobs.reconstruction import Reconstruction

    suffixes = active().find("codec", loaded.config.sections["codec"].name).suffixes
    named = Inputs(inputs, manifest, suffixes, out, skip_unlisted=True)
    page = _page(Path(sheet).expanduser(), out, overwrite, named) if sheet else None
    job = Job(
        Reconstruction(loaded, sampling, seed, to, latents),
        named,
        out,
        suffixes[0] if suffixes else "",
        options,
        overwrite=overwrite,
        keep_pairs=SHOWN if page else 0,
    )
    stopped = job.run()
    for line in named.remarks:
        say(line)
    if page and job.pairs:
        _draw(loaded, job, page)
        click.echo(str(page))
    return report_job(job, stopped)


def _page(page: Path, out: Path, overwrite: bool, inputs: Inputs) -> Path | None:
    """Where the sheet goes: not among the results, and never over an input.

    None where one is there already: the same command shall go on, and draw nothing twice.
    """
    if page.suffix.lower() != ".png":
        raise ConfigError(f"--sheet {page}: expected a name that ends in .png")
    if out.resolve() in page.resolve().parents:
        raise ConfigError(f"--sheet {page} would lie among the results in {out}; name another")
    if not page.exists():
        return page
    if not overwrite:
        say(f"--sheet {page} is there and stays; give --overwrite to draw it again")
        return None
    real = os.path.realpath(page)
    if any(os.path.realpath(one.path) == real for one in inputs):
        raise ConfigError(f"--sheet {page} would replace an input; name another")
    return page


def _draw(model: Model, job: Job, page: Path) -> None:
    rows = []
    shown = sorted(job.pairs, key=lambda pair: pair[0])
    for start in range(0, len(shown), COLUMNS):
        part = shown[start : start + COLUMNS]
        rows.append(("input", [before for _, before, _ in part]))
        rows.append(("result", [after for _, _, after in part]))
    page.parent.mkdir(parents=True, exist_ok=True)
    model.codec.sheet(rows, page, f"{model.spec.name}: in and out")
