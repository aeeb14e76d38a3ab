"""Which split a sound belongs to: by a hash of its name, so that it stays when others come."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

SPLITS = ("train", "val", "test")
#: Shares of ``val`` and of ``test``.
SHARE = 0.1


def split_of(names: Sequence[str]) -> npt.NDArray[np.int64]:
    """Numbers in ``SPLITS``; of three names or more every split has at least one."""
    digests = [hashlib.sha256(name.encode()).digest()[:4] for name in names]
    draws = np.array([int.from_bytes(one, "big") / 2**32 for one in digests])
    splits = np.where(draws < SHARE, 1, np.where(draws < 2 * SHARE, 2, 0))
    if len(names) >= 3:
        order = np.argsort(draws, kind="stable")
        if not (splits == 1).any():
            splits[order[0]] = 1
        if not (splits == 2).any():
            splits[next(one for one in order if splits[one] != 1)] = 2
        if not (splits == 0).any():
            splits[order[-1]] = 0
    return splits.astype(np.int64)
