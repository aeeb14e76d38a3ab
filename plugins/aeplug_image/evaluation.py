"""``aeplug evaluate`` for images, and PCA beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from aeplug.data import iter_rows, open_dataset
from aeplug.evaluation import fit_pca
from aeplug.interfaces import Split
from aeplug.model import Model
from aeplug_image.metrics import mse, psnr_db, ssim
from aeplug_image.prepare import normalise

__all__ = ["evaluate"]


@torch.no_grad()
def evaluate(model: Model, split: Split, options: Mapping[str, Any]) -> dict[str, float]:
    """Of reconstructions from the posterior's mode, pixels in 0..1, means over images.

    ``mse`` of a pixel, ``squared_error`` (the sum over an image), ``psnr_db``, ``ssim``.

    Example:
        >>> import aeplug
        >>> from aeplug.data import first_items, open_dataset
        >>> model = aeplug.load("mnist-vae", device="cpu")
        >>> digits = first_items(open_dataset(model.config).split("test"), 20)
        >>> 10 < evaluate(model, digits, {})["psnr_db"] < 30
        True
    """
    totals = torch.zeros(3, dtype=torch.float64)
    count = 0
    for batch in model.batches(split):
        images = model.reconstruct_batch(batch).float()
        figures = (measure(images, batch.target) for measure in (mse, psnr_db, ssim))
        totals += torch.stack([figure.sum().double().cpu() for figure in figures])
        count += len(images)
    error, psnr, similarity = (totals / count).tolist()
    pixels = batch.target[0].numel()
    return {"mse": error, "squared_error": error * pixels, "psnr_db": psnr, "ssim": similarity}


def pca_baseline(model: Model, split: Split, options: Mapping[str, Any]) -> dict[str, Any]:
    """PCA with as many components as the model has latents, fitted on the training split."""
    train = open_dataset(model.config).split("train")
    components = fit_pca(
        normalise(raw["image"]).flatten(1) for _, raw in iter_rows(train, torch.device("cpu"))
    )
    size = min(model.task.latent.latent_shape[0], len(components.mean))
    totals = torch.zeros(3, dtype=torch.float64)
    count = 0
    for batch in model.batches(split):
        target = batch.target.cpu()
        restored = components.restore(components.project(target.flatten(1), size))
        back = restored.reshape(target.shape).float()
        figures = (measure(back, target) for measure in (mse, psnr_db, ssim))
        totals += torch.stack([figure.sum().double() for figure in figures])
        count += len(target)
    error, psnr, similarity = (totals / count).tolist()
    return {
        f"pca_{size}": {
            "mse": error,
            "squared_error": error * target[0].numel(),
            "psnr_db": psnr,
            "ssim": similarity,
        }
    }
