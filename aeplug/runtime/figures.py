"""A matplotlib figure as a PNG."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from aeplug.errors import FileError
from aeplug.runtime.files import atomic_replace

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_figure(figure: Figure, path: Path, dpi: int | Literal["figure"] = 120) -> None:
    """Write a figure, its folder too where there is none; the file appears only when whole.

    ``dpi`` may be ``"figure"``: the figure's own.

    Raises:
        FileError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_replace(path) as temporary:
            figure.savefig(temporary, dpi=dpi, format="png")
    except OSError as error:
        raise FileError(f"{path} cannot be written: {error.strerror}") from error
