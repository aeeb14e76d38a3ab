"""``aeplug data build``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from aeplug.cli.output import print_figures, print_json, print_table
from aeplug.cli.plugin_options import BuildCommand, check_options
from aeplug.errors import ConfigError, nearest
from aeplug.plugins import active
from aeplug.runtime.console import Progress, say


@click.group()
def data() -> None:
    """Prepare data for training."""


@data.command(cls=BuildCommand)
@click.argument("sources", nargs=-1)
@click.option("--out", required=True, type=click.Path(file_okay=False), help="Folder to write.")
@click.option("--dataset", default="", help="Kind of data set; needed where plug-ins bring more.")
@click.option(
    "--processes",
    default=0,
    type=click.IntRange(min=0),
    help="Processes at work.  [default: one a core]",
)
@click.option("--overwrite", is_flag=True, help="Replace OUT if it exists.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def build(
    sources: tuple[str, ...],
    out: str,
    dataset: str,
    processes: int,
    overwrite: bool,
    as_json: bool,
    **values: Any,
) -> None:
    """Turn files into arrays for training: SOURCES are files, folders, zips or globs.

    A data set that makes its data up needs none.

    \b
    aeplug data build my-midi/ more.zip --out tunes
    aeplug train melody-2bar --data tunes
    aeplug data build my-midi/ --bars 16 --out long-tunes
    aeplug data build --render 0-119 --out notes

    Ends with a table of what was skipped and why; OUT/skipped.jsonl lists each file.
    """
    from aeplug.data.build import SKIPPED, summary
    from aeplug.data.build import build as run_builder
    from aeplug.plugins.specs import load_attribute

    buildable = {spec.name: spec for spec in active().specs("dataset") if spec.builder}
    if not (dataset or sources or any(value is not None for value in values.values())):
        raise click.UsageError("Missing argument 'SOURCES...'.")
    if not dataset:
        # What makes its data up is not meant where sources are named, and nothing else without.
        meant = [name for name, spec in buildable.items() if spec.sourceless != bool(sources)]
        if len(meant) != 1:
            raise ConfigError(f"--dataset is needed, one of: {', '.join(buildable) or 'none'}")
        dataset = meant[0]
    if dataset not in buildable:
        raise ConfigError(f"no data set '{dataset}' can be built. {nearest(dataset, buildable)}")
    if not sources and not buildable[dataset].sourceless:
        raise ConfigError(f"'{dataset}' is built of SOURCES: name files, folders, zips or globs")
    builder = load_attribute(buildable[dataset].builder)
    options = check_options(buildable[dataset].options, values, dataset)
    bars: list[Progress] = []

    def show(done: int, total: int) -> None:
        # A builder that goes over files twice says another total.
        if not bars or bars[-1].total != total:
            for bar in bars[-1:]:
                bar.__exit__(None, None, None)
            bars.append(Progress(total, "files").__enter__())
        bars[-1].update(done)

    try:
        report = run_builder(
            builder,
            list(sources),
            Path(out),
            processes or os.cpu_count() or 1,
            show,
            {name.replace("-", "_"): value for name, value in options.items()},
            overwrite=overwrite,
        )
    finally:
        for bar in bars[-1:]:
            bar.__exit__(None, None, None)
    if as_json:
        print_json(summary(report))
        return
    print_figures(report.figures)
    if report.skipped:
        click.echo()
        print_table(
            [[str(count), reason] for reason, count in report.reasons()], ["SKIPPED", "REASON"]
        )
        say(f"each is listed in {Path(out) / SKIPPED}")
    click.echo(out)
