"""What the functions of this folder need of a model; :class:`aeplug.Model` has it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from aeplug.config import TaskConfig
from aeplug.interfaces import (
    Batch,
    Codec,
    Context,
    DataShape,
    Document,
    Encoder,
    Posterior,
    PriorSource,
    Sampling,
)
from aeplug.model.task import Task
from aeplug.plugins import TaskSpec


class TrainedModel(Protocol):
    """A model in use; see :class:`aeplug.Model` for what each member is."""

    config: TaskConfig
    task: Task
    shape: DataShape
    device: torch.device
    codec: Codec
    priors: PriorSource

    @property
    def spec(self) -> TaskSpec: ...  # noqa: D102
    @property
    def encoder(self) -> Encoder: ...  # noqa: D102
    @property
    def has_prior(self) -> bool: ...  # noqa: D102
    @property
    def default_prior(self) -> str: ...  # noqa: D102
    def require(self, verb: str, prior: str = "") -> None: ...  # noqa: D102
    def generator(self, seed: int) -> torch.Generator: ...  # noqa: D102
    def posterior(self, batch: Batch) -> tuple[Posterior, Context]: ...  # noqa: D102
    def read(self, path: Path | str) -> Document: ...  # noqa: D102
    def pieces(self, document: Document) -> Batch: ...  # noqa: D102
    def decode(  # noqa: D102
        self,
        z: Tensor,
        cond: Mapping[str, Any] | None = None,
        sampling: Sampling | None = None,
        input: Tensor | None = None,
    ) -> Tensor: ...
    def conditions(  # noqa: D102
        self, cond: Mapping[str, Any] | None, count: int
    ) -> dict[str, Tensor]: ...
    def encode_conditions(  # noqa: D102
        self, cond: Mapping[str, Any] | None, count: int
    ) -> dict[str, Tensor]: ...
