"""Files read and written again, nothing between: a job (:mod:`aeplug.jobs.job`) without a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch

from aeplug.interfaces import Document


class Converter(Protocol):
    """What of a codec (:class:`aeplug.interfaces.Codec`) a conversion needs."""

    def read(self, path: Path) -> Document:
        """Read a whole file; raises :class:`aeplug.errors.FileError` with the reason."""
        ...

    def write(self, document: Document, stem: Path, options: Mapping[str, Any]) -> list[Path]:
        """Write one document to ``stem`` plus suffix; returns the files written.

        They lie beside each other and are named ``stem`` plus a suffix each.
        """
        ...


@dataclass(frozen=True)
class Conversion:
    """What a job does with files in place of a model.

    Attributes:
        codec: reads and writes, from several threads at once.
        identity: what the results depend on beside inputs and options, JSON-ready; a job in the
            same folder with another is another job.
        device: of tensors, where the codec has some.

    Example:
        >>> from aeplug.data import ArrayCodec
        >>> np.save("a.npy", np.zeros((2, 16)))
        >>> conversion = Conversion(ArrayCodec(None, DataShape((16,), (16,))), {})
        >>> inputs = Inputs(["a.npy"], "", [], Path("out"))
        >>> run_job(Job(conversion, inputs, Path("out"), ".npy")).counts.done
        1
    """

    codec: Converter
    identity: Mapping[str, Any]
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
