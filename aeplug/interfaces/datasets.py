"""Protocols of data sets and their splits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from aeplug.interfaces.batch import DataShape, RawBatch


class Split(Protocol):
    """One part of a data set, addressed by row.

    Example:
        >>> from aeplug.data import TensorSplit
        >>> split = TensorSplit({"array": torch.zeros(100, 16)})
        >>> len(split), split.to(torch.device("cpu")).take(torch.tensor([7, 3]))["array"].shape
        (100, torch.Size([2, 16]))
    """

    def __len__(self) -> int: ...

    def take(self, index: Tensor) -> RawBatch:
        """Rows by number (int64 ``(B,)``), on the split's device."""
        ...

    def to(self, device: torch.device) -> Split:
        """The split whose rows come out on ``device``."""
        ...


@runtime_checkable
class ItemSplit(Split, Protocol):
    """A split whose rows are not its items: photographs, of which rows are crops.

    Example:
        >>> from aeplug.data import TensorSplit
        >>> class CropSplit(TensorSplit):  # four rows an item
        ...     def first_items(self, count):
        ...         return CropSplit({n: rows[: 4 * count] for n, rows in self.columns.items()})
        >>> len(CropSplit({"array": torch.zeros(40, 16)}).first_items(3))
        12
    """

    def first_items(self, count: int) -> Split:
        """The split of the first ``count`` items, or of all where there are fewer."""
        ...


class Dataset(Protocol):
    """``factory(config)``.

    Example:
        >>> from aeplug.data import TensorSplit
        >>> class Noise:
        ...     def __init__(self, config):
        ...         self.shape = DataShape((16,), (16,))
        ...     def split(self, name):
        ...         count = {"train": 100, "val": 10, "test": 10}[name]
        ...         return TensorSplit({"array": torch.rand(count, 16)})
        >>> Noise(None).split("val").take(torch.tensor([3]))["array"].shape
        torch.Size([1, 16])
    """

    shape: DataShape

    def split(self, name: str) -> Split:
        """``train``, ``val`` or ``test``.

        Raises:
            DataError: the data set has no such split, or its files are missing or damaged.
        """
        ...


@runtime_checkable
class LabelledDataset(Dataset, Protocol):
    """A data set that says what its rows are, for maps, probes and files of embeddings.

    Without it a data set's labels are its columns of one integer a row.

    Example:
        >>> class Weather:
        ...     def labels(self, rows):
        ...         return {"season": rows["season"].numpy(), "mean": rows["array"].mean(1).numpy()}
        >>> rows = {"array": torch.ones(2, 24), "season": torch.tensor([0, 3])}
        >>> Weather().labels(rows)
        {'season': array([0, 3]), 'mean': array([1., 1.], dtype=float32)}
    """

    def labels(self, rows: RawBatch) -> Mapping[str, Any]:
        """What is known of rows ``(B, ...)`` that a split's ``take`` gave.

        Returns:
            Arrays ``(B,)`` by name: classes as text or integers, quantities as floats. The first
            is what a map is coloured by and a probe reads; ``name``, where there is one, is what
            each item is called.
        """
        ...


@runtime_checkable
class ReshapableDataset(Protocol):
    """A data set's factory that can bring files of any size to the shape of a model.

    ``aeplug evaluate MODEL --data DIR`` asks the class for it.

    Example:
        >>> class Pictures:
        ...     def __init__(self, config, shape=None):
        ...         self.config, self.shape = config, shape
        ...     @classmethod
        ...     def with_shape(cls, config, shape):
        ...         return cls(config, shape)
        >>> Pictures.with_shape(None, DataShape((3, 64, 64), (3, 64, 64))).shape.input
        (3, 64, 64)
    """

    def with_shape(self, config: Any, shape: DataShape) -> Dataset:
        """The data set whose items have this shape; a class method of the factory.

        Raises:
            DataError: its items cannot have it, or its files are missing or damaged.
        """
        ...


@runtime_checkable
class SequencedDataset(Dataset, Protocol):
    """A data set whose items are pieces of documents that are longer: bars of tunes.

    From it a prior of whole documents can be fitted: ``aeplug fit-prior --kind sequence``.

    Example:
        >>> class Series:
        ...     def sequences(self, name, generator):
        ...         rows = {"array": torch.rand(6, 12)}  # two documents, of 4 and of 2 pieces
        ...         return rows, torch.tensor([4, 2])
        >>> rows, counts = Series().sequences("train", None)
        >>> rows["array"].split(counts.tolist())[0].shape
        torch.Size([4, 12])
    """

    def sequences(self, name: str, generator: torch.Generator | None) -> tuple[RawBatch, Tensor]:
        """The documents of a split, each cut anew into consecutive pieces.

        Nothing is left out because it was there before, as items may be: how documents repeat
        themselves is what is learnt.

        Args:
            name: of the split.
            generator: where given, documents are altered as a whole by its draws, as far as that
                makes others of the same kind (tunes in other keys).

        Returns:
            Rows ``(N, ...)`` as a split's ``take`` gives, document after document in order; and how
            many each has, int64 ``(M,)``, at least 1, in sum N.

        Raises:
            DataError: there is no such split, or the documents are no longer to be found.
        """
        ...
