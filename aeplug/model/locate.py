"""Find a model by name or folder; a typo is answered before torch is imported."""

from __future__ import annotations

import json
from pathlib import Path

from aeplug.errors import CheckpointError, PluginError, nearest
from aeplug.model.run_folder import BEST, LAST, RunFolder
from aeplug.plugins import Plugins, TaskSpec


def locate_checkpoint(model: str | Path, which: str, plugins: Plugins) -> Path:
    """The folder of the checkpoint that a name stands for.

    Args:
        model: a run directory, a checkpoint's folder, or a task's name.
        which: ``best`` or ``last`` of a run; empty: best, else last.
        plugins: where tasks are looked up.

    Raises:
        CheckpointError: there is none.
        PluginError: no run and no task has this name; the message names the nearest.
    """
    from aeplug.model import checkpoint  # brings torch

    folder = Path(model)
    if (folder / "checkpoints").is_dir():
        for name in [which] if which else [BEST, LAST]:
            path = checkpoint.recover(RunFolder(folder).checkpoint(name))
            if path.is_dir():
                return path
        raise CheckpointError(f"run {folder} holds no checkpoint '{which or BEST}' yet")
    if (folder / checkpoint.CONFIG).is_file():
        return folder
    check_model_name(model, plugins)
    weights = checkpoint.shipped_weights(plugins.task(str(model)))
    if weights is None:
        raise CheckpointError(
            f"task '{model}' ships no weights; train it (aeplug train {model}) and name the run"
        )
    return weights


def check_model_name(model: str | Path, plugins: Plugins) -> None:
    """Check that a name is a task's, where it is no folder of a run or checkpoint.

    Raises:
        CheckpointError: it is a path that leads to no run and no checkpoint.
        PluginError: it is no path, and no task is called so; the message names the nearest.
    """
    names = [spec.name for spec in plugins.specs("task")]
    text, path = str(model), Path(model)
    if text in names or (path / "checkpoints").is_dir() or (path / "config.json").is_file():
        return
    if path.exists():
        raise CheckpointError(f"{path} is neither a run directory nor a checkpoint")
    if "/" in text or "\\" in text:
        raise CheckpointError(f"no run directory '{text}'")
    if any(text in plugin.provides.get("task", ()) for plugin in plugins.collect()):
        plugins.task(text)  # one that cannot be used: the look-up says why
    raise PluginError(f"no run directory and no task is called '{text}'. {nearest(text, names)}")


def task_of_model(model: str | Path, plugins: Plugins) -> TaskSpec:
    """The task that a model is of, by its name or as its folder says; nothing is loaded.

    Raises:
        CheckpointError: it is a path that leads to no run and no checkpoint.
        PluginError: there is no such task.
    """
    check_model_name(model, plugins)
    try:
        config = json.loads((Path(model) / "config.json").read_text(encoding="utf-8"))
        name = str(config["task"])
    except (OSError, ValueError, KeyError, TypeError):
        name = str(model)
    return plugins.task(name)


def untrained_task(model: str | Path, plugins: Plugins) -> TaskSpec | None:
    """The task of this name, where no weights of it are at hand; None where there are."""
    from aeplug.model import checkpoint  # brings torch

    check_model_name(model, plugins)
    if Path(model).is_dir():
        return None
    task = plugins.task(str(model))
    return task if checkpoint.shipped_weights(task) is None else None
