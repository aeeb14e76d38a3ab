"""``aeplug train``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from aeplug.errors import ConfigError
from aeplug.plugins import active
from aeplug.runtime.console import say


@click.command()
@click.argument("task", required=False, metavar="TASK")
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
@click.option("--data", help="Train on this folder (or file) of your own.")
@click.option("--run", "folder", type=click.Path(file_okay=False), help="Folder of the run.")
@click.option("--seed", type=int, help="Seed of weights, order and noise.  [default: 0]")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps.")
@click.option("--precision", type=click.Choice(["fp32", "bf16"]), help="bf16: mixed precision.")
@click.option("--resume", is_flag=True, help="Go on with --run, or with the task's latest run.")
@click.option("--help-task", metavar="TASK", help="List a task's settings, as --set takes them.")
@click.pass_context
def train(
    ctx: click.Context,
    task: str | None,
    assignments: tuple[str, ...],
    config: str | None,
    epochs: float | None,
    steps: int | None,
    data: str | None,
    folder: str | None,
    seed: int | None,
    device: str,
    precision: str | None,
    resume: bool,
    help_task: str | None,
) -> None:
    """Train TASK and keep everything in a run folder.

    \b
    aeplug train mnist-vae
    aeplug train mnist-vae --set latent=20 --epochs 20 --run runs/vae20
    aeplug train mnist --data my-pictures/ --set data.size=64
    aeplug train mnist-vae --run runs/vae20 --resume
    aeplug train --help-task mnist-vae
    torchrun --nproc-per-node 2 -m -- aeplug train mnist-vae --run runs/two --device cpu

    Ctrl-C saves first and says how to go on. The run's folder is printed on stdout.
    """
    name = help_task or task
    if name is None:
        raise click.MissingParameter(ctx=ctx, param=ctx.command.params[0])
    spec = active().task(name)  # before torch is imported: a typo is told at once
    from aeplug.config import parse_assignments, read_settings
    from aeplug.data.opening import folder_settings

    layers: list[dict[str, Any]] = [read_settings(Path(config))] if config else []
    if data:
        layers.append(folder_settings(spec, data))
    layers.append(parse_assignments(assignments))
    if epochs is not None and steps is not None:
        raise ConfigError("--epochs and --steps exclude each other")
    length: dict[str, Any] = {}
    if epochs is not None:
        length = {"train.epochs": epochs, "train.steps": 0}
    if steps is not None:
        length = {"train.steps": steps}
    given = {"train.seed": seed, "train.precision": precision}
    layers.append({key: value for key, value in given.items() if value is not None})
    if help_task is not None:
        print_task(help_task, [*layers, length])
        return
    run = train_run(
        name, layers, length, Path(folder) if folder else None, device=device, resume=resume
    )
    if run is not None:
        click.echo(str(run))


def print_task(task: str, layers: list[dict[str, Any]]) -> None:
    """All settings of a task, with its own defaults and what was set beside."""
    from aeplug.cli.output import print_settings
    from aeplug.config import resolve
    from aeplug.config.schema import settings_of_task

    plugins = active()
    spec = plugins.task(task)
    config = resolve(spec, plugins, *layers)
    click.echo(f"{click.style(spec.name, bold=True)}: {spec.summary}")
    for section, settings in settings_of_task(config).items():
        part = config.sections[section].name
        click.echo()
        click.echo(click.style(f"{section}={part}" if part else section, bold=True))
        print_settings(settings, section)


def train_run(
    task: str,
    layers: list[dict[str, Any]],
    length: dict[str, Any],
    folder: Path | None,
    *,
    device: str = "auto",
    resume: bool = False,
) -> Path | None:
    """Train and draw the pictures; the run's folder, or None in processes other than rank 0.

    Ends the process with 128 + signal if training was asked to stop, after saving.
    """
    from aeplug.api import config_of_checkpoint, fitting
    from aeplug.config import flatten, resolve
    from aeplug.data.opening import open_dataset
    from aeplug.model import checkpoint, run_folder
    from aeplug.model.header import required_plugins
    from aeplug.runtime.distributed import init_distributed
    from aeplug.runtime.signals import Interrupted
    from aeplug.training.trainer import Trainer

    plugins = active()
    spec = plugins.task(task)
    with init_distributed(device) as here:
        if resume:
            run = run_folder.Run(folder or run_folder.latest(task))
            source = checkpoint.read(run.checkpoint(run_folder.LAST))
            if any(layers):
                key = next(key for layer in layers for key in layer)
                raise ConfigError(
                    f"a resumed run keeps its settings; only --epochs or --steps may change, "
                    f"not '{key}'"
                )
            if source.header["task"] != task:
                raise ConfigError(f"{run.folder} is a run of '{source.header['task']}'")
            config = config_of_checkpoint(source, plugins)
            if length:
                stored = {k: v for k, v in source.header["config"].items() if k != "task"}
                config = resolve(spec, plugins, flatten(stored), length, defaults=False)
        else:
            source = None
            config = resolve(spec, plugins, *layers, length)
            run = run_folder.Run(folder or run_folder.new_folder(task))
        training = Trainer(config, open_dataset(config), plugins, run, here)
        if here.is_main:
            parameters = sum(p.numel() for p in training.parameters)
            say(
                f"{task}: {len(training.train_split):,} items, {parameters:,} parameters, "
                f"{training.total:,} steps of {training.batch_size} on {here.device}"
            )
        if source is not None:
            with fitting(source, plugins):
                training.resume(source)
            if here.is_main:
                run.update(config.as_dict())
                say(f"going on at step {training.state.step}")
        elif here.is_main:
            run.create(
                config.as_dict(),
                run_folder.environment(str(here.device), required_plugins(config, plugins)),
            )
        try:
            training.run()
        except Interrupted as stop:
            if here.is_main:
                say(
                    f"stopped and saved at step {stop.step} of {training.total}; go on with:\n"
                    f"  aeplug train {task} --run {run.folder} --resume"
                )
            sys.exit(128 + stop.signal_number)
        finally:
            training.model = training.task  # lets go of DDP while its processes are still there
        if not here.is_main:
            return None
    draw_pictures(run)
    return run.folder


def draw_pictures(run: Any) -> None:
    """The pictures of a finished run, into its own folder: curve, reconstructions, samples."""
    from aeplug.api import load_model
    from aeplug.plots.curve import draw_curve
    from aeplug.plots.gallery import draw_reconstructions, draw_samples

    draw_curve(run.metrics(), run.folder / "curve.png", run.folder.name)
    model = load_model(run.folder)
    written = [run.folder / "curve.png"]
    if "reconstruct" in model.verbs:
        written.append(draw_reconstructions(model, run.folder / "reconstructions.png"))
    if "sample" in model.verbs:
        written.append(draw_samples(model, run.folder / "samples.png"))
    for path in written:
        say(f"wrote {path}")
