"""A sheet that shows what a restoration is worth: before, after, truth, and a detail of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from aeplug.runtime import write_sheet
from aeplug_image.files.sheet import BACKGROUND, FAINT, INK

#: Sides in the sheet's pixels of a picture and of the detail under it, and of the detail in the
#: picture's own pixels.
PICTURE, DETAIL, DETAIL_PIXELS = 300, 300, 60
GAP, MARGIN, LINE = 6, 14, 18


@dataclass(frozen=True)
class ComparedPicture:
    """Versions of one picture.

    Attributes:
        name: of the file.
        versions: label and pixels uint8 ``(H, W, 1 or 3)``, all of one size, the truth last.
    """

    name: str
    versions: Sequence[tuple[str, np.ndarray]]


def draw_comparison(pictures: Sequence[ComparedPicture], path: Path, title: str) -> None:
    """A row of whole pictures for each, and under it the same detail of all, enlarged."""
    columns = max(len(picture.versions) for picture in pictures)
    heights = [_fit_size(picture.versions[0][1])[1] for picture in pictures]
    row_heights = [height + DETAIL + LINE + 3 * GAP for height in heights]
    page = Image.new(
        "RGB",
        (2 * MARGIN + columns * (PICTURE + GAP), 2 * MARGIN + LINE + GAP + sum(row_heights)),
        BACKGROUND,
    )
    pen = ImageDraw.Draw(page)
    pen.text((MARGIN, MARGIN), title, INK, ImageFont.load_default(17))
    font = ImageFont.load_default(12)
    top = MARGIN + LINE + GAP
    for picture, height, row_height in zip(pictures, heights, row_heights, strict=True):
        left_pixel, top_pixel, side = _find_busiest(picture.versions[-1][1])
        for column, (label, pixels) in enumerate(picture.versions):
            x = MARGIN + column * (PICTURE + GAP)
            pen.text((x, top), f"{picture.name}: {label}" if column == 0 else label, FAINT, font)
            image = _to_image(pixels)
            size = _fit_size(pixels)
            page.paste(image.resize(size, Image.Resampling.BICUBIC), (x, top + LINE))
            factor = size[0] / pixels.shape[1]
            box = [round(value * factor) for value in (left_pixel, top_pixel)]
            end = [value + round(side * factor) for value in box]
            pen.rectangle(
                (x + box[0], top + LINE + box[1], x + end[0], top + LINE + end[1]), outline="red"
            )
            detail = image.crop((left_pixel, top_pixel, left_pixel + side, top_pixel + side))
            page.paste(
                detail.resize((DETAIL, DETAIL), Image.Resampling.NEAREST),
                (x, top + LINE + height + GAP),
            )
        top += row_height
    write_sheet(page, path)


def _to_image(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).convert("RGB")


def _fit_size(pixels: np.ndarray) -> tuple[int, int]:
    height, width = pixels.shape[:2]
    factor = PICTURE / max(height, width)
    return max(1, round(width * factor)), max(1, round(height * factor))


def _find_busiest(pixels: np.ndarray) -> tuple[int, int, int]:
    """Left, top and side of the square with the most contrast: there a restoration shows."""
    height, width = pixels.shape[:2]
    side = min(DETAIL_PIXELS, height, width)
    grey = pixels.mean(2)
    best = (0, 0)
    most = -1.0
    for top in range(0, height - side + 1, max(side // 2, 1)):
        for left in range(0, width - side + 1, max(side // 2, 1)):
            contrast = float(grey[top : top + side, left : left + side].std())
            if contrast > most:
                best, most = (left, top), contrast
    return (*best, side)
