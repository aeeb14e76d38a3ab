"""``aeplug evaluate`` for super-resolution, by the conventions of the field.

A picture is cut to a multiple of the scale, reduced by antialiased bicubic (a = -0.5) and rounded
to 8 bit; the result is compared with it on luma (grey pictures are luma already), rounded to 8
bit, without a border of as many pixels as the scale.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from PIL import Image

from aeplug.errors import ConfigError
from aeplug.inference import reconstruct_document
from aeplug.interfaces import Document, Sampling, Split
from aeplug.model import Model
from aeplug.runtime import track
from aeplug_image.datasets.crops import CropSplit
from aeplug_image.files.reading import Picture
from aeplug_image.resampling import downscale
from aeplug_image.restoration.evaluation import (
    ComparisonSheet,
    Restore,
    average_figures,
    compare_methods,
    iter_photographs,
    measure_quality,
)


def evaluate(model: Model, split: Split, options: Mapping[str, Any]) -> dict[str, Any]:
    """``psnr_db`` and ``ssim``: photographs one by one, digits in batches."""
    scale = _check_scale(model, options)
    if not isinstance(split, CropSplit):
        from aeplug_image.evaluation import evaluate as evaluate_images

        return {"scale": scale, **evaluate_images(model, split, options)}
    sheet = ComparisonSheet(options)
    figures: list[dict[str, float]] = []
    for name, small, truth in iter_reduced_photographs(split, scale):
        result = upscale_photograph(model, small)
        figures.append(measure_quality(result, truth, scale, luma=True))
        size = (truth.shape[1], truth.shape[0])
        bicubic = _resize(small, size, Image.Resampling.BICUBIC)
        sheet.add(name, bicubic=bicubic, enlarged=result, truth=truth)
    sheet.draw(f"{model.spec.name}: x{scale}")
    return {"photographs": len(figures), "scale": scale, **average_figures(figures)}


def baselines(model: Model, split: Split, options: Mapping[str, Any]) -> dict[str, Any]:
    """Bicubic and Lanczos on the same reduced pictures."""
    scale = _check_scale(model, options)
    kernels = {"bicubic": Image.Resampling.BICUBIC, "lanczos": Image.Resampling.LANCZOS}
    pairs = (
        iter_reduced_photographs(split, scale)
        if isinstance(split, CropSplit)
        else _iter_reduced_digits(split, scale)
    )
    border = scale if isinstance(split, CropSplit) else 0

    def method(kernel: Image.Resampling) -> Restore:
        return lambda small: _resize(
            small, (small.shape[1] * scale, small.shape[0] * scale), kernel
        )

    return compare_methods(
        {name: method(kernel) for name, kernel in kernels.items()},
        pairs,
        lambda result, truth: measure_quality(result, truth, border, luma=True),
    )


def iter_reduced_photographs(
    split: Split, scale: int
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Names, reduced pictures and truth, uint8 ``(H, W, C)``."""
    for name, pixels in iter_photographs(split):
        height, width = (side - side % scale for side in pixels.shape[:2])
        yield name, _downscale_pixels(pixels[:height, :width], scale), pixels[:height, :width]


def _iter_reduced_digits(split: Split, scale: int) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    images = split.take(torch.arange(len(split)))["image"]
    for image in track(images, len(images), "pictures"):
        truth = image.permute(1, 2, 0).numpy()
        yield "", _downscale_pixels(truth, scale), truth


def _downscale_pixels(pixels: np.ndarray, scale: int) -> np.ndarray:
    values = torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)[None]
    small = downscale(values, scale)[0].permute(1, 2, 0).numpy()
    return np.rint(small.clip(0, 255)).astype(np.uint8)


def upscale_photograph(model: Model, small: np.ndarray) -> np.ndarray:
    """A picture, uint8 ``(h, w, C)``, as ``aeplug reconstruct`` enlarges its file."""
    document = reconstruct_document(model, Document(Picture(small), ""), Sampling(greedy=True))
    return document.content.pixels


def _resize(pixels: np.ndarray, size: tuple[int, int], kernel: Image.Resampling) -> np.ndarray:
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    result = np.asarray(image.resize(size, kernel))
    return result[..., None] if result.ndim == 2 else result


def _check_scale(model: Model, options: Mapping[str, Any]) -> int:
    scale: int = model.config.sections["prepare"].config.scale  # type: ignore[attr-defined]
    if options.get("scale") not in (None, scale):
        raise ConfigError(
            f"this model enlarges {scale} times, not {options['scale']}; train one with "
            f"--set prepare.scale={options['scale']}"
        )
    return scale
