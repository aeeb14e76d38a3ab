"""Open a task's data set, choose a split, build what prepares its rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aeplug.config import TaskConfig
from aeplug.data.splits import SPLITS
from aeplug.errors import ConfigError, nearest
from aeplug.interfaces import Dataset, DataShape, Prepare, ShapedPrepare, Split, supports
from aeplug.plugins.specs import TaskSpec

#: Names of splits that can be asked for; ``all`` is every item, for files of the user's own.
SPLIT_NAMES = (*SPLITS, "all")


def open_dataset(config: TaskConfig) -> Dataset:
    """The data set a task is configured with.

    Raises:
        DataError: its files are missing or damaged.

    Example:
        >>> from aeplug.training import training_config
        >>> split = open_dataset(training_config("mnist-vae")).split("test")
        >>> split.take(torch.arange(4))["image"].shape
        torch.Size([4, 1, 28, 28])
    """
    section = config.sections["data"]
    return section.factory(section.config)


def folder_settings(task: TaskSpec, path: str) -> dict[str, Any]:
    """The settings that ``--data PATH`` stands for.

    Raises:
        ConfigError: the task reads no data of the user's.
    """
    if task.folder_dataset is None:
        raise ConfigError(f"task '{task.name}' does not take --data")
    return {"data": task.folder_dataset, "data.path": str(Path(path).expanduser().resolve())}


def choose_split(dataset: Dataset, name: str) -> Split:
    """A split by name.

    Raises:
        ConfigError: no split has this name.

    Example:
        >>> from aeplug.training import training_config
        >>> dataset = open_dataset(training_config("mnist-vae"))
        >>> len(choose_split(dataset, "test"))
        10000
        >>> choose_split(dataset, "tset")
        Traceback (most recent call last):
            ...
        aeplug.errors.ConfigError: no split is called 'tset'. Did you mean 'test'?
    """
    if name not in SPLIT_NAMES:
        raise ConfigError(f"no split is called '{name}'. {nearest(name, SPLIT_NAMES)}")
    return dataset.split(name)


def build_prepare(config: TaskConfig, shape: DataShape) -> Prepare:
    """The task's step from rows of this shape to a batch.

    Raises:
        ConfigError: it cannot work on items of this shape.
    """
    section = config.sections["prepare"]
    try:
        prepare: Prepare = section.factory(section.config, shape)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"task '{config.task.name}' cannot be built: {error}") from error
    return prepare


def data_shape(prepare: Prepare, dataset: Dataset) -> DataShape:
    """What one prepared item looks like: the data set's shape, unless the preparation has one."""
    return prepare.shape if supports(prepare, ShapedPrepare) else dataset.shape
