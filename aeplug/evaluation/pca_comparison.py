"""A model compared with PCA: reconstruction errors, and how well their codes predict a label."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from aeplug.config import resolve
from aeplug.data.labels import NAME, label_rows
from aeplug.data.opening import build_prepare, choose_split, folder_settings, open_dataset
from aeplug.data.splits import first_items, iter_rows
from aeplug.errors import ConfigError, nearest
from aeplug.evaluation.pca import (
    MOST_VALUES,
    PCA,
    count_values,
    fit_leading_pca,
    fit_pca,
    flatten_items,
)
from aeplug.evaluation.probes import LabelledFeatures, measure_accuracies
from aeplug.interfaces import (
    Batch,
    Dataset,
    DataShape,
    Prepare,
    RawBatch,
    ShapedPrepare,
    Split,
    supports,
)
from aeplug.model.dataset import evaluation_dataset
from aeplug.model.model import Model
from aeplug.plugins import TaskSpec, active
from aeplug.runtime.distributed import pick_device
from aeplug.runtime.tracking import show_progress

#: Most values of the items that probes are fitted on: 85,000 items of 28 x 28.
PROBE_VALUES = 1 << 26
#: Most classes that a probe predicts.
MOST_CLASSES = 100
#: Numbers of dimensions at which a curve is flat.
DIMS = (0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 30, 32, 40, 50, 64, 80, 100, 128, 160, 200, 256)


@dataclass(frozen=True)
class Source:
    """Where items come from: a data set, with or without a model of it.

    Attributes:
        dataset: its splits ``train`` and, to be measured on, another.
        prepare: rows -> a batch.
        shape: what an item looks like.
        device: where it is computed.
        model: with trained weights; None: PCA alone.

    Example:
        >>> source = Source.from_model(model)
        >>> vectors = next(source.iter_vectors(source.dataset.split("test")))
        >>> vectors.shape
        torch.Size([256, 784])
    """

    dataset: Dataset
    prepare: Prepare
    shape: DataShape
    device: torch.device
    model: Model | None = None

    @classmethod
    def from_model(cls, model: Model, data: str | Path | None = None) -> Source:
        """What a model was trained with, or a user's own files, and the model.

        Raises:
            ConfigError: the data does not fit the model.
            DataError: files are missing or damaged.
        """
        dataset = evaluation_dataset(model, None if data is None else str(data), active())
        return cls(dataset, model.prepare, model.shape, model.device, model)

    @classmethod
    def from_task(
        cls, task: TaskSpec, data: str | Path | None = None, device: str = "auto"
    ) -> Source:
        """The data of a task, or a user's own files, without a model.

        Raises:
            ConfigError: the task reads no data of the user's.
            DataError: files are missing or damaged.
        """
        own = folder_settings(task, str(data)) if data is not None else {}
        config = resolve(task, active(), own)
        dataset = open_dataset(config)
        prepare = build_prepare(config, dataset.shape)
        shape = prepare.shape if supports(prepare, ShapedPrepare) else dataset.shape
        return cls(dataset, prepare, shape, pick_device(device))

    def batches(
        self, split: Split, chosen: Tensor | None = None
    ) -> Iterator[tuple[RawBatch, Batch]]:
        """Rows and what is made of them, in order."""
        for _, raw in iter_rows(split, self.device, chosen):
            generator = torch.Generator(self.device).manual_seed(0)
            yield raw, self.prepare(raw, generator, training=False)

    def iter_vectors(self, split: Split) -> Iterator[Tensor]:
        """The items of a split as ``(B, V)``."""
        for _, batch in self.batches(split):
            yield flatten_items(batch.target, self.shape)


def compare_with_pca(
    source: Source,
    *,
    split: str = "test",
    items: int | None = None,
    dims: int,
    label: str = "",
    probes: bool = True,
) -> dict[str, Any]:
    """Errors of PCA and of the model, and how well their codes predict a label.

    Args:
        source: a data set, with or without a model.
        split: what is measured on.
        items: only the first so many.
        dims: components of PCA.
        label: what probes predict; empty: the first label that the data has.
        probes: also fit probes, on the training split.

    Returns:
        The figures of :func:`compare_errors`, and under ``probes`` those of :func:`fit_probes`.

    Raises:
        ConfigError: no such split or label, or items have fewer values than ``dims``.

    Example:
        >>> report = compare_with_pca(Source.from_model(model), items=100, dims=2, probes=False)
        >>> round(report["pca_squared_error"]), round(report["model_squared_error"])
        (42, 26)
    """
    test = choose_split(source.dataset, split)
    if items is not None:
        test = first_items(test, items)
    pca, report = compare_errors(source, test, dims)
    results = fit_probes(source, test, pca, dims, label) if probes else {}
    return {**report, **({"probes": results} if results else {})}


@torch.no_grad()
def compare_errors(source: Source, test: Split, dims: int) -> tuple[PCA, dict[str, Any]]:
    """Errors of PCA fitted on the training split, and of the model, over ``test``.

    Returns:
        The components, and figures: ``items``, ``values`` an item, ``value_range`` of them,
        ``dims``, ``pca_is_exact`` (of items of many values it is not, see
        :func:`aeplug.evaluation.pca.fit_leading_pca`), ``pca_squared_error`` (the sum over an
        item's values, mean over items),
        ``pca_mse`` (of a value), with a model ``model_dims``, ``model_squared_error`` and
        ``model_mse``; where items are tokens, of which the values are the one-hot form, also
        ``pca_accuracy`` and ``model_accuracy``; ``curve`` with ``dims`` and
        ``pca_squared_error``.

    Raises:
        ConfigError: items have fewer values than ``dims``.
    """
    values = count_values(source.shape)
    if dims > values:
        raise ConfigError(f"--dims {dims}: items have {values} values")
    train = source.dataset.split("train")
    is_exact = values <= MOST_VALUES
    with show_progress("PCA"):
        if is_exact:
            pca = fit_pca(source.iter_vectors(train))
        else:
            pca = fit_leading_pca(lambda: source.iter_vectors(train), max(dims, *DIMS))
    components = pca.axes.shape[1]
    errors = torch.zeros_like(pca.mean[:1])
    totals = np.zeros(4)
    low, high = float("inf"), -float("inf")
    items = 0
    with show_progress("errors"):
        for _, batch in source.batches(test):
            flat = flatten_items(batch.target, source.shape)
            errors = errors + pca.squared_errors(flat)
            items += len(flat)
            low, high = min(low, float(flat.min())), max(high, float(flat.max()))
            totals += _sum_errors(source, batch, flat, pca, dims)
    squared = (errors / items).tolist()
    model_error, pca_right, model_right, steps = totals.tolist()
    report: dict[str, Any] = {
        "items": items,
        "values": values,
        "value_range": [low, high],
        "dims": dims,
        "pca_is_exact": is_exact,
        "pca_squared_error": squared[dims],
        "pca_mse": squared[dims] / values,
    }
    if source.shape.classes:
        report["pca_accuracy"] = pca_right / steps
    if source.model is not None:
        report["model_dims"] = int(source.model.task.latent.latent_shape[0])
        report["model_squared_error"] = model_error / items
        report["model_mse"] = model_error / items / values
        if source.shape.classes:
            report["model_accuracy"] = model_right / steps
    sizes = sorted({*(size for size in DIMS if size <= components), dims})
    report["curve"] = {"dims": sizes, "pca_squared_error": [squared[size] for size in sizes]}
    return pca, report


def _sum_errors(
    source: Source, batch: Batch, flat: Tensor, pca: PCA, dims: int
) -> npt.NDArray[np.float64]:
    """Sums over a batch: squared error of the model, tokens right by PCA, by the model, tokens."""
    sums = np.zeros(4)
    back = source.model.reconstruct_batch(batch) if source.model is not None else None
    if back is not None:
        sums[0] = float((flatten_items(back, source.shape) - flat).double().square().sum())
    if source.shape.classes:
        tokens = batch.target
        restored = pca.restore(pca.project(flat, dims)).reshape(*tokens.shape, -1).argmax(-1)
        inside = torch.ones_like(tokens, dtype=torch.bool)
        if batch.lengths is not None:
            inside = torch.arange(tokens.shape[1], device=tokens.device) < batch.lengths[:, None]
        sums[1] = int(((restored == tokens) & inside).sum())
        sums[2] = int(((back == tokens) & inside).sum()) if back is not None else 0
        sums[3] = int(inside.sum())
    return sums


@torch.no_grad()
def fit_probes(source: Source, test: Split, pca: PCA, dims: int, label: str) -> dict[str, Any]:
    """Accuracy of k-NN and a linear probe on the latent's means, on PCA and on the values.

    Args:
        source: with the training split.
        test: rows to name.
        pca: fitted.
        dims: components of it.
        label: what to name; empty: the first that the data set has.

    Returns:
        ``label``, ``classes``, ``train_items``, and ``accuracy``: representation -> ``knn`` and
        ``linear`` in 0..1. Empty where nothing was asked for and the data has no label.

    Raises:
        ConfigError: there is no such label, or it is not one of a few classes.
    """
    train = source.dataset.split("train")
    most = max(1000, PROBE_VALUES // len(pca.mean))
    # Spread over the split: neighbours are often alike.
    chosen = torch.linspace(0, len(train) - 1, min(most, len(train))).round().long()
    with show_progress("probes"):
        train_features, labels = _represent_split(source, train, chosen, pca, dims)
        test_features, test_labels = _represent_split(source, test, None, pca, dims)
    label = label or next((name for name in labels if _is_class(labels[name])), "")
    if not label:
        return {}
    if label not in labels:
        raise ConfigError(f"the data has no label '{label}'. {nearest(label, labels)}")
    if not _is_class(labels[label]):
        raise ConfigError(f"label '{label}' does not have 2 to {MOST_CLASSES} classes")
    every = np.concatenate([labels[label], test_labels[label]])
    names, numbers = np.unique(every, return_inverse=True)
    classes = torch.from_numpy(numbers.astype(np.int64)).to(source.device)
    count = len(chosen)
    return {
        "label": label,
        "classes": len(names),
        "train_items": count,
        "accuracy": {
            name: measure_accuracies(
                LabelledFeatures(train_features[name], classes[:count]),
                LabelledFeatures(test_features[name], classes[count:]),
            )
            for name in train_features
        },
    }


def _represent_split(
    source: Source, split: Split, chosen: Tensor | None, pca: PCA, dims: int
) -> tuple[dict[str, Tensor], dict[str, npt.NDArray[np.generic]]]:
    """Every representation of a split's rows, float32 ``(N, D)``, and their labels."""
    features: dict[str, list[Tensor]] = {}
    labels: dict[str, list[npt.NDArray[np.generic]]] = {}
    for raw, batch in source.batches(split, chosen):
        flat = flatten_items(batch.target, source.shape)
        if source.model is not None:
            posterior, _ = source.model.posterior(batch)
            features.setdefault("model", []).append(posterior.mode().float())
        features.setdefault("pca", []).append(pca.project(flat, dims).float())
        features.setdefault("values", []).append(flat)
        for name, values in label_rows(source.dataset, raw).items():
            labels.setdefault(name, []).append(values)
    labels.pop(NAME, None)
    return (
        {name: torch.cat(parts) for name, parts in features.items()},
        {name: np.concatenate(parts) for name, parts in labels.items()},
    )


def _is_class(values: npt.NDArray[np.generic]) -> bool:
    return values.dtype.kind in "iuUb" and 2 <= len(np.unique(values)) <= MOST_CLASSES
