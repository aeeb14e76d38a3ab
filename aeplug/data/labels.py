"""What is known of rows beside their content: names, labels, classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from torch import Tensor

from aeplug.interfaces import Dataset, DataShape, LabelledDataset, RawBatch, supports

#: Some rows: name -> ``(n, ...)``. ``name`` is text, ``mean`` and, where the posterior has one,
#: ``logvar`` are float32 ``(n, D)``; conditions and labels are ``(n,)``, numbers or text.
EmbeddingRows = dict[str, npt.NDArray[np.generic]]


NAME, MEAN, PIECE = "name", "mean", "piece"


def label_rows(dataset: Dataset, raw: RawBatch, names: Sequence[str] = ()) -> EmbeddingRows:
    """What is known of rows beside their content, by name.

    Where a data set does not say it itself, its columns of one integer a row; ``name`` is
    ``names`` where it gives none.
    """
    if supports(dataset, LabelledDataset):
        labels = {name: np.asarray(values) for name, values in dataset.labels(raw).items()}
    else:
        plain = {
            name: column
            for name, column in raw.items()
            if column.ndim == 1 and not column.is_floating_point()
        }
        labels = {name: column.cpu().numpy() for name, column in plain.items()}
        labels |= name_conditions(dataset.shape, plain)
    return {NAME: np.asarray(names, dtype=str), **labels} if len(names) else labels


def name_conditions(shape: DataShape, cond: Mapping[str, Tensor]) -> EmbeddingRows:
    """Conditions ``(n,)`` by the names of their classes."""
    return {
        name: np.asarray(classes)[cond[name].cpu().numpy()]
        for name, classes in shape.conditions.items()
        if name in cond
    }
