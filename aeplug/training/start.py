"""From a user's settings to a running training: a new one, or one that is resumed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aeplug.config import TaskConfig, flatten, read_settings, resolve
from aeplug.data.opening import folder_settings
from aeplug.errors import ConfigError, format_count
from aeplug.model import checkpoint as checkpoints
from aeplug.model import run_folder
from aeplug.model.checkpoint import Checkpoint
from aeplug.model.header import required_plugins
from aeplug.model.loading import config_of_checkpoint, explain_misfit
from aeplug.model.run_folder import LAST, RunFolder
from aeplug.plugins import Plugins, active
from aeplug.runtime.console import say
from aeplug.runtime.distributed import Distributed
from aeplug.training.codec_fit import check_codec_fits
from aeplug.training.trainer import Trainer


def training_config(
    task: str,
    *,
    steps: int | None = None,
    epochs: float | None = None,
    data: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    config: str | Path | None = None,
    seed: int | None = None,
    precision: str | None = None,
    plugins: Plugins | None = None,
) -> TaskConfig:
    """The settings that :func:`aeplug.train` would train with; see there.

    Example:
        >>> training_config("mnist-vae", settings={"latent": 20}).as_dict()["latent"]["size"]
        20
    """
    plugins = plugins or active()
    layers = settings_layers(task, data, settings, config, seed, precision, plugins)
    return resolve(plugins.task(task), plugins, *layers, training_length(steps, epochs))


def settings_layers(
    task: str,
    data: str | Path | None,
    settings: Mapping[str, Any] | None,
    config: str | Path | None,
    seed: int | None,
    precision: str | None,
    plugins: Plugins,
) -> list[dict[str, Any]]:
    """A user's settings, each layer over the one before; see :func:`aeplug.train`.

    Raises:
        PluginError: no task is called so.
        ConfigError: the file cannot be read, or the task takes no data of the user's.
    """
    spec = plugins.task(task)
    single = {"train.seed": seed, "train.precision": precision}
    layers = [
        read_settings(Path(config)) if config else {},
        folder_settings(spec, str(data)) if data else {},
        flatten(settings or {}),
        {key: value for key, value in single.items() if value is not None},
    ]
    return [layer for layer in layers if layer]


def training_length(steps: int | None, epochs: float | None) -> dict[str, Any]:
    """The settings of a training's length.

    Raises:
        ConfigError: both are given.
    """
    if steps is not None and epochs is not None:
        raise ConfigError("steps and epochs exclude each other: both are the length of a training")
    if epochs is not None:
        return {"train.epochs": epochs, "train.steps": 0}
    return {} if steps is None else {"train.steps": steps}


def resumable_run(
    task: str, run: str | Path | None, layers: list[dict[str, Any]], distributed: Distributed
) -> tuple[RunFolder, Checkpoint | None]:
    """The run to be resumed, by default the task's latest, and its checkpoint.

    There is none where the run was killed before it saved one: it then begins at step 0.

    Raises:
        CheckpointError: there is no such run, or its checkpoint is damaged.
        ConfigError: it is another task's, or settings are to change.
    """
    folder = RunFolder(Path(distributed.share(str(run or run_folder.latest(task)))))
    place = checkpoints.recover(folder.checkpoint(LAST))
    source = checkpoints.read(place) if place.is_dir() else None
    known = source.header if source is not None else folder.config()
    for key in (key for layer in layers for key in layer):
        raise ConfigError(
            f"a resumed run keeps its settings; only --epochs or --steps may change, not '{key}'"
        )
    if known["task"] != task:
        raise ConfigError(f"{folder.folder} is a run of '{known['task']}'")
    return folder, source


def resumed_config(
    folder: RunFolder, source: Checkpoint | None, length: dict[str, Any], plugins: Plugins
) -> TaskConfig:
    """A run's own settings, of another ``length`` where one is given.

    Raises:
        CheckpointError: a plug-in that the checkpoint needs is not there, or does not fit it.
    """
    if source is None:
        settings = folder.config()
    else:
        config = config_of_checkpoint(source, plugins)
        if not length:
            return config
        settings = source.header["config"]
    stored = {key: value for key, value in settings.items() if key != "task"}
    task = plugins.task(settings["task"])
    return resolve(task, plugins, flatten(stored), length, defaults=False)


def begin_or_resume(
    trainer: Trainer,
    folder: RunFolder,
    source: Checkpoint | None,
    plugins: Plugins,
    *,
    resumed: bool,
) -> None:
    """Begin the run, or resume it, and train to the end.

    Args:
        trainer: set up, at step 0.
        folder: of the run.
        source: where to go on; None: at step 0.
        plugins: which parts come from.
        resumed: whether the run is to be there already, or not yet.

    Raises:
        Interrupted: asked to stop; everything reached is saved.
        CheckpointError: the folder holds a run already, or cannot be written.
        TrainingError: training cannot go on.
    """
    distributed, config = trainer.distributed, trainer.config
    if distributed.is_main:
        parameters = sum(p.numel() for p in trainer.parameters)
        say(
            f"{config.task.name}: {format_count(len(trainer.train_split), 'item')}, "
            f"{parameters:,} parameters, {format_count(trainer.plan.total, 'step')} of "
            f"{trainer.plan.batch_size} on {distributed.device}"
        )
    if source is None:
        check_codec_fits(config, trainer.task, trainer.prepare, trainer.val_split)
    if source is not None:
        with explain_misfit(source, plugins):
            trainer.resume(source)
        if distributed.is_main:
            folder.update(config.as_dict())
            say(f"going on at step {trainer.state.step}")
    elif resumed:
        if distributed.is_main:
            folder.rewind(0)
            folder.update(config.as_dict())
            say(f"{folder.folder} holds no checkpoint to go on from: beginning again at step 0")
    elif distributed.is_main:
        used = required_plugins(config, plugins)
        folder.create(config.as_dict(), run_folder.environment(str(distributed.device), used))
    trainer.run()
