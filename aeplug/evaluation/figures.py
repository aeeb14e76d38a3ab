"""Figures of a model on data it was not trained on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aeplug.config import TaskConfig, resolve
from aeplug.console import say
from aeplug.errors import ConfigError, nearest
from aeplug.evaluation.collapse import latent_use
from aeplug.evaluation.heldout import mean_losses
from aeplug.generation import BATCH, Model
from aeplug.interfaces import Dataset, Split
from aeplug.plugins import Plugins
from aeplug.specs import TaskSpec, load_attribute
from aeplug.task import build_prepare
from aeplug.tensor_model import TensorModel
from aeplug.training.distributed import World

#: ``all`` is every item, for files of the user's own.
SPLITS = ("train", "val", "test", "all")


def open_dataset(config: TaskConfig) -> Dataset:
    """The data set a task is configured with.

    Raises:
        DataError: its files are missing or damaged.
    """
    section = config.sections["data"]
    dataset: Dataset = section.factory(section.config)
    return dataset


def folder_settings(task: TaskSpec, path: str) -> dict[str, Any]:
    """The settings that ``--data PATH`` stands for.

    Raises:
        ConfigError: the task reads no data of the user's.
    """
    if task.folder_dataset is None:
        raise ConfigError(f"task '{task.name}' does not take --data")
    return {"data": task.folder_dataset, "data.path": str(Path(path).expanduser().resolve())}


def evaluation_dataset(model: TensorModel, path: str | None, plugins: Plugins) -> Dataset:
    """The data set a model was trained with, or the user's own at ``path``, in the model's shape.

    Raises:
        DataError: its files are missing or damaged.
        ConfigError: the task reads no data of the user's, or items do not fit the model.
    """
    config = model.config
    if path is not None:
        given = folder_settings(model.spec, path)
        config = resolve(model.spec, plugins, given)
        section = config.sections["data"]
        fit = getattr(section.factory, "fitted", None)
        if fit is not None:
            # A folder's files are brought to the shape that the model was built for.
            return fit(section.config, model.shape)
    elif model.header.get("data_left_out"):
        raise ConfigError("this model was exported without the path of its data; give --data")
    dataset = open_dataset(config)
    shape = getattr(build_prepare(config, dataset.shape), "shape", dataset.shape)
    if shape.target != model.shape.target:
        raise ConfigError(
            f"items of the data have shape {shape.target}, "
            f"'{model.spec.name}' was built for {model.shape.target}"
        )
    return dataset


def evaluate(
    model: Model, split: Split, options: Mapping[str, Any], *, with_baselines: bool = False
) -> dict[str, Any]:
    """The loss and its terms, the task's own figures, and baselines where asked for.

    Returns:
        Figures by name in snake_case with the unit at the end; ``items`` is how many items they
        are taken over; comparisons lie under ``baselines``. Where posteriors have a density,
        ``active_units`` of ``latent_units``, and a warning on stderr if they have collapsed.
    """
    world = World(0, 1, model.device)
    step = int(model.header.get("total_steps", 1))
    losses = mean_losses(
        model.task, model.prepare, split.to(model.device), len(split), BATCH, world, step
    )
    report: dict[str, Any] = {"items": len(split), **losses}
    use = latent_use(model.task, model.batches(split))
    if use is not None:
        report.update(active_units=use.active_units, latent_units=use.latent_units)
        if use.warning:
            say(f"aeplug: warning: {use.warning}")
    if model.spec.evaluate:
        report.update(load_attribute(model.spec.evaluate)(model, split, options))
    if with_baselines:
        if not model.spec.baselines:
            raise ConfigError(f"task '{model.spec.name}' has no baselines to compare with")
        report["baselines"] = load_attribute(model.spec.baselines)(model, split, options)
    return report


def choose_split(dataset: Dataset, name: str) -> Split:
    """A split by name.

    Raises:
        ConfigError: no split has this name.
    """
    if name not in SPLITS:
        raise ConfigError(f"no split is called '{name}'. {nearest(name, SPLITS)}")
    return dataset.split(name)
