"""A matplotlib figure as a PNG."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aeplug.errors import FileError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_figure(figure: Figure, path: Path, dpi: int = 120) -> None:
    """Write a figure, its folder too where there is none.

    Raises:
        FileError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=dpi, format="png")
    except OSError as error:
        raise FileError(f"{path} cannot be written: {error.strerror}") from error
