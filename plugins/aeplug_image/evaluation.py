"""``aeplug evaluate`` for images, and PCA beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

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
        >>> from aeplug.data import first_items, open_dataset
        >>> model = aeplug.load("mnist-vae", device="cpu")
        >>> digits = first_items(open_dataset(model.config).split("test"), 20)
        >>> 10 < evaluate(model, digits, {})["psnr_db"] < 30
        True
    """
    return _average_figures(
        (model.reconstruct_batch(batch).float(), batch.target) for batch in model.batches(split)
    )


def pca_baseline(model: Model, split: Split, options: Mapping[str, Any]) -> dict[str, Any]:
    """PCA with as many components as the model has latents, fitted on the training split."""
    train = open_dataset(model.config).split("train")
    components = fit_pca(
        normalise(raw["image"]).flatten(1) for _, raw in iter_rows(train, torch.device("cpu"))
    )
    size = min(model.task.latent.latent_shape[0], len(components.mean))

    def pairs() -> Iterator[tuple[Tensor, Tensor]]:
        for batch in model.batches(split):
            target = batch.target.cpu()
            restored = components.restore(components.project(target.flatten(1), size))
            yield restored.reshape(target.shape).float(), target

    return {f"pca_{size}": _average_figures(pairs())}


def _average_figures(pairs: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
    """Means over results and targets, each ``(B, C, H, W)`` in 0..1."""
    totals = torch.zeros(3, dtype=torch.float64)
    count = 0
    for images, target in pairs:
        figures = (measure(images, target) for measure in (mse, psnr_db, ssim))
        totals += torch.stack([figure.sum().double().cpu() for figure in figures])
        count += len(images)
    error, psnr, similarity = (totals / count).tolist()
    pixels = target[0].numel()
    return {"mse": error, "squared_error": error * pixels, "psnr_db": psnr, "ssim": similarity}
