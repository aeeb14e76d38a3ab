"""A task under check: resolved, with rows of its own data, built anew for every check."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from aeplug.checks.synthetic import write_documents
from aeplug.config import TaskConfig, resolve
from aeplug.data.opening import build_prepare, data_shape, folder_settings, open_dataset
from aeplug.interfaces import Batch, Dataset, DataShape, Prepare, RawBatch, Split
from aeplug.model.model import Model
from aeplug.model.task import Task
from aeplug.plugins import Plugins
from aeplug.plugins.specs import TaskSpec

CPU = torch.device("cpu")

#: Items of a tiny batch: even, so that two processes can share it.
ITEMS = 8


@dataclass
class Subject:
    """A task with what its checks have in common.

    Args:
        spec: the task.
        plugins: where its parts are looked up.
        settings: dotted keys over the task's own.
        data: folder of the user's own data, as ``--data``; a task that needs one and has none
            here gets a folder of documents that its codec makes up.
        seed: of weights and draws.
    """

    spec: TaskSpec
    plugins: Plugins
    settings: Mapping[str, Any]
    data: Path | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        self._folder: TemporaryDirectory[str] | None = None

    def close(self) -> None:
        """Remove what was made up."""
        if self._folder is not None:
            self._folder.cleanup()

    @cached_property
    def layer(self) -> dict[str, Any]:
        """All settings over the task's own, the data's folder included."""
        settings = dict(self.settings)
        if self.data is not None:
            return {**folder_settings(self.spec, str(self.data)), **settings}
        config = resolve(self.spec, self.plugins, settings)
        dataset = self.plugins.find("dataset", config.sections["data"].name)
        if dataset.needs_folder and not dict(config.sections["data"].config).get("path"):
            self._folder = TemporaryDirectory(prefix="aeplug-check-")
            folder = Path(self._folder.name)
            write_documents(config, open_dataset(config).shape, folder)
            return {**folder_settings(self.spec, str(folder)), **settings}
        return settings

    @cached_property
    def config(self) -> TaskConfig:
        """The task's settings, resolved."""
        return resolve(self.spec, self.plugins, self.layer)

    @cached_property
    def dataset(self) -> Dataset:
        """The task's data set."""
        return open_dataset(self.config)

    @cached_property
    def train_split(self) -> Split:
        """Its split ``train``, on the CPU."""
        return self.dataset.split("train").to(CPU)

    @cached_property
    def prepare(self) -> Prepare:
        """The task's step from rows to a batch."""
        return build_prepare(self.config, self.dataset.shape)

    @property
    def shape(self) -> DataShape:
        """What the parts are built for."""
        return data_shape(self.prepare, self.dataset)

    @property
    def items(self) -> int:
        """How many items a tiny batch has."""
        return min(ITEMS, len(self.train_split) // 2 * 2) or 1

    def rows(self, count: int | None = None) -> RawBatch:
        """Rows of the split ``train``, from the first on."""
        return self.train_split.take(torch.arange(self.items if count is None else count))

    def batch(self, *, training: bool = False, count: int | None = None) -> Batch:
        """The same tiny batch at every call."""
        generator = torch.Generator().manual_seed(self.seed)
        return self.prepare(self.rows(count), generator, training)

    def task(self) -> Task:
        """The task as a module with fresh weights, in training mode; the same at every call."""
        torch.manual_seed(self.seed)
        return Task(self.config, self.shape)

    def model(self, task: Task | None = None) -> Model:
        """A task, by default a fresh one, in use."""
        return Model(self.config, task or self.task(), CPU)


@contextlib.contextmanager
def quietly() -> Any:
    """Leave torch's random state as it was, and keep what a plug-in prints off stdout."""
    with torch.random.fork_rng(devices=[]), contextlib.redirect_stdout(sys.stderr):
        flushes = torch.tensor(1e-40) * 1.0 == 0  # subnormal numbers; a training changes it
        try:
            yield
        finally:
            torch.set_flush_denormal(bool(flushes))
