"""What the checks of capabilities work on: a model, a tiny batch, and a file of one item."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from aeplug.checks.codec import read_back, write_document
from aeplug.checks.subject import Subject
from aeplug.interfaces import Batch, Document, RawBatch


class Workbench:
    """A fresh model of a subject in evaluation mode, and what is made of its data.

    Args:
        subject: the task under check.
        folder: an empty one, for files.
    """

    def __init__(self, subject: Subject, folder: Path) -> None:
        self.subject, self.folder = subject, folder
        self.model = subject.model()
        self.task = self.model.task
        self.batch: Batch = subject.batch()

    def parts(self) -> dict[str, Any]:
        """Kind -> part, of all kinds that have capabilities."""
        with torch.no_grad():
            posterior, _ = self.task.encode(self.batch.input, self.batch.context(with_target=False))
        return {
            "dataset": self.subject.dataset,
            "split": self.subject.train_split,
            "prepare": self.model.prepare,
            "encoder": self.task.encoder,
            "latent": self.task.latent,
            "posterior": posterior,
            "decoder": self.task.decoder,
            "loss": self.task.loss,
            "codec": self.model.codec,
        }

    def generator(self) -> torch.Generator:
        """The same draws at every call."""
        return torch.Generator().manual_seed(self.subject.seed)

    def item(self, row: int = 0, times: int = 1) -> tuple[Tensor, dict[str, Tensor]]:
        """One item of the batch, ``(times, *shape.target)``, and its classes."""
        rows = torch.full((times,), row % len(self.batch.target))
        return self.batch.target[rows], {n: value[rows] for n, value in self.batch.cond.items()}

    def document(self, row: int = 0, times: int = 1) -> Document:
        """One item, or the same several times in a row, as the codec reads it from a file."""
        return self.reread(self.model.codec.join(*self.item(row, times), None))

    def reread(self, document: Document) -> Document:
        """A document as it is read from the file that the codec writes of it."""
        count = len(list(self.folder.iterdir()))
        path = write_document(
            self.model.codec, document, self.folder / f"file-{count}", self.options
        )
        return read_back(self.model.codec, path)[0]

    @cached_property
    def rows(self) -> RawBatch:
        """The pieces of a file of one item."""
        return self.model.codec.split(self.document())

    @property
    def options(self) -> dict[str, Any]:
        """Defaults of the codec's own options by name."""
        return {option.name: option.default for option in self.codec_spec.options}

    @cached_property
    def codec_spec(self) -> Any:
        """The :class:`aeplug.CodecSpec` of the task."""
        return self.subject.plugins.find("codec", self.subject.config.sections["codec"].name)
