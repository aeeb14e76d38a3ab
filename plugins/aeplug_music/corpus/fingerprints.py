"""Windows as 64-bit hashes, to find equal windows and windows equal up to transposition.

The probability that any two of ten million different windows collide is 3 in a million.
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
    """Hash windows of tokens ``(W, T)`` and their metres ``(W,)``: uint64 ``(W,)``."""
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
    """Mix the bits of numbers, so that they are uniform over 64 bits."""
    value = value * _ODD
    value ^= value >> _SHIFT
    value = value * _ODD
    return value ^ (value >> _SHIFT)


def transpose_to_lowest(tokens: Tokens) -> Tokens:
    """Transpose windows ``(W, T)`` so that the lowest note of each is token 2."""
    # Holds and note-offs wrap to 254 and 255, above every onset. The minimum over the first axis of
    # the transpose is faster than over short rows.
    above = np.ascontiguousarray((tokens - np.uint8(FIRST_ONSET)).T)
    lowest = np.minimum.reduce(above, axis=0)
    return tokens - lowest[:, None] * (tokens >= FIRST_ONSET)


def find_unique(hashes: Hashes) -> Int:
    """Positions of the first of equal hashes ``(W,)``, ascending, ``(D,)``."""
    order, ordered = sort_hashes(hashes)
    is_first = np.zeros(len(hashes), bool)
    is_first[order[find_runs(ordered)]] = True
    return np.flatnonzero(is_first)


def sort_hashes(hashes: Hashes) -> tuple[Int, Hashes]:
    """Sort hashes, stably: their order and the sorted hashes, ``(W,)`` each."""
    # Sorting numbers is several times as fast as argsort. So positions replace the low bits, since
    # the high ones are enough to distinguish hashes.
    low = np.uint64((1 << max(len(hashes) - 1, 1).bit_length()) - 1)
    packed = hashes & ~low
    packed |= np.arange(len(hashes), dtype=np.uint64)
    packed.sort()
    packed &= low
    order = packed.view(np.int64)
    ordered = hashes[order]
    if (ordered[1:] < ordered[:-1]).any():
        # Some differ only in their low bits.
        order = np.argsort(hashes, kind="stable")
        ordered = hashes[order]
    return order, ordered
