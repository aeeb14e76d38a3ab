"""Tunes -> train, val, test, so that nothing held out is also trained on.

Files that share a window, up to transposition, are linked; all files linked in a chain are a group.
A group goes to one split as a whole, chosen by its own hash: neither the order of files nor their
names nor the machine matter.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aeplug_music.corpus.fingerprints import Hashes, mix_bits, sort_hashes
from aeplug_music.score.grid import find_runs

Int = npt.NDArray[np.int64]

SPLITS = ("train", "val", "test")
TRAIN, VAL, TEST = range(3)
#: Share of groups that go to ``val``, and as many to ``test``.
HELD_OUT = 0.05
#: A larger group would dominate an evaluation, and is trained on: share of all files, and number
#: of files.
LARGEST_SHARE, LARGEST = 0.01, 10
#: With fewer groups nothing is held out.
FEWEST = 3


def find_groups(count: int, item: Int, key: Hashes) -> tuple[Int, Int, Hashes]:
    """Group items that are linked by equal keys, also in chains.

    Args:
        count: number of items.
        item: an item, 0..count-1, ``(E,)``.
        key: a key that it has, ``(E,)``.

    Returns:
        For each item the lowest item of its group, ``(count,)``; for every distinct key ``(K,)`` an
        item that has it; the keys ``(K,)``.
    """
    order, key = sort_hashes(key)
    item = item[order]
    # Every item is linked to the lowest with the same key.
    first = find_runs(key)
    lowest = np.minimum.reduceat(item, first)
    linked = np.repeat(lowest, np.diff(first, append=len(key)))
    pairs = np.sort((linked * count + item)[linked != item])
    pairs = pairs[find_runs(pairs)]
    left, right = pairs // count, pairs % count
    label = np.arange(count)
    while True:
        low = np.minimum(label[left], label[right])
        before = label.copy()
        # Both ends, and the items that they were labelled with, get the lower label.
        for end in (left, right):
            np.minimum.at(label, before[end], low)
            np.minimum.at(label, end, low)
        label = label[label]
        if (label == before).all():
            return label, lowest, key[first]


def assign_splits(count: int, item: Int, key: Hashes) -> npt.NDArray[np.int64]:
    """Assign each item to a split, ``(count,)``; arguments as for :func:`find_groups`."""
    label, owner, keys = find_groups(count, item, key)
    split = np.full(count, TRAIN, np.int64)
    if not count:
        return split
    names = np.full(count, np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(names, label[owner], keys)
    sizes = np.bincount(label, minlength=count)
    small = (sizes > 0) & (sizes <= max(LARGEST, LARGEST_SHARE * count))
    candidates = np.flatnonzero(small)
    if np.count_nonzero(sizes) < FEWEST or len(candidates) < FEWEST - 1:
        return split
    # Mixed again: the minimum of many numbers is small, which would favour large groups.
    draw = mix_bits(names[candidates]).astype(np.float64) / 2.0**64
    order = candidates[np.argsort(draw, kind="stable")]
    draw.sort()
    val = max(1, int(np.searchsorted(draw, HELD_OUT)))
    test = max(val + 1, int(np.searchsorted(draw, 2 * HELD_OUT)))
    of_group = np.full(count, TRAIN, np.int64)
    of_group[order[:val]] = VAL
    of_group[order[val:test]] = TEST
    return of_group[label]


def assign_splits_alone(
    count: int, item: Int, key: Hashes, leading: npt.NDArray[np.bool_]
) -> tuple[Int, npt.NDArray[np.bool_]]:
    """Split leading items as if there were no others, and train on the others.

    Args:
        count: number of items.
        item: an item, 0..count-1, ``(E,)``.
        key: a key that it has, ``(E,)``.
        leading: which items are split by themselves, bool ``(count,)``.

    Returns:
        The split of each item, ``(count,)``; and which items are left out because they share a key
        with a leading item that is held out, bool ``(count,)``.
    """
    of_leading = leading[item]
    numbers = np.unique(item[of_leading])
    own = np.searchsorted(numbers, item[of_leading])
    split = np.full(count, TRAIN, np.int64)
    split[numbers] = assign_splits(len(numbers), own, key[of_leading])
    held_out = key[of_leading & (split[item] != TRAIN)]
    left_out = np.zeros(count, bool)
    left_out[item[~of_leading & np.isin(key, held_out)]] = True
    return split, left_out
