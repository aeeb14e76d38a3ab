"""Data that fits in memory: integer tensors on the device, addressed by row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from aeplug.data.batching import INFERENCE_BATCH
from aeplug.errors import DataError
from aeplug.interfaces import ItemSplit, RawBatch, Split, supports
from aeplug.runtime.tracking import track

#: What every data set is divided into.
SPLITS = ("train", "val", "test")


class TensorSplit:
    """A split held as columns of one length.

    Held on the device and indexed there, a batch costs one gather and no Python per item.

    Args:
        columns: name -> ``(N, ...)``; keep integers as integers, ``prepare`` normalises.

    Example:
        >>> split = TensorSplit({"array": torch.arange(8).reshape(4, 2), "label": torch.arange(4)})
        >>> split.take(torch.tensor([2, 0]))
        {'array': tensor([[4, 5],
                [0, 1]]), 'label': tensor([2, 0])}
    """

    def __init__(self, columns: Mapping[str, Tensor]) -> None:
        lengths = {len(column) for column in columns.values()}
        if len(lengths) != 1:
            raise DataError(f"columns differ in length: {sorted(lengths)}")
        self.columns = dict(columns)
        self._length = lengths.pop()

    def __len__(self) -> int:
        return self._length

    def take(self, index: Tensor) -> dict[str, Tensor]:
        """Rows by number, int64 ``(B,)`` on the split's device."""
        return {name: column[index] for name, column in self.columns.items()}

    def to(self, device: torch.device) -> TensorSplit:
        """The same columns on ``device``."""
        return TensorSplit({name: column.to(device) for name, column in self.columns.items()})


class FirstItems:
    """The first ``count`` rows of another split."""

    def __init__(self, split: Split, count: int) -> None:
        self._split, self._count = split, min(count, len(split))

    def __len__(self) -> int:
        return self._count

    def take(self, index: Tensor) -> RawBatch:
        """Rows by number, as the other split gives them."""
        return self._split.take(index)

    def to(self, device: torch.device) -> FirstItems:
        """The same rows on ``device``."""
        return FirstItems(self._split.to(device), self._count)


def first_items(split: Split, count: int) -> Split:
    """The first ``count`` items; a split whose items are not its rows says itself what they are.

    Such a split is an :class:`aeplug.interfaces.ItemSplit`: photographs, of which rows are crops.

    Example:
        >>> len(first_items(TensorSplit({"array": torch.zeros(100, 16)}), 10))
        10
    """
    return split.first_items(count) if supports(split, ItemSplit) else FirstItems(split, count)


def epoch_order(count: int, seed: int, epoch: int) -> Tensor:
    """The order of an epoch, int64 ``(count,)``: a function of seed and epoch alone.

    So a resumed run walks on where it stopped, and every process of a distributed one agrees.

    Example:
        >>> epoch_order(5, seed=0, epoch=1)
        tensor([0, 4, 2, 3, 1])
    """
    generator = torch.Generator().manual_seed((seed * 1_000_003 + epoch) % 2**63)
    return torch.randperm(count, generator=generator)


def iter_rows(
    split: Split,
    device: torch.device,
    rows: Tensor | None = None,
    batch_size: int = INFERENCE_BATCH,
) -> Iterator[tuple[Tensor, RawBatch]]:
    """A split's rows on the device, a batch at a time.

    Args:
        split: what to walk.
        device: where rows come out.
        rows: numbers of the rows wanted, int64 ``(N,)``; None: all, in order.
        batch_size: rows at a time, at most.

    Yields:
        Numbers, int64 ``(B,)``, and rows ``(B, ...)``.

    Example:
        >>> split = TensorSplit({"array": torch.zeros(600, 16)})
        >>> [raw["array"].shape for _, raw in iter_rows(split, torch.device("cpu"))]
        [torch.Size([256, 16]), torch.Size([256, 16]), torch.Size([88, 16])]
    """
    split = split.to(device)
    rows = torch.arange(len(split)) if rows is None else rows
    batches = rows.to(device).split(batch_size) if len(rows) else ()
    for index in track(batches, len(rows), size=len):
        yield index, split.take(index)
