"""Find a model by name or folder and load it."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from aeplug import checkpoint
from aeplug.checkpoint import Checkpoint
from aeplug.config import TaskConfig, flatten, resolve
from aeplug.distributed import pick_device
from aeplug.errors import CheckpointError, ConfigError, PluginError, nearest
from aeplug.generation import Model
from aeplug.plugins import Plugins, active
from aeplug.runs import BEST, LAST, Run
from aeplug.specs import TaskSpec
from aeplug.task import Task


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
        CheckpointError: nothing there, damaged, or its plug-in is missing.
        PluginError: no run and no task has this name.
    """
    plugins = plugins or active()
    source = checkpoint.read(_locate(model, checkpoint_name, plugins))
    config = config_of_checkpoint(source, plugins)
    task = Task(config, source.shape)
    source.load_into(task)
    return Model(config, task, pick_device(device), source.header)


def config_of_checkpoint(source: Checkpoint, plugins: Plugins) -> TaskConfig:
    """A checkpoint's settings, with its parts looked up again.

    Raises:
        CheckpointError: a plug-in it needs is not there; the message names what to install.
    """
    header = source.header
    try:
        task = plugins.task(header["task"])
        settings = {key: value for key, value in header["config"].items() if key != "task"}
        return resolve(task, plugins, flatten(settings), defaults=False)
    except (PluginError, ConfigError) as error:
        present = {plugin.name for plugin in plugins.collect() if plugin.status == "ok"}
        missing = [
            f"'{name}' ({origin})"
            for name, origin in header.get("plugins", {}).items()
            if name not in present
        ]
        if missing:
            raise CheckpointError(
                f"{source.folder} needs the plug-in {', '.join(missing)}, which is not loaded; "
                f"install it, or name its folder by --plugins-dir"
            ) from error
        raise CheckpointError(f"{source.folder} does not fit the plug-ins here: {error}") from error


def _locate(model: str | Path, which: str, plugins: Plugins) -> Path:
    folder = Path(model)
    run = Run(folder)
    if folder.is_dir():
        if (folder / "checkpoints").is_dir():
            for name in [which] if which else [BEST, LAST]:
                path = checkpoint.recovered(run.checkpoint(name))
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


def shipped_weights(task: TaskSpec) -> Path | None:
    """Folder of the checkpoint that comes with a task; None where none does."""
    if task.weights is None:
        return None
    package, _, inner = task.weights.partition(":")
    folder = Path(str(resources.files(package))) / inner
    return folder if (folder / checkpoint.CONFIG).is_file() else None
