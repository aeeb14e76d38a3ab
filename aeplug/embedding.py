"""Latents of many items, as they come: of a data set's split, or of files.

Nothing here holds more than a batch, so that a million items take no more memory than a thousand.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from aeplug.errors import AeplugError, ConfigError, FileError
from aeplug.generation import BATCH, Model
from aeplug.interfaces import Batch, Dataset, DataShape, LabelledDataset, Raw, Split
from aeplug.jobs.failures import reason_of
from aeplug.jobs.inputs import require_regular
from aeplug.jobs.pieces import form, gathered, pieces_in, rows
from aeplug.tensor_model import TensorModel

#: Some rows: name -> ``(n, ...)``. ``name`` is text, ``mean`` and, where the posterior has one,
#: ``logvar`` are float32 ``(n, D)``; conditions and labels are ``(n,)``, numbers or text.
Block = dict[str, npt.NDArray[np.generic]]

NAME, MEAN, PIECE = "name", "mean", "piece"

#: Files read ahead of the model.
AHEAD = 2 * BATCH


def require_vector(model: TensorModel) -> int:
    """The number of latent dimensions.

    Raises:
        ConfigError: the latent is no vector, so there is nothing to embed into.
    """
    shape = tuple(model.task.latent.latent_shape)
    if len(shape) != 1:
        raise ConfigError(
            f"'{model.spec.name}' has no embedding: its latent "
            f"'{model.config.sections['latent'].name}' is feature maps of shape {shape}, "
            f"not one vector an item"
        )
    return shape[0]


@torch.no_grad()
def latents(model: Model, batch: Batch) -> Block:
    """What the posterior of a prepared batch says, and the conditions' names."""
    posterior, _ = model.posterior(batch)
    found = {name: _array(value) for name, value in posterior.statistics().items()}
    found.setdefault(MEAN, _array(posterior.mode()))
    return {**found, **named_conditions(model.shape, batch.cond)}


def embed_split(
    model: Model, dataset: Dataset, split: Split, name: str, chosen: Tensor | None = None
) -> Iterator[Block]:
    """Rows of a split in order, a batch at a time.

    Args:
        model: whose encoder.
        dataset: what the split is of; says the labels.
        split: which rows.
        name: of the split: rows without names of their own are called ``test-17``.
        chosen: numbers of the rows, int64; None: all.

    Raises:
        ConfigError: the model's latent is no vector.
    """
    require_vector(model)
    for index, raw in taken(split, model.device, chosen):
        known = labels(dataset, raw, [f"{name}-{row}" for row in index.tolist()])
        yield {**known, **latents(model, model.prepared(raw))}


def taken(
    split: Split, device: torch.device, chosen: Tensor | None = None
) -> Iterator[tuple[Tensor, Raw]]:
    """A split's rows on the device, ``BATCH`` at a time, with their numbers."""
    split = split.to(device)
    numbers = torch.arange(len(split)) if chosen is None else chosen
    for start in range(0, len(numbers), BATCH):
        index = numbers[start : start + BATCH].to(device)
        yield index, split.take(index)


def labels(dataset: Dataset, raw: Raw, names: Sequence[str] = ()) -> Block:
    """What is known of rows beside their content, by name.

    Where a data set does not say it itself, its columns of one integer a row; ``name`` is
    ``names`` where it gives none.
    """
    if isinstance(dataset, LabelledDataset):
        found = {name: np.asarray(values) for name, values in dataset.labels(raw).items()}
    else:
        plain = {
            name: column
            for name, column in raw.items()
            if column.ndim == 1 and not column.is_floating_point()
        }
        found = {name: column.cpu().numpy() for name, column in plain.items()}
        found |= named_conditions(dataset.shape, plain)
    return {NAME: np.asarray(names, dtype=str), **found} if len(names) else found


def named_conditions(shape: DataShape, cond: Mapping[str, Tensor]) -> Block:
    """Conditions ``(n,)`` by the names of their classes."""
    return {
        name: np.asarray(classes)[cond[name].cpu().numpy()]
        for name, classes in shape.conditions.items()
        if name in cond
    }


def embed_files(
    model: Model, paths: Iterable[str], failed: Callable[[str, str], None]
) -> Iterator[Block]:
    """Files in order, read ahead by threads; each piece of a file is a row.

    Columns as in :data:`Block`, with ``name`` the path and ``piece`` its number in the file.

    Args:
        model: whose encoder and codec.
        paths: which files.
        failed: called with path and reason for each that cannot be embedded.

    Raises:
        ConfigError: the model's latent is no vector.
    """
    require_vector(model)
    group: list[tuple[str, Raw]] = []
    for path, raw in _read_ahead(model, paths, failed):
        together = [*group, (path, raw)]
        pieces = sum(pieces_in(one) for _, one in together)
        if group and (pieces > BATCH or form(raw) != form(group[0][1])):
            yield from _embedded(model, group, failed)
            group = []
        group.append((path, raw))
    if group:
        yield from _embedded(model, group, failed)


def _read_ahead(
    model: Model, paths: Iterable[str], failed: Callable[[str, str], None]
) -> Iterator[tuple[str, Raw]]:
    def read(path: str) -> Raw:
        require_regular(Path(path))
        return model.codec.split(model.read(Path(path)))

    waiting: deque[tuple[str, Future[Raw]]] = deque()
    left = iter(paths)
    more = True
    with ThreadPoolExecutor(min(os.cpu_count() or 1, 16)) as pool:
        try:
            while more or waiting:
                while more and len(waiting) < AHEAD:
                    path = next(left, None)
                    more = path is not None
                    if path is not None:
                        waiting.append((path, pool.submit(read, path)))
                if waiting:
                    path, future = waiting.popleft()
                    try:
                        raw = future.result()
                    except Exception as error:  # whatever a codec raises is this file's reason
                        failed(path, reason_of(error))
                        continue
                    yield path, raw
        finally:
            pool.shutdown(cancel_futures=True)


def _embedded(
    model: Model, group: Sequence[tuple[str, Raw]], failed: Callable[[str, str], None]
) -> list[Block]:
    raws = [raw for _, raw in group]
    here = {name: column.to(model.device) for name, column in gathered(raws).items()}
    try:
        batch = model.given(here)
        count = len(batch.input)
        blocks = [
            latents(model, rows(batch, slice(start, start + BATCH)))
            for start in range(0, count, BATCH)
        ]
    except (AeplugError, RuntimeError, ValueError, IndexError) as error:
        if len(group) == 1:
            failed(group[0][0], reason_of(error))
            return []
        # One of them is to blame.
        return [block for one in group for block in _embedded(model, [one], failed)]
    names = np.repeat([path for path, _ in group], [pieces_in(raw) for raw in raws])
    numbers = np.concatenate([np.arange(pieces_in(raw)) for raw in raws])
    start = 0
    for block in blocks:
        part = slice(start, start + len(block[MEAN]))
        block[NAME], block[PIECE] = names[part], numbers[part]
        start = part.stop
    return blocks


def joined_blocks(blocks: Iterable[Block]) -> Block:
    """All rows in memory, for what needs them at once.

    Raises:
        FileError: there are none.
    """
    found = list(blocks)
    if not found:
        raise FileError("there is no item to embed")
    return {name: np.concatenate([block[name] for block in found]) for name in found[0]}


def _array(value: Tensor) -> npt.NDArray[np.generic]:
    kept = value.float() if value.is_floating_point() else value
    array: npt.NDArray[np.generic] = kept.cpu().numpy()
    return array
