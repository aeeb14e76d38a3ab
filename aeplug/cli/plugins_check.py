"""``aeplug plugins check``: everything that a plug-in brings, checked."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aeplug.cli.output import print_json
from aeplug.plugins import active

if TYPE_CHECKING:
    from aeplug.checks.outcome import Outcome, Report

_COLOURS = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": None}


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
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
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
    from aeplug.checks.plugin import examine_plugin
    from aeplug.checks.suite import examine_task
    from aeplug.cli.registry import COMMANDS
    from aeplug.config import parse_assignments

    options: dict[str, Any] = {
        "settings": parse_assignments(assignments),
        "data": data,
        "only": only,
        "skip": skip,
        "tell": None if as_json else _Lines(),
    }
    plugins = active()
    names = {plugin.name for plugin in plugins.collect()}
    tasks = {spec.name for spec in plugins.specs("task")}
    if target in tasks - names and not Path(target).exists():
        report = examine_task(target, **options)
    else:
        report = examine_plugin(target, task=task, reserved=COMMANDS, **options)
    if as_json:
        outcomes = [outcome.as_dict() for outcome in report.outcomes]
        print_json({"ok": report.ok, "target": target, "checks": outcomes})
    else:
        click.echo(f"\n{_summary(report)}")
    if not report.ok:
        raise click.exceptions.Exit(1)


class _Lines:
    """A line for each check, under a heading for each thing checked."""

    def __init__(self) -> None:
        self.subject = ""

    def __call__(self, outcome: Outcome) -> None:
        if outcome.subject != self.subject:
            gap = "\n" if self.subject else ""
            self.subject = outcome.subject
            click.echo(gap + click.style(outcome.subject, bold=True))
        status = click.style(f"{outcome.status:8}", fg=_COLOURS[outcome.status])
        click.echo(f"  {status}  {outcome.check:10}  {outcome.message}".rstrip())


def _summary(report: Report) -> str:
    counts = Counter[str](outcome.status for outcome in report.outcomes)
    parts = [f"{counts[name]} {name}" for name in _COLOURS if counts[name]]
    seconds = sum(outcome.seconds for outcome in report.outcomes)
    return f"{', '.join(parts)} in {seconds:.1f} s"
