"""Figures of restorations of whole photographs, by the conventions of the field.

Pictures are compared as files would hold them, rounded to 8 bit; PSNR and SSIM are means over
pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from aeplug.errors import ConfigError
from aeplug.interfaces import Split
from aeplug.runtime import say, track
from aeplug_image.datasets.crops import CropSplit
from aeplug_image.metrics import psnr_db, ssim
from aeplug_image.restoration.comparison import ComparedPicture, draw_comparison

__all__ = [
    "ComparisonSheet",
    "Restore",
    "average_figures",
    "compare_methods",
    "iter_photographs",
    "measure_quality",
]

#: A degraded photograph ``(H, W, C)`` -> what becomes of it, uint8.
Restore = Callable[[np.ndarray], np.ndarray]

#: Photographs on a sheet.
SHOWN = 3
#: Photographs with a shorter side are left out, in pixels: little can be said of them.
LEAST_SIDE = 16


def iter_photographs(split: Split) -> Iterator[tuple[str, np.ndarray]]:
    """Names and pixels, uint8 ``(H, W, 1 or 3)``, of a split of photographs.

    Raises:
        ConfigError: the data are no photographs of any size, or all too small.

    Example:
        >>> from aeplug.interfaces import DataShape
        >>> from aeplug_image.datasets.crops import CropSplit
        >>> photos = [np.zeros((size, 48, 3), np.uint8) for size in (32, 8)]
        >>> split = CropSplit(["a.png", "b.png"], photos, DataShape((3, 16, 16), (3, 16, 16)))
        >>> [(name, pixels.shape) for name, pixels in iter_photographs(split)]
        [('a.png', (32, 48, 3))]
    """
    if not isinstance(split, CropSplit):
        raise ConfigError("this task is measured on photographs; give --data FOLDER")
    large = [
        (name, pixels)
        for name, pixels in zip(split.names, split.photos, strict=True)
        if min(pixels.shape[:2]) >= LEAST_SIDE
    ]
    if not large:
        raise ConfigError(f"no photograph has {LEAST_SIDE} pixels or more on each side")
    yield from track(large, len(large), "photographs")


def measure_quality(
    result: np.ndarray, truth: np.ndarray, border: int = 0, *, luma: bool = False
) -> dict[str, float]:
    """``psnr_db`` and ``ssim`` of one picture, uint8 ``(H, W, C)``.

    Args:
        result: restored.
        truth: of the same shape.
        border: pixels left out along each edge.
        luma: compare colours by their luma alone, in 16..235 as the field's tables are made;
            grey pictures are taken as luma already.

    Example:
        >>> truth = np.full((16, 16, 3), 100, np.uint8)
        >>> measure_quality(truth + np.uint8(1), truth)
        {'psnr_db': 48.13..., 'ssim': 0.9998...}
    """
    pair = [_values(pixels, luma) for pixels in (result, truth)]
    if border:
        pair = [values[..., border:-border, border:-border] for values in pair]
    return {"psnr_db": float(psnr_db(*pair)), "ssim": float(ssim(*pair))}


def _values(pixels: np.ndarray, luma: bool) -> torch.Tensor:
    """``(1, C, H, W)`` float32 in 0..1."""
    values = pixels.astype(np.float64)
    if luma and pixels.shape[2] == 3:
        # ITU-R BT.601 in studio range, as Matlab's rgb2ycbcr.
        values = 16 + (values @ np.array([65.481, 128.553, 24.966]))[..., None] / 255
    return torch.from_numpy(values / 255).float().permute(2, 0, 1)[None]


def average_figures(figures: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each figure.

    Example:
        >>> average_figures([{"psnr_db": 30.0}, {"psnr_db": 32.0}])
        {'psnr_db': 31.0}
    """
    return {name: float(np.mean([values[name] for values in figures])) for name in figures[0]}


def compare_methods(
    methods: Mapping[str, Restore],
    pairs: Iterator[tuple[str, np.ndarray, np.ndarray]],
    measure: Callable[[np.ndarray, np.ndarray], dict[str, float]],
) -> dict[str, dict[str, float]]:
    """Mean figures of each method over ``(name, degraded, truth)``.

    Example:
        >>> truth = np.full((16, 16, 1), 100, np.uint8)
        >>> methods = {"as it is": lambda pixels: pixels, "darker": lambda pixels: pixels - 10}
        >>> pairs = iter([("a.png", truth + np.uint8(10), truth)])
        >>> figures = compare_methods(methods, pairs, measure_quality)
        >>> max(figures, key=lambda name: figures[name]["psnr_db"])
        'darker'
    """
    by_method: dict[str, list[Mapping[str, float]]] = {name: [] for name in methods}
    for _, degraded, truth in pairs:
        for name, method in methods.items():
            by_method[name].append(measure(method(degraded), truth))
    return {name: average_figures(figures) for name, figures in by_method.items()}


class ComparisonSheet:
    """The first photographs before, after and in truth, where ``--sheet PNG`` asks for them.

    Made before anything is measured: a name that will not do is refused at once.

    Raises:
        ConfigError: no .png, or a file that is there: it may be one of the photographs.

    Example:
        >>> sheet = ComparisonSheet({"sheet": "sheet.png"})
        >>> truth = np.full((16, 16, 3), 100, np.uint8)
        >>> sheet.add("a.png", noisy=truth + np.uint8(1), truth=truth)
        >>> sheet.draw("denoise: sigma 1 of 255")
        >>> Path("sheet.png").exists()
        True
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        sheet = options.get("sheet")
        self._path = Path(sheet).expanduser() if sheet else None
        self._pictures: list[ComparedPicture] = []
        if self._path and self._path.suffix.lower() != ".png":
            raise ConfigError(f"--sheet {sheet}: expected a name that ends in .png")
        if self._path and self._path.exists():
            raise ConfigError(f"--sheet {sheet} is there already; name another")

    def add(self, name: str, **versions: np.ndarray) -> None:
        """Versions of a photograph, uint8 ``(H, W, C)``, by what they are; the truth last."""
        if self._path and len(self._pictures) < SHOWN:
            *others, (_, truth) = versions.items()
            labelled = [
                (f"{label} {measure_quality(pixels, truth, luma=True)['psnr_db']:.2f} dB", pixels)
                for label, pixels in others
            ]
            self._pictures.append(ComparedPicture(name, [*labelled, ("truth", truth)]))

    def draw(self, title: str) -> None:
        """Write the sheet."""
        if self._path and self._pictures:
            draw_comparison(self._pictures, self._path, title)
            say(f"wrote {self._path}")
