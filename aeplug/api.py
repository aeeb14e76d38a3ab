"""Find a model by name or folder and load it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from aeplug.config import TaskConfig, flatten, resolve
from aeplug.errors import CheckpointError, ConfigError, PluginError, nearest
from aeplug.model import checkpoint
from aeplug.model.checkpoint import Checkpoint, MisfitError, shipped_weights
from aeplug.model.model import Model
from aeplug.model.run_folder import BEST, LAST, Run
from aeplug.model.task import Task
from aeplug.plugins import Plugins, active
from aeplug.plugins.compatibility import differences
from aeplug.priors.registry import PriorRegistry
from aeplug.runtime.console import say
from aeplug.runtime.distributed import pick_device


def load_model(
    model: str | Path,
    *,
    device: str = "auto",
    checkpoint_name: str = "",
    plugins: Plugins | None = None,
) -> Model:
    """Load a model by a task's name (its shipped weights), a run directory or a checkpoint.

    Args:
        model: what to load; an existing run directory goes before a task of the same name.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        checkpoint_name: ``best`` or ``last`` of a run; by default best, else last.
        plugins: where parts are looked up; by default those of this process.

    Raises:
        CheckpointError: nothing there, damaged, or its plug-in is missing or of a version that
            it does not fit; the message names what to install.
        PluginError: no run and no task has this name.
    """
    plugins = plugins or active()
    source = checkpoint.read(_locate(model, checkpoint_name, plugins))
    config = config_of_checkpoint(source, plugins)
    with fitting(source, plugins):
        task = Task(config, source.shape)
        source.load_into(task)
    loaded = Model(config, task, pick_device(device), source.header, source.folder)
    loaded.priors = PriorRegistry(loaded, plugins)
    return loaded


def config_of_checkpoint(source: Checkpoint, plugins: Plugins) -> TaskConfig:
    """A checkpoint's settings, with its parts looked up again.

    Where a plug-in here is older than the checkpoint's and yet fits, a line on stderr says so.

    Raises:
        CheckpointError: a plug-in it needs is not there, or of a version with other parts or
            settings; the message names what to install.
    """
    header = source.header
    with fitting(source, plugins):
        task = plugins.task(header["task"])
        settings = {key: value for key, value in header["config"].items() if key != "task"}
        config = resolve(task, plugins, flatten(settings), defaults=False)
    for difference in differences(header, plugins):
        if difference.kind == "older":
            say(f"aeplug: warning: {source.folder}: {difference.text}")
    return config


@contextlib.contextmanager
def fitting(source: Checkpoint, plugins: Plugins) -> Iterator[None]:
    """Errors within say, as far as other plug-ins than the checkpoint's explain them, what to do.

    Raises:
        CheckpointError: in place of what was raised for a part, setting or weight that does not
            fit.
    """
    try:
        yield
    except (PluginError, ConfigError, MisfitError) as error:
        found = differences(source.header, plugins)
        missing = [difference.text for difference in found if difference.kind == "missing"]
        if missing:
            raise CheckpointError(
                f"{source.folder} cannot be loaded: {'; '.join(missing)}"
            ) from error
        text = str(error)
        if not isinstance(error, MisfitError):
            text = f"{source.folder} does not fit the plug-ins here: {error}"
        raise CheckpointError("; ".join([text, *(one.text for one in found)])) from error


def _locate(model: str | Path, which: str, plugins: Plugins) -> Path:
    folder = Path(model)
    run = Run(folder)
    if folder.is_dir():
        if (folder / "checkpoints").is_dir():
            for name in [which] if which else [BEST, LAST]:
                path = checkpoint.recover(run.checkpoint(name))
                if path.is_dir():
                    return path
            raise CheckpointError(f"run {folder} holds no checkpoint '{which or BEST}' yet")
        if (folder / checkpoint.CONFIG).is_file():
            return folder
    names = [spec.name for spec in plugins.specs("task")]
    text = str(model)
    if text not in names:
        if folder.exists():
            raise CheckpointError(f"{folder} is neither a run directory nor a checkpoint")
        if "/" in text or "\\" in text:
            raise CheckpointError(f"no run directory '{text}'")
        raise PluginError(
            f"no run directory and no task is called '{text}'. {nearest(text, names)}"
        )
    weights = shipped_weights(plugins.task(text))
    if weights is None:
        raise CheckpointError(
            f"task '{text}' ships no weights; train it (aeplug train {text}) and name the run"
        )
    return weights
