"""Performances -> train, val, test: by catalogue, by their headers, or by content."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from aeplug_music.corpus.splitting import SPLITS, TEST, TRAIN, VAL, assign_splits
from aeplug_music.drums.catalogue import Entry
from aeplug_music.drums.kit import BAR, Int, combine_hits
from aeplug_music.drums.performance import Performance

#: Least share of a collection's training windows that is held out as ``val``.
HELD_OUT = 0.05
#: Largest share of a session that may be held out.
LARGEST = 0.08
#: Without a catalogue, performances that share so many bars in a row are in one split.
ALIKE_BARS = 8


def split_by_catalogue(entries: Sequence[Entry | None], windows: Sequence[int]) -> Int:
    """Assign the collection's own splits, ``(n,)``; sessions of its training set become ``val``.

    ``test`` is its validation set; its test set, if present, is in no split: -1. Whole sessions are
    held out, in the order of a hash of their names, until a twentieth of the training windows is.

    Args:
        entries: of each performance; None: not in the catalogue, trained on.
        windows: number of windows of each.
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
    """Numbers of the splits that headers name, ``(n,)``; an empty name is ``train``."""
    return np.array([SPLITS.index(split) if split else TRAIN for split in stated], np.int64)


def split_by_content(performances: Sequence[Performance]) -> Int:
    """Assign splits to groups of performances that share eight bars of hits, ``(n,)``."""
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
