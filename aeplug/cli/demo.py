"""``aeplug demo``."""

from __future__ import annotations

import shlex
import time
from pathlib import Path

import click

from aeplug.cli.options import device_option
from aeplug.cli.registry import load_command
from aeplug.plugins import active
from aeplug.runtime.console import duration, say


@click.command()
@click.option(
    "--out",
    default="runs",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder under which the runs are kept.",
)
@click.option("--only", default="", metavar="TASK", help="Show this task alone.")
@click.option("--quick", is_flag=True, help="Train a few steps only: does everything work?")
@device_option
@click.pass_context
def demo(ctx: click.Context, out: Path, only: str, quick: bool, device: str) -> None:
    """Train, sample and reconstruct with bundled data, in minutes.

    \b
    aeplug demo
    aeplug demo --only mnist-vae
    aeplug demo --quick

    Every step is a command you can type yourself; it is shown as it runs.
    """
    from aeplug.cli.demo_plan import demo_commands, demo_tasks
    from aeplug.model.run_folder import new_folder

    for task in demo_tasks(active(), only):
        began, folder = time.perf_counter(), new_folder(task.name, out)
        for words in demo_commands(task, folder, device, quick=quick):
            say(f"\n$ aeplug {shlex.join(words)}")
            command = load_command(words[0])
            code = command.main(words[1:], f"aeplug {words[0]}", standalone_mode=False)
            if code:
                ctx.exit(code)
        say(f"{task.name}: {duration(time.perf_counter() - began)} in all; the results are in")
        click.echo(str(folder))
