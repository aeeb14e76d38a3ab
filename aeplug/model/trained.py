"""A trained model as its parts compute: latents, data, and files and rows as batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from aeplug.config import TaskConfig
from aeplug.data.batching import INFERENCE_BATCH
from aeplug.data.opening import build_prepare
from aeplug.data.splits import iter_rows
from aeplug.errors import AeplugError, ConfigError
from aeplug.interfaces import (
    OWN,
    Batch,
    Codec,
    Context,
    DataShape,
    Document,
    Encoder,
    FilePrepare,
    Posterior,
    Prepare,
    PriorSource,
    RawBatch,
    Sampling,
    Split,
    supports,
)
from aeplug.model import conditions
from aeplug.model.guard_choice import choose_guard
from aeplug.model.own_prior import OwnPriors
from aeplug.model.task import Task
from aeplug.plugins import TaskSpec
from aeplug.runtime.files import require_regular

#: Key of a checkpoint's header: see :attr:`Model.default_prior`.
DEFAULT_PRIOR = "default_prior"


class TrainedModel:
    """What :class:`aeplug.Model` knows and computes; what it can be asked to do is added there."""

    def __init__(
        self,
        config: TaskConfig,
        task: Task,
        device: torch.device,
        header: Mapping[str, Any] | None = None,
        folder: Path | None = None,
    ) -> None:
        self.config, self.device, self.header = config, device, dict(header or {})
        self.folder = folder
        self.task = task.to(device).eval()
        self.shape: DataShape = task.shape
        self.priors: PriorSource = OwnPriors(self.task.latent)
        codec = config.sections["codec"]
        self.codec: Codec = codec.factory(codec.config, self.shape)
        self.prepare: Prepare = build_prepare(config, self.shape)
        self.options: Mapping[str, Any] = {}
        self.guard = choose_guard(self.spec, self.codec, self.options)

    @property
    def spec(self) -> TaskSpec:
        """The task's description."""
        return self.config.task

    @property
    def encoder(self) -> Encoder:
        """The encoder alone, a plain module: ``model.encoder(images)`` gives features."""
        return self.task.encoder

    @property
    def latent_size(self) -> int:
        """The number of latent dimensions.

        Raises:
            ConfigError: the latent is no vector, so there is nothing to embed into.
        """
        shape = tuple(self.task.latent.latent_shape)
        if len(shape) != 1:
            raise ConfigError(
                f"'{self.spec.name}' has no embedding: its latent "
                f"'{self.config.sections['latent'].name}' is feature maps of shape {shape}, "
                f"not one vector an item"
            )
        return shape[0]

    @property
    def has_prior(self) -> bool:
        """Whether the latent part brings a prior to sample from."""
        return bool(self.task.latent.has_prior)

    @property
    def default_prior(self) -> str:
        """Name of the prior that ``sample`` and ``vary`` draw from by default."""
        return str(self.header.get(DEFAULT_PRIOR, "") or self.spec.sampling.prior or OWN)

    @torch.no_grad()
    def posterior(self, batch: Batch) -> tuple[Posterior, Context]:
        """Posterior of the latent for a prepared batch, and the context to decode it with."""
        return self.task.encode(batch.input, batch.context(with_target=False))

    @torch.no_grad()
    def decode(
        self,
        z: Tensor,
        cond: Mapping[str, Any] | None = None,
        sampling: Sampling | None = None,
        input: Tensor | None = None,
    ) -> Tensor:
        """Latents ``(B, *latent_shape)`` -> data ``(B, *shape.target)``; greedy by default.

        Args:
            z: latents.
            cond: condition's name -> class name, number, or int64 ``(B,)``.
            sampling: how to decode.
            input: ``(B, *shape.input)``, of decoders that look at it, such as one that keeps the
                hits it is given; None: there is none, as when sampling.

        Raises:
            AeplugError: latents of another shape, or not as many inputs.
            ConfigError: an unknown condition or class.
        """
        sampling = sampling or Sampling(greedy=True)
        expected = self.task.latent.latent_shape
        if tuple(z.shape[1:]) != expected:
            raise AeplugError(f"latents have shape {expected}, got {tuple(z.shape[1:])}")
        if input is not None and len(input) != len(z):
            raise AeplugError(f"{len(z)} latents need as many inputs, got {len(input)}")
        classes = self.conditions(cond, len(z))
        parts = []
        for start in range(0, len(z), INFERENCE_BATCH):
            part = slice(start, start + INFERENCE_BATCH)
            context = Context(
                cond={name: value[part] for name, value in classes.items()},
                size=self.shape.target,
                input=input[part].to(self.device) if input is not None else None,
            )
            drawn = sampling.select_items(part)
            parts.append(self.task.decoder.generate(z[part].to(self.device), context, drawn))
        return torch.cat(parts)

    def generator(self, seed: int) -> torch.Generator:
        """A source of randomness on the model's device."""
        return torch.Generator(self.device).manual_seed(seed)

    # Files and data sets as batches

    def read(self, path: Path | str) -> Document:
        """Read a file; raises :class:`aeplug.errors.FileError`."""
        place = Path(path).expanduser()
        require_regular(place)
        return self.codec.read(place)

    def pieces(self, document: Document) -> Batch:
        """A document cut into pieces and prepared for the model."""
        return self.prepare_file(self.codec.split(document))

    def prepare_file(self, raw: RawBatch) -> Batch:
        """Rows of a user's file -> a batch: not corrupted, as rows of a data set may be."""
        raw = {name: column.to(self.device) for name, column in raw.items()}
        if supports(self.prepare, FilePrepare):
            batch = self.prepare.prepare_file(raw)
        else:
            batch = self.prepare_batch(raw)
        return conditions.complete_conditions(self.task, batch)

    def prepare_batch(self, raw: RawBatch) -> Batch:
        """Raw rows on the device -> a batch, without augmentation."""
        return self.prepare(raw, self.generator(0), training=False)

    def batches(self, split: Split, items: int | None = None) -> Iterator[Batch]:
        """A split's rows in order, prepared, ``INFERENCE_BATCH`` at a time."""
        rows = None if items is None else torch.arange(min(items, len(split)))
        for _, raw in iter_rows(split, self.device, rows):
            yield self.prepare_batch(raw)

    def conditions(self, cond: Mapping[str, Any] | None, count: int) -> dict[str, Tensor]:
        """As :meth:`encode_conditions`, with the first class of those not given."""
        first = dict.fromkeys(self.shape.conditions, 0)
        return self.encode_conditions({**first, **(cond or {})}, count)

    def encode_conditions(self, cond: Mapping[str, Any] | None, count: int) -> dict[str, Tensor]:
        """The conditions that are given, as int64 ``(count,)``.

        Raises:
            ConfigError: an unknown condition or class.
        """
        known, task = self.shape.conditions, self.spec.name
        classes = conditions.encode_classes(known, cond or {}, count, task)
        return {name: value.to(self.device) for name, value in classes.items()}
