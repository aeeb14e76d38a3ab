"""Where in a model's latent space attributes lie: learnt from data in seconds, kept in a file.

An attribute is measured on decoded items (:mod:`aeplug.steering.attributes`), or it is the
difference between two sets of examples: the position between their means, in the latents of the
decoded item.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from aeplug.data.splits import iter_rows
from aeplug.errors import ConfigError, DataError, FileError, nearest
from aeplug.interfaces import Split
from aeplug.model.model import Model
from aeplug.runtime.files import atomic_replace, text_path
from aeplug.steering.attributes import measure_attributes

FORMAT = "aeplug direction 1"
SUFFIX = ".safetensors"
#: Items from which directions are learnt.
ITEMS = 3000
#: Least variance of a latent direction, as a share of the largest, that is moved along.
LEAST_VARIANCE = 1e-4
#: Minimum number of items for a covariance and slopes.
FEWEST = 8


@dataclass(frozen=True)
class Directions:
    """K attributes over a latent space of D dimensions, of which the data fill E.

    *Whitened* latents, ``(.., E)``, have mean 0 and unit variance over the data in every direction,
    so that their lengths are Mahalanobis distances.

    Attributes:
        task: name of the task.
        names: of the attributes.
        units: of each.
        deviations: standard deviation of each over the data, in its unit, ``(K,)``.
        slopes: change of each, in standard deviations, along whitened axes, ``(K, E)``.
        centre: mean of the latents, ``(D,)``.
        unwhitening: whitened -> latents minus their mean, ``(D, E)``.
        whitening: latents minus their mean -> whitened, ``(D, E)``.
        points: whitened latents of the items learnt from, ``(N, E)``.
        values: attributes of their reconstructions in standard deviations, ``(N, K)``.
        cond: their conditions, name -> int64 ``(N,)``.
        ends: where the means of two sets of examples lie on the last attribute, in standard
            deviations; None where all attributes are measured.

    Example:
        >>> from aeplug.evaluation import Source
        >>> split = Source.from_model(model).dataset.split("test")
        >>> directions = learn_directions(model, split, items=200)
        >>> directions.names, directions.slopes.shape
        (('slant', 'thickness', 'length', 'size', 'aspect'), torch.Size([5, 2]))
    """

    task: str
    names: tuple[str, ...]
    units: tuple[str, ...]
    deviations: Tensor
    slopes: Tensor
    centre: Tensor
    unwhitening: Tensor
    whitening: Tensor
    points: Tensor
    values: Tensor
    cond: Mapping[str, Tensor]
    ends: tuple[float, float] | None = None

    @property
    def distance(self) -> float:
        """Typical Mahalanobis distance of two items: the root of its mean square."""
        return float((2 * self.whitening.shape[1]) ** 0.5)

    def index(self, name: str) -> int:
        """An attribute's place among ``names``.

        Raises:
            ConfigError: there is none of this name.
        """
        if name not in self.names:
            hint = nearest(name, self.names)
            raise ConfigError(f"'{self.task}' has no attribute '{name}'. {hint}")
        return self.names.index(name)

    def whiten(self, latents: Tensor) -> Tensor:
        """Latents ``(B, D)`` -> ``(B, E)``."""
        return (latents - self.centre) @ self.whitening

    @torch.no_grad()
    def measure(self, model: Model, data: Tensor, cond: Mapping[str, Tensor]) -> Tensor:
        """All attributes of items ``(B, *shape.target)`` in standard deviations, ``(B, K)``."""
        values = measure_attributes(model, data, cond)
        if self.ends is not None:
            latents = model.encode(data, cond)["mean"].float()
            position = self.whiten(latents) @ self.slopes[-1]
            values = torch.cat([values, position.unsqueeze(1)], 1)
        return values / self.deviations

    def with_examples(self, name: str, a: Tensor, b: Tensor) -> Directions:
        """These and, as the last attribute, the way from latents ``(n, D)`` to ``(m, D)``.

        Whitened, the way between the means is Fisher's linear discriminant; in the latent space it
        is the attribute vector of MusicVAE (Roberts et al., ICML 2018).

        Raises:
            DataError: the means are the same.
        """
        ends = [self.whiten(latents).mean(0) for latents in (a, b)]
        way = ends[1] - ends[0]
        apart = float(way.norm())
        if not apart > 1e-4:
            raise DataError(f"the two sides of '{name}' are the same to the model")
        way = way / apart
        values = self.points @ way
        return replace(
            self,
            names=(*self.names, name),
            units=(*self.units, "standard deviations"),
            deviations=torch.cat([self.deviations, self.deviations.new_ones(1)]),
            slopes=torch.cat([self.slopes, way[None]]),
            values=torch.cat([self.values, values[:, None]], 1),
            ends=(float(ends[0] @ way), float(ends[1] @ way)),
        )


@torch.no_grad()
def learn_directions(model: Model, split: Split, items: int = ITEMS, seed: int = 0) -> Directions:
    """The directions of a task's attributes, from items of a split.

    The slopes are those of a linear regression of all attributes, as measured of the model's
    reconstructions, on the latents; :func:`aeplug.steering.search.steer` corrects them item by
    item.

    Args:
        model: whose latents.
        split: the data, best what the model was trained on.
        items: how many of it at most, drawn at random.
        seed: of the draw.

    Raises:
        ConfigError: the model's latent is no vector.
        DataError: too few items, or an attribute that is the same for all.

    Example:
        >>> from aeplug.evaluation import Source
        >>> split = Source.from_model(model).dataset.split("test")
        >>> learn_directions(model, split, items=200).points.shape
        torch.Size([200, 2])
    """
    _ = model.latent_size
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randperm(len(split), generator=generator)[:items].sort().values
    latents, data_values, values = [], [], []
    conditions: dict[str, list[Tensor]] = {}
    for _, raw in iter_rows(split, model.device, rows):
        batch = model.prepare_batch(raw)
        z = model.posterior(batch)[0].mode()
        latents.append(z.float())
        data_values.append(measure_attributes(model, batch.target, batch.cond))
        decoded = model.decode(z, batch.cond, input=batch.input)
        values.append(measure_attributes(model, decoded, batch.cond))
        for name, column in batch.cond.items():
            conditions.setdefault(name, []).append(column)
    if len(rows) < FEWEST:
        raise DataError(f"directions need at least {FEWEST} items, the split has {len(rows)}")
    z, original, measured = torch.cat(latents), torch.cat(data_values), torch.cat(values)
    deviations = (
        torch.stack([_standard_deviation(column) for column in original.T])
        if len(original.T)
        else original[0]
    )
    names = tuple(attribute.name for attribute in model.spec.attributes)
    for name, deviation in zip(names, deviations.tolist(), strict=True):
        if not deviation > 0:
            raise DataError(f"'{name}' is the same for all of {len(rows)} items, or undefined")
    centre = z.mean(0)
    variances, axes = torch.linalg.eigh((z - centre).T @ (z - centre) / len(z))
    filled = variances > LEAST_VARIANCE * variances.max()
    axes, roots = axes[:, filled], variances[filled].sqrt()
    points = (z - centre) @ (axes / roots)
    scaled = measured / deviations
    # Whitened points have unit covariance, so that the regression is a mean of products.
    off = (scaled - scaled.nanmean(0)).nan_to_num(0)
    return Directions(
        task=model.spec.name,
        names=names,
        units=tuple(attribute.unit for attribute in model.spec.attributes),
        deviations=deviations,
        slopes=off.T @ points / len(points),
        centre=centre,
        unwhitening=axes * roots,
        whitening=axes / roots,
        points=points,
        values=scaled,
        cond={name: torch.cat(columns) for name, columns in conditions.items()},
    )


def _standard_deviation(values: Tensor) -> Tensor:
    defined = values[~values.isnan()]
    return defined.std() if len(defined) > 1 else values.new_zeros(())


_TENSORS = ("deviations", "slopes", "centre", "unwhitening", "whitening", "points", "values")


def check_savable(path: Path) -> None:
    """Check that directions may be saved there.

    Raises:
        ConfigError: the file's name has another ending, or the file exists and holds something
            else, such as a model's weights.

    Example:
        >>> check_savable(Path("slant.pt"))
        Traceback (most recent call last):
            ...
        aeplug.errors.ConfigError: --save slant.pt: expected a name that ends in .safetensors
    """
    from safetensors import SafetensorError, safe_open

    if path.suffix != SUFFIX:
        raise ConfigError(f"--save {path}: expected a name that ends in {SUFFIX}")
    if not path.exists():
        return
    try:
        with text_path(path) as name, safe_open(name, "pt") as file:
            header = json.loads((file.metadata() or {}).get("aeplug", "{}"))
        is_direction = str(header.get("format", "")).startswith(FORMAT.rstrip("1"))
    except (SafetensorError, OSError, ValueError, AttributeError):
        is_direction = False
    if not is_direction:
        raise ConfigError(f"--save {path} exists and holds no direction; name another file")


def save_directions(directions: Directions, target: str, path: Path) -> None:
    """Save directions, and the name of the target attribute, in one ``.safetensors`` file.

    Raises:
        ConfigError: see :func:`check_place`.
        FileError: it cannot be written.
    """
    from safetensors.torch import save_file

    check_savable(path)
    header = {
        "format": FORMAT,
        "task": directions.task,
        "target": target,
        "names": directions.names,
        "units": directions.units,
        "ends": directions.ends,
    }
    tensors = {name: getattr(directions, name) for name in _TENSORS}
    tensors |= {f"cond.{name}": column for name, column in directions.cond.items()}
    tensors = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_replace(path) as temporary:
            save_file(tensors, temporary, {"aeplug": json.dumps(header)})
    except OSError as error:
        raise FileError(f"{path} cannot be written: {error.strerror or error}") from error


def load_directions(path: Path, model: Model) -> tuple[Directions, str]:
    """The directions of a file, and the name of the target attribute.

    Raises:
        FileError: it is missing, damaged, or no such file.
        ConfigError: it was learnt for another task, or for latents of another size.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with text_path(path) as name, safe_open(name, "pt") as file:
            header = json.loads((file.metadata() or {})["aeplug"])
            tensors = {name: file.get_tensor(name).to(model.device) for name in file.keys()}  # noqa: SIM118
        if header["format"] != FORMAT:
            raise FileError(
                f"{path} has format '{header['format']}', this version reads '{FORMAT}'"
            )
        directions = Directions(
            task=header["task"],
            names=tuple(header["names"]),
            units=tuple(header["units"]),
            ends=tuple(header["ends"]) if header["ends"] else None,
            cond={name[5:]: column for name, column in tensors.items() if name[:5] == "cond."},
            **{name: tensors[name] for name in _TENSORS},
        )
    except FileNotFoundError:
        raise FileError(f"{path}: no such file") from None
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise FileError(f"{path} is no saved direction ({error})") from error
    expected = (model.spec.name, tuple(model.task.latent.latent_shape))
    if (directions.task, tuple(directions.centre.shape)) != expected:
        raise ConfigError(
            f"{path} was learnt for '{directions.task}' with {len(directions.centre)} latent "
            f"dimensions; this is '{expected[0]}' with {expected[1][0]}"
        )
    measured = tuple(attribute.name for attribute in model.spec.attributes)
    if directions.names[: len(directions.names) - (directions.ends is not None)] != measured:
        raise ConfigError(
            f"{path} knows {', '.join(directions.names)}; '{directions.task}' now measures "
            f"{', '.join(measured) or 'nothing'}: learn it again"
        )
    return directions, header["target"]
