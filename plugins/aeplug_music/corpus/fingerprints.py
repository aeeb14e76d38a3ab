"""Windows as 64-bit numbers: equal windows, and windows equal up to transposition.

Of ten million windows two different ones share a number with a chance of 3 in a million.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aeplug_music.score.grid import find_runs
from aeplug_music.score.tokens import FIRST_ONSET, Tokens

Hashes = npt.NDArray[np.uint64]
Int = npt.NDArray[np.int64]

_ODD = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(32)


def fingerprint(tokens: Tokens, metre: npt.NDArray[np.int64]) -> Hashes:
    """One number a window, ``(W,)``: equal tokens ``(W, T)`` in equal metres, equal numbers."""
    count, width = tokens.shape
    words = -(-width // 8)
    if width % 8 or not tokens.flags.c_contiguous:
        padded = np.zeros((count, words * 8), np.uint8)
        padded[:, :width] = tokens
        tokens = padded
    value = (metre.astype(np.uint64) + np.uint64(1)) * _ODD
    for column in tokens.view("<u8").T:
        value = (value ^ column) * _ODD
        value ^= value >> _SHIFT
    return mix_bits(value)


def mix_bits(value: Hashes) -> Hashes:
    """Numbers scattered evenly over 64 bits; the same for equal numbers."""
    value = value * _ODD
    value ^= value >> _SHIFT
    value = value * _ODD
    return value ^ (value >> _SHIFT)


def transpose_to_lowest(tokens: Tokens) -> Tokens:
    """Windows ``(W, T)`` moved so that the lowest note of each is token 2."""
    # Below zero it wraps: holds and note-offs become 254 and 255, above every onset. The least is
    # taken over rows as long as there are windows, which is quicker than over the short ones.
    above = np.ascontiguousarray((tokens - np.uint8(FIRST_ONSET)).T)
    lowest = np.minimum.reduce(above, axis=0)
    return tokens - lowest[:, None] * (tokens >= FIRST_ONSET)


def find_unique(hashes: Hashes) -> Int:
    """Places in ``(W,)`` of the first of all that are equal, ascending; ``(D,)``."""
    order, ordered = sort_hashes(hashes)
    is_first = np.zeros(len(hashes), bool)
    is_first[order[find_runs(ordered)]] = True
    return np.flatnonzero(is_first)


def sort_hashes(hashes: Hashes) -> tuple[Int, Hashes]:
    """The order in which ``(W,)`` ascend, equal ones as they come, and the ordered; ``(W,)``."""
    # Numbers alone are sorted several times as fast as their places. So the places stand in the
    # low bits, of which hashes have bits to spare: the high ones tell them apart.
    low = np.uint64((1 << max(len(hashes) - 1, 1).bit_length()) - 1)
    packed = hashes & ~low
    packed |= np.arange(len(hashes), dtype=np.uint64)
    packed.sort()
    packed &= low
    order = packed.view(np.int64)
    ordered = hashes[order]
    if (ordered[1:] < ordered[:-1]).any():
        # Two that differ in the low bits only.
        order = np.argsort(hashes, kind="stable")
        ordered = hashes[order]
    return order, ordered
