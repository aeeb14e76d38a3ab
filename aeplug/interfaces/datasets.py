"""Protocols of data sets and their splits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import torch
from torch import Tensor

if TYPE_CHECKING:
    pass
from aeplug.interfaces.batch import DataShape, RawBatch


class Split(Protocol):
    """One part of a data set, addressed by row."""

    def __len__(self) -> int: ...

    def take(self, index: Tensor) -> RawBatch:
        """Rows by number (int64 ``(B,)``), on the split's device."""
        ...

    def to(self, device: torch.device) -> Split:
        """The split whose rows come out on ``device``."""
        ...


class Dataset(Protocol):
    """``factory(config)``."""

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
class SequencedDataset(Dataset, Protocol):
    """A data set whose items are pieces of documents that are longer: bars of tunes.

    From it a model of whole documents can be fitted (:mod:`aeplug_priors.sequence.prior`).
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
