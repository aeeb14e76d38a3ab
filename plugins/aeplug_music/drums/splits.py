"""Which performances are learnt from, which are looked at meanwhile, which measure at the end."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from aeplug_music.corpus.splitting import SPLITS, TEST, TRAIN, VAL, assign_splits
from aeplug_music.drums.catalogue import Entry
from aeplug_music.drums.kit import BAR, Int, combine_hits
from aeplug_music.drums.performance import Performance

#: Of the windows a collection gives for training, at least so many are held out as ``val``.
HELD_OUT = 0.05
#: No session with more of them is.
LARGEST = 0.08
#: Performances that share so many bars in a row belong together, where no catalogue divides them.
ALIKE_BARS = 8


def split_by_catalogue(entries: Sequence[Entry | None], windows: Sequence[int]) -> Int:
    """The collection's own division, ``(n,)``; whole sessions of its training set become ``val``.

    ``test`` is its validation set and, where its files are there, its test set is left out of
    all: -1. Sessions are taken in the order of a hash of their names, until a twentieth of the
    training windows is held out.

    Args:
        entries: of each performance; None, which the catalogue does not know, is trained on.
        windows: how many each gives.
    """
    split = np.full(len(entries), TRAIN, np.int64)
    counts: dict[tuple[str, str], int] = {}
    for number, (entry, count) in enumerate(zip(entries, windows, strict=True)):
        if entry is None:
            continue
        if entry.split == "validation":
            split[number] = TEST
        elif entry.split != "train":
            split[number] = -1
        else:
            session = (entry.drummer, entry.session)
            counts[session] = counts.get(session, 0) + count
    chosen = _choose_sessions(counts)
    for number, entry in enumerate(entries):
        if entry and split[number] == TRAIN and (entry.drummer, entry.session) in chosen:
            split[number] = VAL
    return split


def _choose_sessions(counts: Mapping[tuple[str, str], int]) -> set[tuple[str, str]]:
    total = sum(counts.values())
    order = sorted(counts, key=lambda session: hashlib.blake2b(repr(session).encode()).digest())
    chosen: set[tuple[str, str]] = set()
    held_out = 0
    for session in order:
        if held_out >= HELD_OUT * total:
            break
        if counts[session] <= LARGEST * total and len(chosen) + 1 < len(counts):
            chosen.add(session)
            held_out += counts[session]
    return chosen


def split_by_header(stated: Sequence[str]) -> Int:
    """Numbers of the splits that headers name, ``(n,)``; where the name is empty, of ``train``."""
    return np.array([SPLITS.index(split) if split else TRAIN for split in stated], np.int64)


def split_by_content(performances: Sequence[Performance]) -> Int:
    """Groups of performances that share eight bars of hits, divided as melodies are, ``(n,)``."""
    item: list[int] = []
    key: list[int] = []
    for number, performance in enumerate(performances):
        hits = combine_hits(performance.velocity).astype("<u2")
        last = max(1, len(hits) - ALIKE_BARS * BAR + 1)
        for start in range(0, last, BAR):
            content = hits[start : start + ALIKE_BARS * BAR].tobytes()
            key.append(int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little"))
            item.append(number)
    return assign_splits(len(performances), np.array(item, np.int64), np.array(key, np.uint64))
