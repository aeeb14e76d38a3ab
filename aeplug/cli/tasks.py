"""``aeplug tasks``; imports no torch."""

from __future__ import annotations

import click

from aeplug.cli.options import json_option
from aeplug.cli.output import print_json, print_table
from aeplug.plugins import catalogue


@click.command()
@json_option
def tasks(as_json: bool) -> None:
    """List what can be trained.

    \b
    aeplug tasks
    aeplug tasks --json
    """
    found = catalogue.tasks()
    if as_json:
        print_json({"tasks": found})
        return
    rows = [
        [task["name"], "yes" if task["weights"] else "no", task["plugin"], task["summary"]]
        for task in found
    ]
    print_table(rows, ["TASK", "WEIGHTS", "PLUG-IN", "SUMMARY"])
