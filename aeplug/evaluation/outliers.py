"""Whether a model tells its own kind of data from another.

An autoencoder learns to rebuild what it was trained on, and that alone: the error of its
reconstructions of other things is larger. How much that is worth for telling them apart says the
area under the ROC curve: the chance that of an item of each kind the strange one has the larger
error.
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
from aeplug.evaluation.likelihood import bounds, distribution, log_prior_of
from aeplug.evaluation.pca import vectors
from aeplug.interfaces import Batch, Dataset, Split
from aeplug.model.dataset import evaluation_dataset
from aeplug.model.model import Model
from aeplug.plugins import Plugins
from aeplug.runtime.tracking import show_progress

#: Draws of each posterior for the bound.
DRAWS = 8


def outlier_split(model: Model, name: str, plugins: Plugins) -> Split:
    """Strange items: all of a folder of files, or the test split of a data set by its name.

    Raises:
        ConfigError: there is neither, or its items do not fit the model.
        DataError: files are missing or damaged.
    """
    if Path(name).expanduser().exists():
        return evaluation_dataset(model, name, plugins).split("all")
    names = [spec.name for spec in plugins.specs("dataset") if not spec.needs_folder]
    if name not in names:
        raise ConfigError(
            f"--outliers {name}: no folder and no data set is called so. {nearest(name, names)}"
        )
    section = resolve(model.spec, plugins, {"data": name}).sections["data"]
    dataset: Dataset = section.factory(section.config)
    if (dataset.shape.target, dataset.shape.classes) != (model.shape.target, model.shape.classes):
        raise ConfigError(
            f"--outliers {name}: its items have shape {dataset.shape.target}, "
            f"'{model.spec.name}' was built for {model.shape.target}"
        )
    return dataset.split("test")


def compare(model: Model, own: Split, strange: Split) -> dict[str, Any]:
    """How well the error of a reconstruction tells strange items from the model's own.

    Returns:
        ``outlier_items``; ``auroc``, 0.5 being chance and 1 always; ``mean_error`` and
        ``outlier_mean_error``, the squared error summed over an item's values (pixels in 0..1; of
        tokens the one-hot form); and where the model has a likelihood ``elbo_auroc``,
        ``mean_elbo_nats`` and ``outlier_mean_elbo_nats``.

    Raises:
        DataError: one of the two is empty.
    """
    if min(len(own), len(strange)) == 0:
        raise DataError("there is nothing to compare: one of the two has no items")
    with show_progress("errors of reconstruction"):
        errors = [_scores(model, split, _squared_errors) for split in (own, strange)]
    report = {
        "outlier_items": len(strange),
        "auroc": auroc(*errors),
        "mean_error": float(errors[0].mean()),
        "outlier_mean_error": float(errors[1].mean()),
    }
    try:
        score = _elbo_of(model, own, strange)
    except AeplugError:  # it has none, of these targets
        return report
    with show_progress("bounds"):
        elbos = [_scores(model, split, score) for split in (own, strange)]
    return {
        **report,
        "elbo_auroc": auroc(-elbos[0], -elbos[1]),
        "mean_elbo_nats": float(elbos[0].mean()),
        "outlier_mean_elbo_nats": float(elbos[1].mean()),
    }


def auroc(own: Tensor, strange: Tensor) -> float:
    """The chance that a strange item has the larger score, ties by half; scores ``(N,)``, ``(M,)``.

    By ranks, as Mann and Whitney's U is counted.
    """
    scores = torch.cat([own, strange]).double()
    _, inverse, counts = scores.unique(return_inverse=True, return_counts=True)
    # Items of one score share the mean of the ranks they take up.
    last = counts.cumsum(0).double()
    ranks = (last - (counts.double() - 1) / 2)[inverse]
    above = ranks[len(own) :].sum() - len(strange) * (len(strange) + 1) / 2
    return float(above / (len(own) * len(strange)))


def _scores(model: Model, split: Split, score: Callable[[Model, Batch], Tensor]) -> Tensor:
    return torch.cat([score(model, batch).cpu() for batch in _given(model, split)])


def _given(model: Model, split: Split) -> Iterator[Batch]:
    for _, raw in iter_rows(split, model.device):
        yield model.prepare_file(raw)


def _squared_errors(model: Model, batch: Batch) -> Tensor:
    """Of each item, float32 ``(B,)``."""
    back = vectors(model.reconstruct_batch(batch), model.shape)
    return (back - vectors(batch.target, model.shape)).square().sum(1)


def _elbo_of(model: Model, own: Split, strange: Split) -> Callable[[Model, Batch], Tensor]:
    log_prior = log_prior_of(model, "")
    for split in (own, strange):
        distribution(model, next(_given(model, split)))

    def score(model: Model, batch: Batch) -> Tensor:
        generator = model.generator(EVALUATION_SEED)
        return bounds(model, batch, DRAWS, log_prior, generator).elbo

    return score
