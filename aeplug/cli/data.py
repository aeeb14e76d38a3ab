"""``aeplug data build``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from aeplug.cli.completion import complete_specs
from aeplug.cli.options import json_option, overwrite_option
from aeplug.cli.output import print_figures, print_json, print_table
from aeplug.cli.plugin_options import BuildCommand
from aeplug.runtime.console import say


@click.group()
def data() -> None:
    """Prepare data for training."""


@data.command(cls=BuildCommand)
@click.argument("sources", nargs=-1, type=click.Path())
@click.option("--out", required=True, type=click.Path(file_okay=False), help="Folder to write.")
@click.option(
    "--dataset",
    default="",
    shell_complete=complete_specs("dataset"),
    help="Kind of data set; needed where SOURCES do not tell it.",
)
@click.option(
    "--processes",
    default=0,
    type=click.IntRange(min=0),
    help="Processes at work.  [default: one a core]",
)
@overwrite_option
@json_option
def build(
    sources: tuple[str, ...],
    out: str,
    dataset: str,
    processes: int,
    overwrite: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Turn files into arrays for training: SOURCES are files, folders, zips or globs.

    Synthetic data sets need no SOURCES.

    \b
    aeplug data build my-midi/ more.zip --out tunes
    aeplug train melody-2bar --data tunes
    aeplug data build my-midi/ --bars 16 --out long-tunes
    aeplug data build --render 0-119 --out notes

    Ends with a table of what was skipped and why; OUT/skipped.jsonl lists each file.
    """
    if not (dataset or sources or any(value is not None for value in options.values())):
        raise click.UsageError("Missing argument 'SOURCES...'.")
    from aeplug.data.build import SKIPPED, build_dataset, summary

    report = build_dataset(
        sources,
        out,
        dataset=dataset,
        options=options,
        processes=processes,
        overwrite=overwrite,
    )
    if as_json:
        print_json(summary(report))
        return
    print_figures(report.figures)
    if report.skipped:
        click.echo()
        rows = [[str(count), reason] for reason, count in report.reasons()]
        print_table(rows, ["SKIPPED", "REASON"])
        say(f"each is listed in {Path(out) / SKIPPED}")
    click.echo(out)
