"""The latent space as a plane: where items lie in it, and what its points decode to.

With two latent dimensions the plane is the latent space. With more it is spanned by the first two
principal components of the items, or it is UMAP's, which shows neighbourhoods better and has no
inverse.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from aeplug.data.batching import INFERENCE_BATCH
from aeplug.data.labels import MEAN, NAME, EmbeddingRows
from aeplug.data.splits import iter_rows
from aeplug.errors import ConfigError, nearest
from aeplug.evaluation.pca import fit_pca
from aeplug.inference.embed import concat_embeddings, embed_split
from aeplug.inference.sample import join_documents
from aeplug.interfaces import Dataset, Document, Sampling, Split
from aeplug.model.model import Model
from aeplug.runtime.libraries import import_library

PCA, UMAP = "pca", "umap"

#: Draws from the prior of which quantiles are taken.
DRAWS = 1 << 15
#: Most classes of a label that a map colours.
MOST_CLASSES = 40

Points = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Plane:
    """A plane through 0 of the latent space.

    Attributes:
        axes: orthonormal columns ``(D, 2)``, of one column where there is one latent.
        caption: what it is, for people.
        names: of its axes, two.
    """

    axes: Tensor
    caption: str
    names: tuple[str, str]

    def project(self, latents: Tensor) -> Tensor:
        """Latents ``(N, D)`` -> ``(N, 2)``; the second is 0 where there is one latent."""
        coordinates = latents @ self.axes
        return torch.nn.functional.pad(coordinates, (0, 2 - coordinates.shape[1]))

    def lift(self, coordinates: Tensor) -> Tensor:
        """Points ``(N, 2)`` -> latents ``(N, D)`` in the plane through 0."""
        return coordinates[:, : self.axes.shape[1]] @ self.axes.T


@dataclass(frozen=True)
class LatentMap:
    """Items in the plane.

    Attributes:
        points: ``(N, 2)``.
        names: of the items.
        labels: name -> ``(N,)``, the first being the one to colour by.
        caption: how latents became points.
        is_linear: whether points are coordinates in a plane of the latent space.
        axes: names of the two axes.
        rows: number of each item in its split.
        cond: the items' conditions, name -> int64 ``(N,)``.
    """

    points: Points
    names: list[str]
    labels: Mapping[str, npt.NDArray[np.generic]]
    caption: str
    is_linear: bool
    axes: tuple[str, str]
    rows: Tensor
    cond: Mapping[str, Tensor]


@dataclass(frozen=True)
class Manifold:
    """What a grid of points of the plane decodes to.

    Attributes:
        documents: row by row from the top, each named by its quantiles.
        columns: of the grid.
        caption: quantiles of what, in which plane.
    """

    documents: list[Document]
    columns: int
    caption: str

    @property
    def rows(self) -> list[list[Document]]:
        """The documents as they stand in the grid."""
        every = range(0, len(self.documents), self.columns)
        return [self.documents[start : start + self.columns] for start in every]


def fit_principal_plane(latents: Tensor) -> Plane:
    """The plane in which items ``(N, D)`` spread most; the latent space itself where D is 2."""
    size = latents.shape[1]
    if size <= 2:
        caption = "the latent plane" if size == 2 else "the one latent dimension"
        return Plane(torch.eye(size).to(latents), caption, ("z1", "z2" if size == 2 else ""))
    pca = fit_pca(latents.split(INFERENCE_BATCH))
    # One item, or items that are all alike, have no variance.
    share = pca.variances / pca.variances.sum().clamp(min=torch.finfo(torch.float32).tiny)
    caption = f"2 principal components of {size} dimensions, {share[:2].sum():.0%} of the variance"
    names = (f"component 1 ({share[0]:.0%})", f"component 2 ({share[1]:.0%})")
    return Plane(pca.axes[:, :2].to(latents), caption, names)


def place_items(
    model: Model, dataset: Dataset, split: Split, name: str, items: int, projection: str, seed: int
) -> tuple[LatentMap, Plane, Tensor]:
    """Embed items of a split, evenly spread over it, and lay them in the plane.

    Returns:
        The map, the principal plane, and the latents ``(N, D)``.

    Raises:
        ConfigError: the model's latent is no vector.
        AeplugError: UMAP is asked for and not installed.
    """
    _ = model.latent_size
    count = min(items, len(split))
    # Neighbours are often alike: the same tune, the same writer.
    rows = torch.linspace(0, len(split) - 1, count).round().long()
    block = concat_embeddings(embed_split(model, dataset, split, name, rows))
    latents = torch.from_numpy(np.asarray(block[MEAN], np.float32)).to(model.device)
    plane = fit_principal_plane(latents)
    points, caption, axes = plane.project(latents).cpu().numpy(), plane.caption, plane.names
    is_linear = projection == PCA or latents.shape[1] <= 2
    if not is_linear:
        points = _project_by_umap(latents.cpu().numpy(), seed)
        caption, axes = f"UMAP of {latents.shape[1]} dimensions", ("", "")
    names = [str(item) for item in block[NAME].tolist()]
    cond = {
        condition: torch.tensor([classes.index(name) for name in block[condition].tolist()])
        for condition, classes in model.shape.conditions.items()
    }
    placed = LatentMap(points, names, _select_labels(block), caption, is_linear, axes, rows, cond)
    return placed, plane, latents


def decode_manifold(
    model: Model,
    plane: Plane,
    items: LatentMap,
    latents: Tensor,
    size: int,
    cond: Mapping[str, Any],
    seed: int,
) -> Manifold:
    """Decode ``size`` x ``size`` points of the map at evenly spaced quantiles of the prior.

    Quantiles are those of the items where the model has no prior, or the map is UMAP's. With more
    than two latent dimensions, those outside the plane are taken from the nearest item, since what
    is decoded at the middle of a space of many dimensions is like no item; conditions that
    ``cond`` leaves open are the nearest item's too. UMAP has no inverse: there the nearest item
    itself is decoded.
    """
    points = torch.from_numpy(items.points).to(latents)
    from_prior = model.has_prior and items.is_linear
    spread = points
    if from_prior:
        spread = plane.project(model.task.latent.prior(DRAWS, 1.0, model.generator(seed)))
    quantiles = (torch.arange(size) + 0.5) / size
    # Some thousands are enough for quantiles, and torch takes no more than millions.
    x, y = torch.quantile(spread[:DRAWS], quantiles.to(spread), dim=0).T
    flat = plane.axes.shape[1] == 1
    grid = torch.cartesian_prod(y[:1] if flat else y.flip(0), x).flip(1)
    nearby = torch.cdist(grid, points).argmin(1)
    z = plane.lift(grid)
    where, names = items.caption.partition(",")[0], _name_quantiles(quantiles, flat)
    if latents.shape[1] > 2:
        moved = plane.lift(grid - points[nearby]) if items.is_linear else 0
        z = latents[nearby] + moved
        where += (
            "; other dimensions from the nearest item" if items.is_linear else "; the nearest items"
        )
        near = nearby.tolist()
        names = [f"{q}, near {items.names[n]}" for q, n in zip(names, near, strict=True)]
    chosen: dict[str, Any] = {name: column[nearby] for name, column in items.cond.items()}
    conditions = model.conditions({**chosen, **cond}, len(grid))
    data = model.decode(z, conditions, Sampling(greedy=True))
    documents = join_documents(model, data, conditions)
    for document, name in zip(documents, names, strict=True):
        document.name = name
    caption = f"quantiles of {'the prior' if from_prior else 'the items'} along {where}"
    return Manifold(documents, size, caption)


def _name_quantiles(quantiles: Tensor, flat: bool) -> list[str]:
    across = [f"{100 * quantile:.3g} %" for quantile in quantiles.tolist()]
    if flat:
        return across
    return [f"{x}, {y}" for y in reversed(across) for x in across]


def iter_item_documents(model: Model, split: Split, rows: Tensor) -> Iterator[Document]:
    """The items of these rows, as the codec shows them."""
    for _, raw in iter_rows(split, model.device, rows):
        batch = model.prepare_batch(raw)
        yield from join_documents(model, batch.target, batch.cond)


def choose_label(items: LatentMap, name: str) -> str:
    """The label to colour by: ``name``, else the first there is; empty where there is none.

    Raises:
        ConfigError: there is no such label.
    """
    if name and name not in items.labels:
        raise ConfigError(f"the items have no label '{name}'. {nearest(name, items.labels)}")
    return name or next(iter(items.labels), "")


def is_quantity(values: npt.NDArray[np.generic]) -> bool:
    """Whether a label is a number to be read off a scale, not one of some classes."""
    return values.dtype.kind == "f" or (
        values.dtype.kind in "iu" and len(np.unique(values)) > MOST_CLASSES
    )


def _select_labels(block: EmbeddingRows) -> dict[str, npt.NDArray[np.generic]]:
    return {
        name: values
        for name, values in block.items()
        if name != NAME
        and values.ndim == 1
        and (is_quantity(values) or len(np.unique(values)) <= MOST_CLASSES)
    }


def _project_by_umap(latents: Points, seed: int) -> Points:
    umap = import_library("umap", "umap-learn", "--projection umap")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its threads, which a seed forbids
        reducer = umap.UMAP(random_state=seed % 2**32, n_jobs=1)
        return np.asarray(reducer.fit_transform(latents), np.float32)
