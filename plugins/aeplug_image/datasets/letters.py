"""Printed letters in the form of MNIST's digits: what a model of digits has not seen.

Drawn from fonts that come with matplotlib, as NIST's digits were brought to MNIST's form: fitted
into 20x20 pixels with their aspect kept, and centred by mass in 28x28. I, l, O and o are left out:
in print they are digits. They are print, not handwriting, which is part of what sets them apart.
"""

from __future__ import annotations

import math
import string
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from aeplug.config import PartConfig, setting
from aeplug.data import SPLITS, TensorSplit
from aeplug.errors import DataError
from aeplug.interfaces import DataShape
from aeplug_image.prepare import random_affine

LETTERS = "".join(letter for letter in string.ascii_letters if letter not in "IlOo")
FONTS = (
    *("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSansMono", "DejaVuSerif"),
    *("DejaVuSerif-Italic", "STIXGeneral", "STIXGeneralItalic", "STIXGeneralBol", "cmr10"),
)
#: Side of the picture, and of the box that a letter is fitted into, in pixels.
SIDE, BOX = 28, 20
#: Size at which a letter is drawn before it is made small.
DRAWN = 96


class LettersConfig(PartConfig):
    """How many, and how far from upright."""

    copies: int = setting(5, "of each letter in each font", ge=1, le=100)
    affine: float = setting(1.0, "random rotation, size and shear, as prepare.affine", ge=0)


class Letters:
    """48 letters in 10 fonts, each in several copies; a split has them all."""

    Config = LettersConfig

    def __init__(self, config: LettersConfig) -> None:
        self.config = config
        self.shape = DataShape((1, SIDE, SIDE), (1, SIDE, SIDE))

    def split(self, name: str) -> TensorSplit:
        """Columns: ``image`` uint8 ``(N, 1, 28, 28)``, ``label`` int64 ``(N,)``, of the letter.

        Raises:
            DataError: matplotlib's fonts are not there.
        """
        upright = torch.stack(
            [_centre_as_mnist(_draw_letter(letter, font)) for font in FONTS for letter in LETTERS]
        )
        images = upright.repeat(self.config.copies, 1, 1)[:, None]
        # Splits are drawn with different rotations.
        generator = torch.Generator().manual_seed(1 + SPLITS.index(name) if name in SPLITS else 0)
        if self.config.affine:
            images = random_affine(images, self.config.affine, generator)
        labels = torch.arange(len(LETTERS)).repeat(len(FONTS) * self.config.copies)
        return TensorSplit({"image": (images * 255).round().to(torch.uint8), "label": labels})


def _draw_letter(letter: str, font: str) -> Image.Image:
    import matplotlib

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{font}.ttf"
    try:
        typeface = ImageFont.truetype(str(path), DRAWN)
    except OSError as error:
        raise DataError(f"matplotlib's font {path} cannot be read: {error}") from error
    page = Image.new("L", (3 * DRAWN, 3 * DRAWN))
    ImageDraw.Draw(page).text((DRAWN, DRAWN), letter, fill=255, font=typeface)
    return page.crop(page.getbbox())


def _centre_as_mnist(drawn: Image.Image) -> Tensor:
    """A letter's pixels in 0..1, ``(28, 28)``, its centre of mass in the middle."""
    scale = BOX / max(drawn.size)
    width, height = (max(1, round(side * scale)) for side in drawn.size)
    small = np.asarray(drawn.resize((width, height), Image.Resampling.BOX), np.float32) / 255
    rows, columns = np.indices(small.shape)
    middle = [float((places * small).sum() / small.sum()) for places in (rows, columns)]
    top, left = (
        min(max(math.floor((SIDE - 1) / 2 - centre + 0.5), 0), SIDE - side)
        for centre, side in zip(middle, small.shape, strict=True)
    )
    picture = torch.zeros(SIDE, SIDE)
    picture[top : top + height, left : left + width] = torch.from_numpy(small)
    return picture
