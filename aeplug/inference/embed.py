"""Latents of many items, as they come: of a data set's split, or of files.

Nothing here holds more than a batch, so that a million items take no more memory than a thousand.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from aeplug.data.batching import (
    INFERENCE_BATCH,
    batch_key,
    concat_raw,
    count_pieces,
    iter_chunks,
)
from aeplug.data.labels import MEAN, NAME, PIECE, EmbeddingRows, label_rows, name_conditions
from aeplug.data.opening import choose_split
from aeplug.data.splits import iter_rows
from aeplug.errors import AeplugError, FileError
from aeplug.interfaces import Batch, Dataset, RawBatch, Split
from aeplug.model.dataset import evaluation_dataset
from aeplug.model.model import Model
from aeplug.plugins import active, explain_missing_library
from aeplug.runtime.files import describe_error

#: Files read ahead of the model.
AHEAD = 2 * INFERENCE_BATCH


@torch.no_grad()
def embed_batch(model: Model, batch: Batch) -> EmbeddingRows:
    """What the posterior of a prepared batch says, and the conditions' names."""
    posterior, _ = model.posterior(batch)
    found = {name: _array(value) for name, value in posterior.statistics().items()}
    found.setdefault(MEAN, _array(posterior.mode()))
    return {**found, **name_conditions(model.shape, batch.cond)}


def embed_split(
    model: Model, dataset: Dataset, split: Split, name: str, chosen: Tensor | None = None
) -> Iterator[EmbeddingRows]:
    """Rows of a split in order, a batch at a time.

    Args:
        model: whose encoder.
        dataset: what the split is of; says the labels.
        split: which rows.
        name: of the split: rows without names of their own are called ``test-17``.
        chosen: numbers of the rows, int64; None: all.

    Raises:
        ConfigError: the model's latent is no vector.

    Example:
        >>> from aeplug.evaluation import Source
        >>> dataset = Source.from_model(model).dataset
        >>> rows = next(embed_split(model, dataset, dataset.split("test"), "test", torch.arange(3)))
        >>> rows["name"], rows["mean"].shape
        (array(['test-0', 'test-1', 'test-2'], dtype='<U6'), (3, 2))
    """
    _ = model.latent_size
    for index, raw in iter_rows(split, model.device, chosen):
        known = label_rows(dataset, raw, [f"{name}-{row}" for row in index.tolist()])
        yield {**known, **embed_batch(model, model.prepare_batch(raw))}


def embed_data(
    model: Model, data: str | Path | None = None, split: str | None = None, items: int | None = None
) -> Iterator[EmbeddingRows]:
    """Rows of a data set, a batch at a time.

    Args:
        model: whose encoder.
        data: your own files as the data set, instead of what the model was trained with.
        split: its split; by default ``test``, of your own data ``all``.
        items: only the first so many.

    Raises:
        ConfigError: there is no such split, the data does not fit the model, or its latent is no
            vector.
        DataError: files are missing or damaged.

    Example:
        >>> {name: column.shape for name, column in next(embed_data(model, items=100)).items()}
        {'name': (100,), 'label': (100,), 'mean': (100, 2), 'logvar': (100, 2)}
    """
    dataset = evaluation_dataset(model, None if data is None else str(data), active())
    name = split or ("test" if data is None else "all")
    chosen = choose_split(dataset, name)
    count = len(chosen) if items is None else min(items, len(chosen))
    return embed_split(model, dataset, chosen, name, torch.arange(count))


def embed_files(
    model: Model, paths: Iterable[str], failed: Callable[[str, str], None]
) -> Iterator[EmbeddingRows]:
    """Files in order, read ahead by threads; each piece of a file is a row.

    Columns as in :data:`Block`, with ``name`` the path and ``piece`` its number in the file.

    Args:
        model: whose encoder and codec.
        paths: which files.
        failed: called with path and reason for each that cannot be embedded.

    Raises:
        ConfigError: the model's latent is no vector.

    Example:
        >>> written = write_results(model, make_samples(model, 3), "out")
        >>> files = [str(path) for path in written.files]
        >>> concat_embeddings(embed_files(model, files, failed=print))["mean"].shape
        (3, 2)
    """
    _ = model.latent_size
    group: list[tuple[str, RawBatch]] = []
    for path, raw in _read_ahead(model, paths, failed):
        together = [*group, (path, raw)]
        pieces = sum(count_pieces(one) for _, one in together)
        if group and (pieces > INFERENCE_BATCH or batch_key(raw) != batch_key(group[0][1])):
            yield from _embedded(model, group, failed)
            group = []
        group.append((path, raw))
    if group:
        yield from _embedded(model, group, failed)


def _read_ahead(
    model: Model, paths: Iterable[str], failed: Callable[[str, str], None]
) -> Iterator[tuple[str, RawBatch]]:
    def read(path: str) -> RawBatch:
        return model.codec.split(model.read(Path(path)))

    waiting: deque[tuple[str, Future[RawBatch]]] = deque()
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
                        failed(path, explain_missing_library(error) or describe_error(error))
                        continue
                    yield path, raw
        finally:
            pool.shutdown(cancel_futures=True)


def _embedded(
    model: Model, group: Sequence[tuple[str, RawBatch]], failed: Callable[[str, str], None]
) -> list[EmbeddingRows]:
    raws = [raw for _, raw in group]
    here = {name: column.to(model.device) for name, column in concat_raw(raws).items()}
    try:
        blocks = [embed_batch(model, part) for part in iter_chunks(model.prepare_file(here))]
    except (AeplugError, RuntimeError, ValueError, IndexError) as error:
        if len(group) == 1:
            failed(group[0][0], describe_error(error))
            return []
        # One of them is to blame.
        return [block for one in group for block in _embedded(model, [one], failed)]
    names = np.repeat([path for path, _ in group], [count_pieces(raw) for raw in raws])
    numbers = np.concatenate([np.arange(count_pieces(raw)) for raw in raws])
    start = 0
    for block in blocks:
        part = slice(start, start + len(block[MEAN]))
        block[NAME], block[PIECE] = names[part], numbers[part]
        start = part.stop
    return blocks


def concat_embeddings(blocks: Iterable[EmbeddingRows]) -> EmbeddingRows:
    """All rows in memory, for what needs them at once.

    Raises:
        FileError: there are none.

    Example:
        >>> blocks = [{"mean": np.zeros((256, 2))}, {"mean": np.zeros((44, 2))}]
        >>> concat_embeddings(blocks)["mean"].shape
        (300, 2)
    """
    found = list(blocks)
    if not found:
        raise FileError("there is no item to embed")
    return {name: np.concatenate([block[name] for block in found]) for name in found[0]}


def _array(value: Tensor) -> npt.NDArray[np.generic]:
    kept = value.float() if value.is_floating_point() else value
    array: npt.NDArray[np.generic] = kept.cpu().numpy()
    return array
