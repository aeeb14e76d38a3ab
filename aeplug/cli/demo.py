"""``aeplug demo``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from aeplug.cli.options import device_option
from aeplug.plugins import active
from aeplug.plugins.specs import TaskSpec
from aeplug.runtime.console import duration, say


@click.command()
@click.option(
    "--out",
    default="runs",
    show_default=True,
    type=click.Path(file_okay=False),
    help="Folder under which the runs are kept.",
)
@click.option("--only", default="", metavar="TASK", help="Show one task.")
@click.option("--quick", is_flag=True, help="Train a few steps only: does everything work?")
@device_option
def demo(out: str, only: str, quick: bool, device: str) -> None:
    """Train, sample and reconstruct with what comes along, in minutes.

    \b
    aeplug demo
    aeplug demo --only mnist-vae
    aeplug demo --quick

    Every step is a command you can type yourself; it is shown as it runs.
    """
    from aeplug.errors import ConfigError, nearest

    shown = sorted(
        (task for task in active().specs("task") if task.demo), key=lambda task: task.demo.order
    )
    names = [task.name for task in shown]
    if only and only not in names:
        raise ConfigError(f"no demo of '{only}'. {nearest(only, names)}")
    for task in shown:
        if not only or task.name == only:
            _show(task, Path(out), quick, device)


def _show(task: TaskSpec, out: Path, quick: bool, device: str) -> None:
    from aeplug.model import run_folder

    began = time.perf_counter()
    folder = run_folder.new_folder(task.name, out)
    assert task.demo is not None
    if task.demo.settings is not None:
        from aeplug.api import train

        settings: dict[str, Any] = dict(task.demo.settings)
        if quick:
            settings |= {"train.steps": 20, "train.eval_items": 500}
        choices = " ".join(f"--set {key}={value}" for key, value in settings.items())
        say(f"\n$ aeplug train {task.name} {choices} --run {folder}")
        train(task.name, settings=settings, run=folder, device=device)
        model = str(folder)
    else:
        model = task.name
    _use(task, model, folder, device)
    say(f"{task.name}: {duration(time.perf_counter() - began)} in all; the results are in")
    click.echo(str(folder))


def _use(task: TaskSpec, model: str, folder: Path, device: str) -> None:
    """The verbs of the task on the demo's inputs, as a user would type them."""
    from aeplug.cli.interpolate import interpolate
    from aeplug.cli.reconstruct import reconstruct
    from aeplug.cli.sample import sample
    from aeplug.cli.vary import vary
    from aeplug.data.bundled import extract_bundled

    assert task.demo is not None
    inputs = [str(extract_bundled(name, folder / "inputs")) for name in task.demo.inputs]
    calls: list[tuple[click.Command, list[str], str]] = []
    if "sample" in task.verbs:
        count = "8" if task.demo.settings is None else "32"
        calls.append((sample, [model, "-n", count, "--seed", "1"], "samples"))
    if inputs:
        page = str(folder / "reconstructed.png")
        calls.append((reconstruct, [model, *inputs, "--sheet", page], "reconstructions"))
        calls.append((vary, [model, inputs[0], "-n", "4"], "variations"))
    if len(inputs) > 1:
        calls.append((interpolate, [model, inputs[0], inputs[1], "--steps", "7"], "interpolation"))
    for command, arguments, place in calls:
        arguments = [*arguments, "--out", str(folder / place), "--device", device]
        say(f"\n$ aeplug {command.name} {' '.join(arguments)}")
        command.main(arguments, prog_name=f"aeplug {command.name}", standalone_mode=False)
