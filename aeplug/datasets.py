"""Data that fits in memory: integer tensors on the device, addressed by row."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from aeplug.errors import DataError
from aeplug.interfaces import Raw, Split

DATA_VARIABLE = "AEPLUG_DATA"


class TensorSplit:
    """A split held as columns of one length.

    Held on the device and indexed there, a batch costs one gather and no Python per item.

    Args:
        columns: name -> ``(N, ...)``; keep integers as integers, ``prepare`` normalises.
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

    def take(self, index: Tensor) -> Raw:
        """Rows by number, as the other split gives them."""
        return self._split.take(index)

    def to(self, device: torch.device) -> FirstItems:
        """The same rows on ``device``."""
        return FirstItems(self._split.to(device), self._count)


def first_items(split: Split, count: int) -> Split:
    """The first ``count`` items; a split whose items are not its rows says itself what they are.

    Such a split (photographs, of which rows are crops) has a method ``first(count)``.
    """
    first = getattr(split, "first", None)
    chosen: Split = first(count) if first else FirstItems(split, count)
    return chosen


def bundled(name: str) -> Path:
    """Where a bundled data set lies: ``$AEPLUG_DATA``, the checkout's ``data/``, or the wheel's.

    Raises:
        DataError: it is in none of them; the message says which were looked at.
    """
    package = Path(__file__).resolve().parent
    places = [package.parent / "data", package / "data"]
    if os.environ.get(DATA_VARIABLE):
        places.insert(0, Path(os.environ[DATA_VARIABLE]).expanduser())
    for place in places:
        if (place / name).exists():
            return place / name
    raise DataError(
        f"bundled data '{name}' not found in {' or '.join(str(place) for place in places)}; "
        f"take the folder data/ of the source distribution and set {DATA_VARIABLE} to it"
    )


def epoch_order(count: int, seed: int, epoch: int) -> Tensor:
    """The order of an epoch, int64 ``(count,)``: a function of seed and epoch alone.

    So a resumed run walks on where it stopped, and every process of a distributed one agrees.
    """
    generator = torch.Generator().manual_seed((seed * 1_000_003 + epoch) % 2**63)
    return torch.randperm(count, generator=generator)


def extract_bundled(name: str, folder: Path) -> Path:
    """A bundled file as a file of its own in ``folder``: ``mnist/x.gz`` or ``tunes.zip!a/b.mid``.

    Raises:
        DataError: the bundled set or the member is not there.
    """
    outer, bang, member = name.partition("!")
    source = bundled(outer)
    folder.mkdir(parents=True, exist_ok=True)
    if not bang:
        return Path(shutil.copy(source, folder))
    try:
        with zipfile.ZipFile(source) as archive:
            content = archive.read(member)
    except (KeyError, zipfile.BadZipFile, OSError) as error:
        raise DataError(f"{source} has no readable member '{member}': {error}") from error
    path = folder / Path(member).name
    path.write_bytes(content)
    return path
