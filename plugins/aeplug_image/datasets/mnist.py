"""MNIST in its four original IDX files (LeCun, Cortes, Burges), checked against their md5."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from pathlib import Path

import numpy as np
import torch

from aeplug.config import PartConfig, setting
from aeplug.data import TensorSplit, find_bundled
from aeplug.errors import DataError
from aeplug.interfaces import DataShape

#: md5 of each file, unpacked.
CHECKSUMS = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}

#: Name of the condition.
CONDITION = "digit"


class MNISTConfig(PartConfig):
    """Where it lies and how it is split."""

    path: str = setting("", "folder with the four IDX files, gzipped or not; empty: the bundled")
    heldout: int = setting(
        5000,
        "training images held out for evaluation while training",
        unit="images",
        ge=1,
        lt=60000,
    )
    conditional: bool = setting(False, "tell the model which digit it is: the condition 'digit'")


class MNIST:
    """60,000 training images, the last ``heldout`` of them held out, and 10,000 test images."""

    Config = MNISTConfig

    def __init__(self, config: MNISTConfig) -> None:
        self.config = config
        digits = {CONDITION: tuple("0123456789")} if config.conditional else {}
        self.shape = DataShape((1, 28, 28), (1, 28, 28), conditions=digits)

    def split(self, name: str) -> TensorSplit:
        """``train``, ``val``, ``test`` or ``all`` (the 60,000 and the 10,000).

        Columns: ``image`` uint8 ``(N, 1, 28, 28)``, ``label`` int64 ``(N,)``, and the same as
        ``digit`` where that is a condition.

        Raises:
            DataError: a file is missing, truncated or altered.
        """
        folder = Path(self.config.path).expanduser() if self.config.path else find_bundled("mnist")
        if name == "test":
            return TensorSplit(self._columns(folder, "t10k"))
        columns = self._columns(folder, "train")
        if name == "all":
            test = self._columns(folder, "t10k")
            return TensorSplit({key: torch.cat([columns[key], test[key]]) for key in columns})
        cut = len(columns["label"]) - self.config.heldout
        rows = slice(0, cut) if name == "train" else slice(cut, None)
        return TensorSplit({key: column[rows] for key, column in columns.items()})

    def _columns(self, folder: Path, prefix: str) -> dict[str, torch.Tensor]:
        images = read_idx(folder, f"{prefix}-images-idx3-ubyte")
        labels = torch.from_numpy(read_idx(folder, f"{prefix}-labels-idx1-ubyte")).long()
        columns = {"image": torch.from_numpy(images).unsqueeze(1), "label": labels}
        return {**columns, **dict.fromkeys(self.shape.conditions, labels)}


def read_idx(folder: Path, name: str) -> np.ndarray:
    """One IDX file, gzipped (``NAME.gz``) or plain, as uint8 of its own shape.

    Raises:
        DataError: missing, truncated or altered; the message names file and checksum.
    """
    packed, plain = folder / f"{name}.gz", folder / name
    path = packed if packed.exists() else plain
    expected = CHECKSUMS[name]
    try:
        content = path.read_bytes()
        if path == packed:
            content = gzip.decompress(content)
    except FileNotFoundError:
        raise DataError(f"{packed} is missing; its content has md5 {expected}") from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{path} is damaged ({error}); its unpacked content should have md5 {expected}"
        ) from error
    checksum = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if checksum != expected:
        raise DataError(f"{path} is truncated or altered: md5 {checksum}, expected {expected}")
    dimensions = content[3]
    shape = np.frombuffer(content, ">i4", dimensions, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape).copy()
