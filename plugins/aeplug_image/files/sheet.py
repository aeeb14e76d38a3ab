"""A sheet of small pictures: labelled rows, captions, a title; drawn with Pillow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from aeplug.runtime import write_sheet

#: Small pictures are enlarged, by whole factors and without smoothing, to about this many pixels;
#: large ones are reduced to the second number.
CELL, LARGEST_CELL = 84, 256
GAP, MARGIN, TITLE_HEIGHT, CAPTION_HEIGHT = 4, 14, 30, 16
BACKGROUND, INK, FAINT = (250, 250, 248), (30, 30, 30), (110, 110, 110)


def draw_sheet(
    rows: Sequence[tuple[str, Sequence[tuple[np.ndarray, str]]]], path: Path, title: str
) -> None:
    """Draw rows of ``(label, [(pixels, caption), ...])``; pixels are ``(H, W, 1 or 3)`` uint8.

    A row without any caption takes no room for them.
    """
    title_font, font = ImageFont.load_default(17), ImageFont.load_default(12)
    height, width = next(pixels for _, cells in rows for pixels, _ in cells).shape[:2]
    factor: float = max(1, round(CELL / max(height, width)))
    if max(height, width) > LARGEST_CELL:
        factor = LARGEST_CELL / max(height, width)
    height, width = max(1, round(height * factor)), max(1, round(width * factor))
    resample = Image.Resampling.NEAREST if factor >= 1 else Image.Resampling.BICUBIC
    label_width = max((int(font.getlength(label)) for label, _ in rows if label), default=0)
    left = MARGIN + (label_width + 10 if label_width else 0)
    columns = max(len(cells) for _, cells in rows)
    tall = [
        height + (CAPTION_HEIGHT if any(caption for _, caption in cells) else 0)
        for _, cells in rows
    ]
    page_width = max(
        left + columns * (width + GAP) + MARGIN, int(title_font.getlength(title)) + 2 * MARGIN
    )
    page = Image.new(
        "RGB",
        (page_width, TITLE_HEIGHT + MARGIN + sum(tall) + GAP * len(rows) + MARGIN),
        BACKGROUND,
    )
    pen = ImageDraw.Draw(page)
    pen.text((MARGIN, MARGIN), title, INK, title_font)
    top = TITLE_HEIGHT + MARGIN
    for (label, cells), row_height in zip(rows, tall, strict=True):
        picture_top = top + row_height - height
        pen.text((MARGIN, picture_top + height // 2 - 7), label, FAINT, font)
        for column, (pixels, caption) in enumerate(cells):
            x = left + column * (width + GAP)
            if caption:
                pen.text((x, top), _shorten(caption, font, width), FAINT, font)
            flat = pixels[..., 0] if pixels.shape[2] == 1 else pixels
            image = Image.fromarray(flat).resize((width, height), resample)
            page.paste(image, (x, picture_top))
        top += row_height + GAP
    write_sheet(page, path)


def _shorten(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """What of a caption fits; its end, by which names that begin alike are told apart."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength("..." + text) > width:
        text = text[1:]
    return "..." + text
