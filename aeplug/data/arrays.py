"""Plain arrays: what a task gets that brings no codec and no preparation of its own.

A file is a ``.npy`` of one item ``shape.input``, or of several ``(P, *shape.input)``; a data set's
column is called ``array``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from aeplug.config import PartConfig
from aeplug.errors import FileError
from aeplug.interfaces import Batch, DataShape, Document, RawBatch
from aeplug.runtime.figures import write_figure
from aeplug.runtime.files import atomic_replace, describe_write_error

COLUMN = "array"


class PrepareArrays:
    """Column ``array`` -> input and target alike, as it is; integers of tokens stay integers.

    Example:
        >>> raw = {"array": torch.zeros(4, 16, dtype=torch.uint8)}
        >>> prepare = PrepareArrays(None, DataShape((16,), (16,)))
        >>> prepare(raw, torch.Generator(), training=True).input.dtype
        torch.float32
    """

    def __init__(self, config: PartConfig, shape: DataShape) -> None:
        self.tokens = shape.classes > 0

    def __call__(self, raw: RawBatch, generator: torch.Generator, training: bool) -> Batch:
        """``array`` ``(B, ...)`` -> float32, or int64 where items are tokens."""
        items = raw[COLUMN].long() if self.tokens else raw[COLUMN].float()
        return Batch(items, items)


class ArrayCodec:
    """``.npy`` files; one document is an array of pieces ``(P, *shape)``.

    Example:
        >>> np.save("two.npy", np.zeros((2, 16)))
        >>> codec = ArrayCodec(None, DataShape((16,), (16,)))
        >>> codec.split(codec.read(Path("two.npy")))["array"].shape
        torch.Size([2, 16])
    """

    def __init__(self, config: PartConfig, shape: DataShape) -> None:
        self.shape = shape

    def read(self, path: Path) -> Document:
        """Read a file; raises :class:`aeplug.errors.FileError` where its shape does not fit."""
        try:
            array = np.load(path, allow_pickle=False)
        except OSError as error:
            raise FileError(f"{path}: {error.strerror or error}") from error
        except (ValueError, EOFError) as error:
            raise FileError(f"{path} is not a .npy file: {error}") from error
        expected = self.shape.input
        if array.shape == expected:
            array = array[None]
        if array.shape[1:] != expected or array.dtype.kind not in "fiub":
            raise FileError(
                f"{path} holds {array.dtype} of shape {array.shape}, expected numbers of shape "
                f"{expected} or (pieces, {', '.join(map(str, expected))})"
            )
        return Document(array, path.stem, path)

    def split(self, document: Document) -> RawBatch:
        """``array``: all pieces."""
        return {COLUMN: torch.from_numpy(np.ascontiguousarray(document.content))}

    def join(self, pieces: Tensor, cond: Mapping[str, Tensor], like: Document | None) -> Document:
        """The pieces as an array."""
        return Document(pieces.cpu().numpy(), like.name if like else "sample")

    def write(self, document: Document, stem: Path, options: Mapping[str, Any]) -> list[Path]:
        """Write ``stem.npy``; one piece without the leading 1."""
        array = document.content[0] if len(document.content) == 1 else document.content
        path = stem.with_name(stem.name + ".npy")
        try:
            with atomic_replace(path) as temporary, temporary.open("wb") as file:
                np.save(file, array, allow_pickle=False)
        except OSError as error:
            raise FileError(
                f"{path} cannot be written: {describe_write_error(error, path.parent)}"
            ) from error
        return [path]

    def sheet(self, rows: Sequence[tuple[str, Sequence[Document]]], path: Path, title: str) -> None:
        """Each document's first piece: a line for each channel, or a map where it has two axes."""
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib.figure import Figure

        columns = max(len(documents) for _, documents in rows)
        figure = Figure(figsize=(1.6 * columns + 1, 1.3 * len(rows) + 0.6), layout="constrained")
        grid = figure.subplots(len(rows), columns, squeeze=False)
        for cells, (label, documents) in zip(grid, rows, strict=True):
            for number, cell in enumerate(cells):
                cell.set_axis_off()
                if number < len(documents):
                    cell.set_title(documents[number].name, fontsize=7)
                    _draw(cell, np.squeeze(documents[number].content[0]))
            cells[0].text(
                -0.05, 0.5, label, transform=cells[0].transAxes, ha="right", va="center", fontsize=8
            )
        figure.suptitle(title, fontsize=10)
        write_figure(figure, path, dpi=110)


def _draw(cell: Any, item: np.ndarray) -> None:
    if item.ndim >= 2 and min(item.shape[-2:]) > 8:
        cell.imshow(item.reshape(-1, *item.shape[-2:])[0], cmap="gray", aspect="auto")
        return
    for channel in item.reshape(-1, item.shape[-1] if item.ndim else 1):
        cell.plot(channel, linewidth=0.8)
