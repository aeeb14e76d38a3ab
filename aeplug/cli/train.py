"""``aeplug train``."""

from __future__ import annotations

from typing import Any

import click

from aeplug.cli.completion import TaskName
from aeplug.cli.options import SEED, device_option, json_option, task_argument
from aeplug.cli.output import print_run, resume_command
from aeplug.cli.reports import print_task_settings
from aeplug.runtime.console import say


@click.command()
@task_argument
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting: latent=20, loss.beta=0.5, encoder=NAME, train.lr=3e-4. May be repeated.",
)
@click.option("--config", type=click.Path(dir_okay=False), help="Settings from a JSON file.")
@click.option(
    "--epochs", type=click.FloatRange(min=0, min_open=True), help="Passes over the training data."
)
@click.option("--steps", type=click.IntRange(min=1), help="Optimizer steps, instead of epochs.")
@click.option("--data", type=click.Path(), help="Train on this folder (or file) of your own.")
@click.option("--run", type=click.Path(file_okay=False), help="Folder of the run.")
@click.option("--seed", type=SEED, help="Random seed of weights, order and noise.  [default: 0]")
@device_option
@click.option("--precision", type=click.Choice(["fp32", "bf16"]), help="bf16: mixed precision.")
@click.option("--resume", is_flag=True, help="Resume --run, or the task's latest run.")
@json_option
@click.option(
    "--help-task",
    metavar="TASK",
    type=TaskName(),
    help="List a task's settings, as --set takes them.",
)
@click.pass_context
def train(
    ctx: click.Context,
    task: str | None,
    assignments: tuple[str, ...],
    device: str,
    resume: bool,
    as_json: bool,
    help_task: str | None,
    **values: Any,
) -> None:
    """Train TASK and keep everything in a run folder.

    \b
    aeplug train mnist-vae
    aeplug train mnist-vae --set latent=20 --epochs 20 --run runs/vae20
    aeplug train mnist --data my-pictures/ --set data.size=64
    aeplug train mnist-vae --run runs/vae20 --resume
    aeplug train --help-task mnist-vae
    torchrun --nproc-per-node 2 -m -- aeplug train mnist-vae --run runs/two --device cpu

    Ctrl-C saves and prints the command that resumes. The run's folder is printed on stdout.
    """
    name = help_task or task
    if name is None:
        raise click.MissingParameter(ctx=ctx, param=ctx.command.params[0])
    from aeplug import api
    from aeplug.config import parse_assignments
    from aeplug.runtime.distributed import is_main_process
    from aeplug.training import training_config

    values["settings"] = parse_assignments(assignments)
    if help_task is not None:
        del values["run"]
        print_task_settings(training_config(name, **values))
        return
    try:
        run = api.train(name, device=device, resume=resume, **values)
    except api.TrainingStopped as stop:
        if is_main_process():
            say(f"{stop}; resume with:\n  {resume_command(stop.run, device)}")
        ctx.exit(128 + stop.signal_number)
    if is_main_process():
        print_run(run, as_json)
