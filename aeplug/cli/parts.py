"""``aeplug parts``: what a task can name, with its settings; a plain list imports no torch."""

from __future__ import annotations

import click

from aeplug.cli.options import json_option
from aeplug.cli.output import print_json, print_table
from aeplug.cli.reports import print_part
from aeplug.plugins.catalogue import KINDS, describe_part, find_parts, incomplete_plugins
from aeplug.runtime.console import say


@click.command()
@click.argument("names", nargs=-1, metavar="[KIND] [NAME]...")
@click.option("--settings", is_flag=True, help="Also list each part's settings (imports them).")
@json_option
def parts(names: tuple[str, ...], settings: bool, as_json: bool) -> None:
    """List the parts a task can name, and priors; of parts named, their settings.

    \b
    aeplug parts
    aeplug parts decoder
    aeplug parts decoder --settings
    aeplug parts gaussian elbo
    aeplug parts encoder conv --json

    KIND is encoder, latent, decoder, loss, codec, dataset or prior. A setting is shown as --set
    takes it, with its default, type, range and unit.
    """
    kind = names[0] if names and names[0] in KINDS else ""
    chosen = names[1:] if kind else names
    specs = find_parts(kind, chosen)
    entries = [describe_part(spec) for spec in specs]
    if settings or chosen:
        from aeplug.config.schema import describe_settings

        for entry, spec in zip(entries, specs, strict=True):
            entry.update(describe_settings(spec))
    incomplete = {} if chosen else incomplete_plugins(kind)
    if as_json:
        print_json({"parts": entries, "incomplete": incomplete})
    elif settings or chosen:
        for entry in entries:
            print_part(entry)
    else:
        rows = [[entry[key] for key in ("kind", "name", "plugin", "summary")] for entry in entries]
        print_table(rows, ["KIND", "PART", "PLUG-IN", "SUMMARY"])
    for plugin, reason in incomplete.items() if not as_json else ():
        say(f"parts of '{plugin}' are not listed: {reason}")
    if any("error" in entry for entry in entries):
        raise click.exceptions.Exit(1)
