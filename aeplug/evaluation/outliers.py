"""Detection of outliers: items of another kind than a model was trained on.

An autoencoder learns to reconstruct the data it is trained on; its errors on other data are larger.
How well that detects outliers is measured by the area under the ROC curve: the probability that an
outlier has a larger error than an item of the model's own kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from aeplug.config import resolve
from aeplug.data.splits import iter_rows
from aeplug.errors import AeplugError, ConfigError, DataError, nearest
from aeplug.evaluation.heldout import EVALUATION_SEED
from aeplug.evaluation.likelihood import compute_bounds, find_log_prior, name_distribution
from aeplug.evaluation.pca import flatten_items
from aeplug.interfaces import Batch, Dataset, Split
from aeplug.model.dataset import evaluation_dataset
from aeplug.model.model import Model
from aeplug.plugins import Plugins
from aeplug.runtime.tracking import show_progress

#: Draws of each posterior for the bound.
DRAWS = 8


def open_outliers(model: Model, name: str, plugins: Plugins) -> Split:
    """Outliers: all files of a folder, or the test split of a data set by name.

    Raises:
        ConfigError: there is neither, or its items do not fit the model.
        DataError: files are missing or damaged.
    """
    if Path(name).expanduser().exists():
        return evaluation_dataset(model, name, plugins).split("all")
    names = [spec.name for spec in plugins.specs("dataset") if not spec.needs_folder]
    if name not in names:
        raise ConfigError(
            f"--outliers {name}: no folder or data set has this name. {nearest(name, names)}"
        )
    section = resolve(model.spec, plugins, {"data": name}).sections["data"]
    dataset: Dataset = section.factory(section.config)
    if (dataset.shape.target, dataset.shape.classes) != (model.shape.target, model.shape.classes):
        raise ConfigError(
            f"--outliers {name}: its items have shape {dataset.shape.target}, "
            f"'{model.spec.name}' was built for {model.shape.target}"
        )
    return dataset.split("test")


def detect_outliers(model: Model, own: Split, outliers: Split) -> dict[str, Any]:
    """How well reconstruction errors detect outliers.

    Args:
        model: trained on data like ``own``.
        own: held-out items of the model's own kind.
        outliers: items of another kind.

    Returns:
        ``outlier_items``; ``auroc``, 0.5 being chance and 1 always; ``mean_error`` and
        ``outlier_mean_error``, the squared error summed over an item's values (pixels in 0..1; of
        tokens the one-hot form); and where the model has a likelihood ``elbo_auroc``,
        ``mean_elbo_nats`` and ``outlier_mean_elbo_nats``.

    Raises:
        DataError: one of the two is empty.
    """
    if min(len(own), len(outliers)) == 0:
        raise DataError("there is nothing to compare: one of the two has no items")
    with show_progress("errors of reconstruction"):
        errors = [_score_split(model, split, _squared_errors) for split in (own, outliers)]
    report = {
        "outlier_items": len(outliers),
        "auroc": auroc(*errors),
        "mean_error": float(errors[0].mean()),
        "outlier_mean_error": float(errors[1].mean()),
    }
    try:
        score = _make_elbo_score(model, own, outliers)
    except AeplugError:  # the model has no likelihood of these targets
        return report
    with show_progress("bounds"):
        elbos = [_score_split(model, split, score) for split in (own, outliers)]
    return {
        **report,
        "elbo_auroc": auroc(-elbos[0], -elbos[1]),
        "mean_elbo_nats": float(elbos[0].mean()),
        "outlier_mean_elbo_nats": float(elbos[1].mean()),
    }


def auroc(own: Tensor, outliers: Tensor) -> float:
    """The probability that an outlier scores higher, ties counting half; ``(N,)`` and ``(M,)``.

    By ranks, as Mann and Whitney's U.
    """
    scores = torch.cat([own, outliers]).double()
    _, inverse, counts = scores.unique(return_inverse=True, return_counts=True)
    # Items with the same score share their mean rank.
    last = counts.cumsum(0).double()
    ranks = (last - (counts.double() - 1) / 2)[inverse]
    above = ranks[len(own) :].sum() - len(outliers) * (len(outliers) + 1) / 2
    return float(above / (len(own) * len(outliers)))


def _score_split(model: Model, split: Split, score: Callable[[Model, Batch], Tensor]) -> Tensor:
    return torch.cat([score(model, batch).cpu() for batch in _iter_batches(model, split)])


def _iter_batches(model: Model, split: Split) -> Iterator[Batch]:
    for _, raw in iter_rows(split, model.device):
        yield model.prepare_file(raw)


def _squared_errors(model: Model, batch: Batch) -> Tensor:
    """Squared error of each item, float32 ``(B,)``."""
    back = flatten_items(model.reconstruct_batch(batch), model.shape)
    return (back - flatten_items(batch.target, model.shape)).square().sum(1)


def _make_elbo_score(model: Model, own: Split, outliers: Split) -> Callable[[Model, Batch], Tensor]:
    log_prior = find_log_prior(model, "")
    for split in (own, outliers):
        name_distribution(model, next(_iter_batches(model, split)))

    def score(model: Model, batch: Batch) -> Tensor:
        generator = model.generator(EVALUATION_SEED)
        return compute_bounds(model, batch, DRAWS, log_prior, generator).elbo

    return score
