"""``aeplug plugins check``: everything that a plug-in brings, checked."""

from __future__ import annotations

import click

from aeplug.cli.options import json_option
from aeplug.cli.reports import OutcomePrinter, print_check_report


@click.command()
@click.argument("target", metavar="NAME|PATH")
@click.option("--task", default="", help="Try parts that no task names in this one.")
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of the tasks, as in train. May be repeated.",
)
@click.option("--data", type=click.Path(), help="A folder of data, for tasks that need one.")
@click.option("--only", multiple=True, metavar="CHECK", help="Make this check. May be repeated.")
@click.option("--skip", multiple=True, metavar="CHECK", help="Leave it out. May be repeated.")
@json_option
def check(
    target: str,
    task: str,
    assignments: tuple[str, ...],
    data: str | None,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    as_json: bool,
) -> None:
    """Check a plug-in and all it brings: shapes, gradients, learning, saving, files ...

    NAME is a plug-in's or a task's; PATH a folder with a pyproject.toml, a package, or a .py file.

    \b
    aeplug plugins check my-discs
    aeplug plugins check my-plugins/huber.py --task mnist
    aeplug plugins check mnist-vae --skip processes

    One line a check; the exit code is 1 where one failed.
    """
    from aeplug.checks.plugin import examine
    from aeplug.cli.registry import COMMANDS
    from aeplug.config import parse_assignments

    report = examine(
        target,
        task=task,
        settings=parse_assignments(assignments),
        data=data,
        only=only,
        skip=skip,
        reserved=COMMANDS,
        tell=None if as_json else OutcomePrinter(),
    )
    print_check_report(report, target, as_json)
    if not report.ok:
        raise click.exceptions.Exit(1)
