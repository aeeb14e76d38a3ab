"""The image codec: one picture is one piece of the model's size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from aeplug.config import PartConfig
from aeplug.interfaces import DataShape, Document, RawBatch
from aeplug_image.files.fitting import fit_picture
from aeplug_image.files.reading import Picture, read_picture
from aeplug_image.files.sheet import draw_sheet
from aeplug_image.files.writing import WRITTEN, write_picture


class ImageCodec:
    """Files of images for models of a fixed size."""

    def __init__(self, config: PartConfig, shape: DataShape) -> None:
        self.shape = shape

    def read(self, path: Path) -> Document:
        """Decode a file; raises :class:`aeplug.errors.FileError`."""
        return Document(read_picture(path), path.stem, path)

    def split(self, document: Document) -> RawBatch:
        """``image``: float32 ``(1, C, H, W)`` in 0..1, fitted to the model."""
        return {"image": fit_picture(document.content, self.shape.input).unsqueeze(0)}

    def join(self, pieces: Tensor, cond: Mapping[str, Tensor], like: Document | None) -> Document:
        """The picture of one piece ``(1, C, H, W)`` in 0..1; 16 bit where ``like`` has 16."""
        deep = like is not None and like.content.pixels.dtype == np.uint16
        unit, kind = (65535, np.uint16) if deep else (255, np.uint8)
        image = pieces[0].float().clamp(0, 1).permute(1, 2, 0).cpu().numpy()
        pixels = np.rint(image * unit).astype(kind)
        return Document(Picture(pixels), like.name if like else "sample")

    def write(self, document: Document, stem: Path, options: Mapping[str, Any]) -> list[Path]:
        """Write ``stem`` in the document's format, PNG where it has none."""
        return [
            write_picture(document.content, stem.with_name(stem.name + (document.suffix or ".png")))
        ]

    def suffix_for(self, source: Path) -> str:
        """The source's own suffix where that format is written, else ``.png``."""
        return source.suffix if source.suffix.lower() in WRITTEN else ".png"

    def sheet(self, rows: Sequence[tuple[str, Sequence[Document]]], path: Path, title: str) -> None:
        """Draw labelled rows of pictures, each in the model's size, into one PNG."""
        cells = [
            (label, [(self._render_cell(document), document.name) for document in documents])
            for label, documents in rows
        ]
        draw_sheet(cells, path, title)

    def thumbnail(self, document: Document) -> npt.NDArray[np.uint8]:
        """The picture in the model's size, ``(H, W, 3)``."""
        cell = self._render_cell(document)
        return np.repeat(cell, 3, axis=2) if cell.shape[2] == 1 else cell

    def _render_cell(self, document: Document) -> np.ndarray:
        image = fit_picture(document.content, self.shape.target)
        return (image * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
