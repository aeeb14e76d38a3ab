"""A page of spectrograms: labelled rows of sounds over seconds and hertz, loudness in decibels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from aeplug.runtime import write_figure
from aeplug_audio.files.reading import RATE
from aeplug_audio.sounds.spectrogram import HOP, MELS, RANGE_DB, WINDOW_FRAMES, Frames

COLOURS = "magma"
DOTS_PER_INCH = 110
#: Most frames of a sound that a page shows: four windows.
_SHOWN = 4 * WINDOW_FRAMES
_INCHES_PER_WINDOW, _HEIGHT, _TALLEST_PAGE = 1.7, 1.5, 250.0
#: Frequencies that are named, in hertz.
_TICKS = (250, 500, 1000, 2000, 4000, 8000)

#: ``(label, [(caption, frames), ...])``, one for each row.
Rows = Sequence[tuple[str, Sequence[tuple[str, Frames]]]]


def draw_page(rows: Rows, path: Path, title: str) -> None:
    """Draw rows of sounds ``(MELS, F)`` side by side into a PNG, on one scale of time.

    A sound of more than four windows is cut, and says so.

    Raises:
        FileError: the file cannot be written.
    """
    lengths = [frames.shape[1] for _, cells in rows for _, frames in cells]
    width = min(max([WINDOW_FRAMES, *lengths]), _SHOWN)
    columns = max((len(cells) for _, cells in rows), default=1) or 1
    inches = _INCHES_PER_WINDOW * width / WINDOW_FRAMES
    figure = Figure(
        figsize=(columns * inches + 1.9, min(len(rows) * (_HEIGHT + 0.4) + 1.0, _TALLEST_PAGE)),
        dpi=DOTS_PER_INCH,
        layout="constrained",
    )
    panels = figure.subplots(max(len(rows), 1), columns, squeeze=False, sharex=True, sharey=True)
    image = None
    below = [len(cells) for _, cells in rows[1:]] + [0]
    for panel_row, (label, cells), others in zip(panels, rows, below, strict=False):
        for panel in panel_row[len(cells) :]:
            panel.set_axis_off()
        for column, (panel, (caption, frames)) in enumerate(zip(panel_row, cells, strict=False)):
            image = _draw_panel(panel, frames, width)
            panel.set_title(
                _caption(caption, frames, inches), fontsize=8, loc="left", pad=3, parse_math=False
            )
            panel.tick_params(labelbottom=column >= others)
        if label:
            panel_row[0].set_ylabel(label, fontsize=9)
    figure.suptitle(title, fontsize=12, parse_math=False)
    figure.supxlabel("time (s)", fontsize=9)
    figure.supylabel("frequency (Hz)", fontsize=9)
    if image is not None:
        bar = figure.colorbar(image, ax=panels, aspect=30, pad=0.01)
        bar.set_label("level (dB, 0 is full scale)", fontsize=9)
        bar.ax.tick_params(labelsize=7)
    write_figure(figure, path, dpi="figure")


def draw_thumbnail(frames: Frames) -> npt.NDArray[np.uint8]:
    """The first window of frames ``(MELS, F)`` as a picture ``(MELS, WINDOW_FRAMES, 3)``."""
    coloured = colormaps[COLOURS](_fit(frames, WINDOW_FRAMES)[::-1])[..., :3]
    return np.rint(coloured * 255).astype(np.uint8)


def mel_place(hertz: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The row of a frequency among the mel bands, with fractions; 0 is the lowest band's middle.

    Slaney's scale, as :mod:`aeplug_audio.sounds.spectrogram` has it: linear below 1 kHz,
    logarithmic above.
    """
    frequencies = np.append(np.asarray(hertz, np.float64), RATE / 2)
    logarithmic = 15 + 27 * np.log(np.maximum(frequencies, 1000) / 1000) / np.log(6.4)
    mels = np.where(frequencies < 1000, frequencies * 3 / 200, logarithmic)
    return mels[:-1] / mels[-1] * (MELS + 1) - 1


def _draw_panel(panel: Any, frames: Frames, width: int) -> Any:
    image = panel.imshow(
        (_fit(frames, width) - 1) * RANGE_DB,
        origin="lower",
        aspect="auto",
        cmap=COLOURS,
        vmin=-RANGE_DB,
        vmax=0,
        extent=(0, width * HOP / RATE, -0.5, MELS - 0.5),
        interpolation="nearest",
    )
    panel.set_yticks(mel_place(_TICKS), [f"{tick:,}" for tick in _TICKS], fontsize=7)
    panel.xaxis.set_major_locator(MaxNLocator(4))
    panel.tick_params(axis="both", labelsize=7, length=2, pad=2)
    return image


def _fit(frames: Frames, width: int) -> Frames:
    """Cut to so many frames, or filled up with silence."""
    return np.pad(frames[:, :width], ((0, 0), (0, max(width - frames.shape[1], 0))))


def _caption(caption: str, frames: Frames, inches: float) -> str:
    most = max(8, int(inches * 14))
    text = caption if len(caption) <= most else caption[: most - 1] + "…"
    seconds = frames.shape[1] * HOP / RATE
    return f"{text} (of {seconds:.1f} s)" if frames.shape[1] > _SHOWN else text
