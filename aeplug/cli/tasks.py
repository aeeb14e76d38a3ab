"""``aeplug tasks``; imports no torch."""

from __future__ import annotations

import click

from aeplug.cli.options import json_option
from aeplug.cli.output import print_json, print_table
from aeplug.plugins import catalogue
from aeplug.runtime.console import say


@click.command()
@json_option
def tasks(as_json: bool) -> None:
    """List what can be trained.

    \b
    aeplug tasks
    aeplug tasks --json
    """
    known = catalogue.tasks()
    incomplete = catalogue.incomplete_plugins("task")
    if as_json:
        print_json({"tasks": known, "incomplete": incomplete})
        return
    rows = [
        [task["name"], "yes" if task["weights"] else "no", task["plugin"], task["summary"]]
        for task in known
    ]
    print_table(rows, ["TASK", "WEIGHTS", "PLUG-IN", "SUMMARY"])
    for plugin, reason in incomplete.items():
        say(f"tasks of '{plugin}' are not listed: {reason}")
