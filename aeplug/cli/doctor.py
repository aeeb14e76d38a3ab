"""``aeplug doctor``; a command a file, so that each is found by its name."""

from __future__ import annotations

import click

from aeplug.cli.options import json_option
from aeplug.cli.output import print_json, print_table
from aeplug.plugins import active


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Say what is installed, which device is used, and whether data and plug-ins are in order.

    \b
    aeplug doctor
    aeplug doctor --json
    """
    from aeplug.checks.installation import examine_installation

    report = examine_installation(active())
    if as_json:
        print_json(report)
    else:
        for title in ("versions", "device", "data", "plugins"):
            rows = [[name, str(value)] for name, value in report[title].items()]
            print_table(rows, [title.upper(), ""])
            click.echo()
        incomplete = sum(plugin.status == "incomplete" for plugin in active().plugins)
        number = "1 plug-in lacks" if incomplete == 1 else f"{incomplete} plug-ins lack"
        order = "everything is in order" + (f"; {number} a library" if incomplete else "")
        click.echo(order if report["ok"] else "see the lines above")
    if not report["ok"]:
        raise click.exceptions.Exit(1)
