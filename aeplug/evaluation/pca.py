"""Principal components, exactly, of more items than fit in memory.

The covariance is summed up batch by batch and its eigenvectors are taken on the device, so that
the error of every number of components comes from one pass over the items.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from aeplug.errors import ConfigError, DataError
from aeplug.interfaces import DataShape

#: Values of an item above which the eigenvectors of its covariance take minutes and gigabytes.
MOST_VALUES = 8192


@dataclass(frozen=True)
class PCA:
    """The components of V values.

    Attributes:
        mean: ``(V,)``.
        axes: orthonormal columns ``(V, V)``, the one of the largest variance first.
        variances: along the axes, ``(V,)``, descending.
    """

    mean: Tensor
    axes: Tensor
    variances: Tensor

    def project(self, items: Tensor, dims: int) -> Tensor:
        """``(B, V)`` -> coordinates along the first ``dims`` axes, ``(B, dims)``."""
        return (items.to(self.mean.dtype) - self.mean) @ self.axes[:, :dims]

    def restore(self, coordinates: Tensor) -> Tensor:
        """Coordinates ``(B, dims)`` -> items ``(B, V)``."""
        return coordinates @ self.axes[:, : coordinates.shape[1]].T + self.mean

    def squared_errors(self, items: Tensor) -> Tensor:
        """Sum over a batch ``(B, V)`` of the squared error with 0, 1 .. V components, ``(V + 1,)``.

        The axes are orthonormal: the error is the total minus the squares of the coordinates.
        """
        explained = self.project(items, len(self.mean)).square().sum(0)
        total = (items.to(self.mean.dtype) - self.mean).square().sum()
        return torch.cat([total[None], total - explained.cumsum(0)]).clamp(min=0)


def fit_pca(batches: Iterable[Tensor]) -> PCA:
    """The components of all rows of all batches ``(B, V)``, V being at most ``MOST_VALUES``.

    Sums are kept in float64 where the device has it.

    Raises:
        ConfigError: an item has too many values.
        DataError: there is no item.

    Example:
        >>> pca = fit_pca([torch.randn(100, 16), torch.randn(100, 16)])
        >>> pca.project(torch.randn(4, 16), dims=2).shape
        torch.Size([4, 2])
    """
    count, origin = 0, torch.zeros(0)
    total = products = origin
    for items in batches:
        if count == 0:
            values = items.shape[1]
            if values > MOST_VALUES:
                raise ConfigError(
                    f"PCA of items of {values} values: at most {MOST_VALUES} are possible"
                )
            wide = torch.float32 if items.device.type == "mps" else torch.float64
            # Near the mean, so that products in float32 lose no precision when it is subtracted.
            origin = items.float().mean(0)
            total = torch.zeros(values, dtype=wide, device=items.device)
            products = torch.zeros(values, values, dtype=wide, device=items.device)
        moved = items.float() - origin
        count += len(items)
        total += moved.sum(0)
        products += moved.T @ moved
    if count == 0:
        raise DataError("PCA of no items")
    mean = total / count
    variances, axes = torch.linalg.eigh(products / count - torch.outer(mean, mean))
    return PCA(mean + origin, axes.flip(1).contiguous(), variances.flip(0).clamp(min=0))


def flatten_items(items: Tensor, shape: DataShape) -> Tensor:
    """Targets ``(B, *shape.target)`` as ``(B, V)`` float32: values in a row, tokens as one-hot."""
    if shape.classes:
        return functional.one_hot(items.long(), shape.classes).flatten(1).float()
    return items.flatten(1).float()
