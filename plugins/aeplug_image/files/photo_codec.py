"""The photo codec: pictures of any size, tile by tile, given back as the files they were.

Format, size (times the model's scale), depth, alpha, colour profile and metadata of a file stay;
its colours or its luma go through a fully convolutional model.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from aeplug.config import PartConfig, setting
from aeplug.errors import FileError
from aeplug.interfaces import DataShape, Document, RawBatch
from aeplug_image.files.codec import ImageCodec
from aeplug_image.files.fitting import LUMA, fit_picture
from aeplug_image.files.reading import MAX_PIXELS, Picture
from aeplug_image.files.sheet import LARGEST_CELL, draw_sheet
from aeplug_image.files.tiles import Span, iter_tiles
from aeplug_image.resampling import upscale

#: Blue and red less luma, over these, are Cb and Cr in -0.5..0.5 (ITU-R BT.601, full range).
BLUE, RED = 2 * (1 - LUMA[2]), 2 * (1 - LUMA[0])


class PhotoConfig(PartConfig):
    """How pictures are cut into tiles, and how large the results are."""

    tile: int = setting(512, "largest side of a tile's own part", unit="pixels", ge=16)
    overlap: int = setting(
        64,
        "pixels a tile sees around its own part; no less than the model looks, or seams show",
        unit="pixels",
        ge=0,
    )
    multiple: int = setting(
        16, "tiles begin at multiples of it: the model's stride", unit="pixels", ge=1
    )


class PhotoCodec(ImageCodec):
    """Files of images for fully convolutional models of one or three channels.

    A model of three channels takes RGB; a grey picture is given to it as three equal channels and
    becomes their mean. A model of one channel takes grey, and of a colour picture its luma; the
    chroma is enlarged by bicubic interpolation. Alpha is unseen, enlarged in the same way.
    """

    Config = PhotoConfig

    def __init__(self, config: PhotoConfig, shape: DataShape) -> None:
        super().__init__(config, shape)
        self.config, self.channels = config, shape.input[0]
        # Pixels of a result for one of the input, a side.
        self.scale = shape.target[1] // shape.input[1]
        if self.channels not in (1, 3):
            raise ValueError(f"codec 'photo' is for 1 or 3 channels, not {self.channels}")

    def read(self, path: Path) -> Document:
        """Decode a file.

        Raises:
            FileError: it cannot be read, or the result would have too many pixels.
        """
        document = super().read(path)
        height, width = (side * self.scale for side in document.content.pixels.shape[:2])
        if height * width > MAX_PIXELS:
            raise FileError(
                f"{path} would become {width:,} x {height:,} pixels, more than {MAX_PIXELS:,}"
            )
        document.size = document.content.pixels.nbytes * (1 + self.scale**2)
        return document

    def split(self, document: Document) -> RawBatch:
        """``image``: float32 ``(1, C, H, W)`` in 0..1, the whole picture."""
        picture: Picture = document.content
        whole = slice(None)
        return {"image": self._to_model(_to_float(picture, whole, whole), picture.has_alpha)}

    def join(self, pieces: Tensor, cond: Mapping[str, Tensor], like: Document | None) -> Document:
        """The picture of one piece ``(1, C, H, W)`` in 0..1 that holds the whole of ``like``."""
        if like is None:
            return super().join(pieces, cond, like)
        height, width = like.content.pixels.shape[:2]
        return self._paint([(Span(0, height, 0, height), Span(0, width, 0, width))], pieces, like)

    def chunks(self, document: Document) -> Iterator[RawBatch]:
        """``image``: float32 ``(1, C, h, w)`` in 0..1, tile by tile."""
        picture: Picture = document.content

        def cut(rows: Span, columns: Span) -> Tensor:
            return self._to_model(_to_float(picture, rows.seen, columns.seen), picture.has_alpha)

        return _TileReader(list(self._tiles(picture)), cut)

    def assemble(self, results: Iterator[Tensor], like: Document) -> Document:
        """The picture of results ``(1, C, h x scale, w x scale)`` in 0..1, tile by tile.

        Rounded to the file's depth at once: the picture never lies in memory as floats.
        """
        return self._paint(self._tiles(like.content), results, like)

    def sheet(self, rows: Sequence[tuple[str, Sequence[Document]]], path: Path, title: str) -> None:
        """Draw labelled rows of pictures, the middle of each as a square, into one PNG."""
        cells = [
            (label, [(_render_square(document), document.name) for document in documents])
            for label, documents in rows
        ]
        draw_sheet(cells, path, title)

    def _tiles(self, picture: Picture) -> Iterator[tuple[Span, Span]]:
        height, width = picture.pixels.shape[:2]
        return iter_tiles(
            height, width, self.config.tile, self.config.overlap, self.config.multiple
        )

    def _to_model(self, image: Tensor, has_alpha: bool) -> Tensor:
        """A part of a picture, ``(c, h, w)``, as the model takes it: ``(1, C, h, w)``."""
        colours = image[:-1] if has_alpha else image
        if self.channels == 1 and len(colours) == 3:
            colours = _compute_luma(colours)[None]
        return colours.expand(self.channels, -1, -1).contiguous()[None]

    def _paint(
        self,
        spans: Iterator[tuple[Span, Span]] | Sequence[tuple[Span, Span]],
        results: Iterator[Tensor] | Tensor,
        like: Document,
    ) -> Document:
        picture: Picture = like.content
        scale = self.scale
        height, width, channels = picture.pixels.shape
        pixels = np.empty((height * scale, width * scale, channels), picture.pixels.dtype)
        for (rows, columns), result in zip(spans, results, strict=True):
            made = result if result.ndim == 3 else result[0]
            made = made.detach().float().cpu()
            expected = ((rows.last - rows.first) * scale, (columns.last - columns.first) * scale)
            if made.shape[1:] != expected:
                raise ValueError(
                    f"the model made {tuple(made.shape[1:])} pixels of a tile, expected {expected}"
                )
            made = made[:, rows.inner(scale), columns.inner(scale)]
            part = self._add_unseen(made, picture, rows, columns)
            part = part.clamp_(0, 1).mul_(picture.unit).round_().permute(1, 2, 0)
            pixels[rows.own(scale), columns.own(scale)] = part.numpy()
        if picture.has_alpha and scale == 1:
            pixels[..., -1] = picture.pixels[..., -1]
        done = replace(picture, pixels=pixels)
        return Document(done, like.name, size=pixels.nbytes)

    def _add_unseen(self, made: Tensor, picture: Picture, rows: Span, columns: Span) -> Tensor:
        """What the model made of a tile's own part, with the chroma and alpha it did not see.

        ``(C, h, w)`` -> ``(c, h, w)``, c as in the picture.
        """
        scale = self.scale
        coloured = picture.pixels.shape[2] >= 3
        if self.channels == 3 and not coloured:
            made = made.mean(0, keepdim=True)
        chroma = self.channels == 1 and coloured
        if not (chroma or picture.has_alpha):
            return made.clone()
        unseen = _to_float(picture, rows.seen, columns.seen)
        if chroma:
            blue_red = _compute_chroma(unseen[:3])
            unseen = torch.cat([blue_red, unseen[3:]])
        elif picture.has_alpha:
            unseen = unseen[-1:]
        unseen = upscale(unseen[None], scale)[0]
        unseen = unseen[:, rows.inner(scale), columns.inner(scale)]
        if chroma:
            return torch.cat([_combine_colours(made[0], unseen[0], unseen[1]), unseen[2:]])
        return torch.cat([made, unseen])


class _TileReader(Iterator[RawBatch]):
    """Tiles, cut when they are wanted; how many are left is known, for the progress of a job."""

    def __init__(self, spans: list[tuple[Span, Span]], cut: Callable[[Span, Span], Tensor]) -> None:
        self._spans, self._cut = iter(spans), cut

    def __next__(self) -> RawBatch:
        return {"image": self._cut(*next(self._spans))}

    def __length_hint__(self) -> int:
        return operator.length_hint(self._spans)


def _to_float(picture: Picture, rows: slice, columns: slice) -> Tensor:
    """A part of a picture, float32 ``(c, h, w)`` in 0..1, alpha included."""
    part = np.ascontiguousarray(picture.pixels[rows, columns].transpose(2, 0, 1), np.float32)
    return torch.from_numpy(part).div_(picture.unit)


def _compute_luma(colours: Tensor) -> Tensor:
    red, green, blue = colours
    return LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue


def _compute_chroma(colours: Tensor) -> Tensor:
    """RGB ``(3, h, w)`` -> Cb and Cr ``(2, h, w)``, in -0.5..0.5."""
    luma = _compute_luma(colours)
    return torch.stack([(colours[2] - luma) / BLUE, (colours[0] - luma) / RED])


def _combine_colours(luma: Tensor, blue: Tensor, red: Tensor) -> Tensor:
    """Y, Cb and Cr, ``(h, w)`` each -> RGB ``(3, h, w)``."""
    r, b = luma + RED * red, luma + BLUE * blue
    return torch.stack([r, (luma - LUMA[0] * r - LUMA[2] * b) / LUMA[1], b])


def _render_square(document: Document) -> np.ndarray:
    image = fit_picture(document.content, (3, LARGEST_CELL, LARGEST_CELL))
    return (image * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
