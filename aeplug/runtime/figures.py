"""Figures as PNGs that say of themselves that they are drawings, so that none is taken for data."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from aeplug.errors import ConfigError, FileError
from aeplug.runtime.files import atomic_replace, require_absent

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image

#: A PNG's text, key and value, by which a drawing is known.
FIGURE_KEY, FIGURE_MARK = "aeplug", "figure"

_CHUNK = f"tEXt{FIGURE_KEY}\0{FIGURE_MARK}".encode()
#: It stands in front of the pixels: bytes in which it is looked for.
_HEAD = 1024


def check_picture(path: Path, option: str = "--out", *, overwrite: bool = False) -> None:
    """Check that a picture can be drawn to a file, before it is computed.

    Raises:
        ConfigError: its name does not end in .png, or it is there and not to be replaced.

    Example:
        >>> check_picture(Path("map.jpg"))
        Traceback (most recent call last):
            ...
        aeplug.errors.ConfigError: --out map.jpg: expected a name that ends in .png
    """
    if path.suffix.lower() != ".png":
        raise ConfigError(f"{option} {path}: expected a name that ends in .png")
    require_absent(path, option, overwrite=overwrite)


def write_figure(figure: Figure, path: Path, dpi: int | Literal["figure"] = 120) -> None:
    """Write a figure, its folder too where there is none; the file appears only when whole.

    ``dpi`` may be ``"figure"``: the figure's own.

    Raises:
        FileError: it cannot be written.

    Example:
        >>> from matplotlib.figure import Figure
        >>> write_figure(Figure(), Path("plots/empty.png"))
        >>> is_figure("plots/empty.png")
        True
    """
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        # A name of a file that is no text cannot be drawn: its odd bytes are, as escapes.
        text.set_text(text.get_text().encode("utf-8", "backslashreplace").decode())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_replace(path) as temporary:
            figure.savefig(temporary, dpi=dpi, format="png", metadata={FIGURE_KEY: FIGURE_MARK})
    except OSError as error:
        raise FileError(f"{path} cannot be written: {error.strerror}") from error


def write_sheet(page: Image, path: Path) -> None:
    """Write a drawing made by Pillow, as :func:`write_figure` does.

    Raises:
        FileError: it cannot be written.

    Example:
        >>> from PIL import Image
        >>> write_sheet(Image.new("RGB", (64, 32)), Path("sheets/a.png"))
        >>> is_figure("sheets/a.png")
        True
    """
    from PIL.PngImagePlugin import PngInfo

    mark = PngInfo()
    mark.add_text(FIGURE_KEY, FIGURE_MARK)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_replace(path) as temporary:
            page.save(temporary, "PNG", pnginfo=mark)
    except OSError as error:
        raise FileError(f"{path} cannot be written: {error.strerror or error}") from error


def is_figure(path: str | Path) -> bool:
    """Whether a file is a PNG that aeplug drew: a sheet, a map, a curve.

    Example:
        >>> from PIL import Image
        >>> write_sheet(Image.new("RGB", (8, 8)), Path("sheet.png"))
        >>> is_figure("sheet.png")
        True
    """
    if not str(path).lower().endswith(".png") or not os.path.isfile(path):  # a pipe would wait
        return False
    with contextlib.suppress(OSError, ValueError), open(path, "rb") as file:
        return _CHUNK in file.read(_HEAD)
    return False
