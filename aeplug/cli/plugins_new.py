"""``aeplug plugins new``: a small plug-in that works, to begin with."""

from __future__ import annotations

from pathlib import Path

import click

from aeplug.cli.scaffold.kinds import KINDS
from aeplug.plugins import active


@click.command()
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice(list(KINDS)),
    default="image",
    show_default=True,
    help="What it brings: a task on pictures, a task on sequences of tokens, parts for tasks "
    "that there are, or an observer of runs.",
)
@click.option("--single-file", is_flag=True, help="One .py for --plugins-dir, and nothing else.")
@click.option(
    "--out",
    type=click.Path(file_okay=False),
    default=".",
    help="Folder to write into.  [default: this one]",
)
def new(name: str, kind: str, single_file: bool, out: str) -> None:
    """Write a small plug-in that works: its task (or part) is called NAME.

    \b
    aeplug plugins new my-discs
    aeplug plugins new my-chords --kind sequence
    aeplug plugins new huber --kind parts --single-file --out my-plugins

    What was written is listed on stdout; nothing that is there is overwritten.
    """
    from aeplug.cli.scaffold.writing import names_in_use, write_plugin

    written = write_plugin(
        name,
        kind,
        Path(out).expanduser(),
        single_file=single_file,
        taken=names_in_use(kind, active()),
    )
    for path in written.files:
        click.echo(str(path))
    click.echo("\nNow:", err=True)
    for line in written.next_steps:
        click.echo(f"  {line}", err=True)
