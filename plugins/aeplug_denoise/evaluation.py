"""``aeplug evaluate`` for denoising, by the conventions of the field.

Noise is added to grey levels in 0..1 and neither clipped nor rounded; results are rounded to 8 bit
and compared with the truth. Photographs: white Gaussian noise of ``--sigma`` (of 255), drawn anew,
with a seed, for each picture. Digits: each kind of noise the model was trained on, or ``--noise``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from aeplug.data import iter_rows
from aeplug.errors import ConfigError
from aeplug.interfaces import Batch, Split
from aeplug.model import Model
from aeplug_denoise.baselines import METHODS, Method
from aeplug_denoise.noise import Noise
from aeplug_image.files.fitting import compute_luma
from aeplug_image.files.tiles import iter_tiles
from aeplug_image.metrics import psnr_db, ssim
from aeplug_image.prepare import normalise
from aeplug_image.restoration.evaluation import (
    ComparisonSheet,
    Restore,
    average_figures,
    compare_methods,
    iter_photographs,
    measure_quality,
)

SEED = 25


def evaluate_photographs(model: Model, split: Split, options: Mapping[str, Any]) -> dict[str, Any]:
    """``psnr_db`` and ``ssim`` of results, and ``psnr_db_noisy`` of what went in."""
    sheet = ComparisonSheet(options)
    figures: list[dict[str, float]] = []
    for name, noisy, truth in iter_noisy_photographs(split, options):
        result = denoise_photograph(model, noisy)
        before = round_to_uint8(noisy)
        figures.append(
            {
                **measure_quality(result, truth),
                "psnr_db_noisy": measure_quality(before, truth)["psnr_db"],
            }
        )
        sheet.add(name, noisy=before, denoised=result, truth=truth)
    sheet.draw(f"{model.spec.name}: sigma {options['sigma']:g} of 255")
    return {"photographs": len(figures), "sigma": options["sigma"], **average_figures(figures)}


def photograph_baselines(model: Model, split: Split, options: Mapping[str, Any]) -> dict[str, Any]:
    """Classical methods, which know the sigma, on the same noisy photographs."""
    sigma = float(options["sigma"]) / 255

    def with_sigma(method: Method) -> Restore:
        return lambda noisy: round_to_uint8(method(noisy, sigma))

    methods: dict[str, Restore] = {"noisy": round_to_uint8}
    methods |= {name: with_sigma(method) for name, method in METHODS.items()}
    return compare_methods(methods, iter_noisy_photographs(split, options), measure_quality)


def iter_noisy_photographs(
    split: Split, options: Mapping[str, Any]
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Names, noisy float32 ``(H, W, C)`` around 0..1, and truth uint8 ``(H, W, C)``."""
    sigma = float(options["sigma"]) / 255
    for number, (name, pixels) in enumerate(iter_photographs(split)):
        truth = compute_luma(pixels) if options["grey"] and pixels.shape[2] == 3 else pixels
        normal = np.random.default_rng((SEED, number)).standard_normal(truth.shape, np.float32)
        yield name, truth.astype(np.float32) / 255 + np.float32(sigma) * normal, truth


@torch.no_grad()
def denoise_photograph(model: Model, noisy: np.ndarray) -> np.ndarray:
    """Float32 ``(H, W, 1 or 3)`` -> uint8 of the same shape, tile by tile as a file would be."""
    config = model.config.sections["codec"].config
    height, width, channels = noisy.shape
    image = torch.from_numpy(noisy).permute(2, 0, 1).to(model.device)
    image = image.expand(model.shape.input[0], -1, -1)
    result = torch.empty(channels, height, width)
    for rows, columns in iter_tiles(height, width, config.tile, config.overlap, config.multiple):  # type: ignore[attr-defined]
        part = image[:, rows.seen, columns.seen].unsqueeze(0)
        made = model.reconstruct_batch(Batch(part, part))[0, :, rows.inner(), columns.inner()]
        made = made.mean(0, keepdim=True) if channels == 1 else made
        result[:, rows.own(), columns.own()] = made.cpu()
    return round_to_uint8(result.permute(1, 2, 0).numpy())


def round_to_uint8(pixels: np.ndarray) -> np.ndarray:
    """Grey levels in 0..1 -> uint8."""
    return np.rint(pixels.clip(0, 1) * 255).astype(np.uint8)


def evaluate_digits(model: Model, split: Split, options: Mapping[str, Any]) -> dict[str, Any]:
    """``psnr_db`` and ``ssim``, clipped to 0..1: of the first kind, and ``by_noise`` of each."""
    kinds = _kinds(model, options)
    by_noise = {str(kind): _digits(model, split, kind) for kind in kinds}
    return {"noise": str(kinds[0]), **by_noise[str(kinds[0])], "by_noise": by_noise}


def _kinds(model: Model, options: Mapping[str, Any]) -> tuple[Noise, ...]:
    if options.get("noise"):
        try:
            return (Noise.parse(options["noise"]),)
        except ValueError as error:
            raise ConfigError(f"--noise: {error}") from error
    return model.config.sections["prepare"].config.noise  # type: ignore[attr-defined]


@torch.no_grad()
def _digits(model: Model, split: Split, kind: Noise) -> dict[str, float]:
    generator = model.generator(SEED)
    figures: list[Tensor] = []
    for _, raw in iter_rows(split, model.device):
        clean = normalise(raw["image"])
        noisy = kind.add_to(clean, generator)
        made = model.reconstruct_batch(Batch(noisy, clean)).float()
        before = psnr_db(noisy.clamp(0, 1), clean)
        figures.append(torch.stack([psnr_db(made, clean), ssim(made, clean), before]).cpu())
    psnr, similarity, before = torch.cat(figures, 1).double().mean(1).tolist()
    return {"psnr_db": psnr, "ssim": similarity, "psnr_db_noisy": before}
