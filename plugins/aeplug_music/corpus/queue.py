"""Batches of files for processes to parse, while the listing goes on."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from aeplug_music.midi.sources import Listing, concat_listings

#: Files of a batch.
BATCH_FILES = 1024
#: Batches that each process gets at least, where there are files enough, so that all end together.
BATCHES_PER_PROCESS = 4


class WorkBatch(NamedTuple):
    """Files for one process: the number of the first, and all, numbered on from there."""

    first: int
    files: Listing

    def select(self, first: int, end: int) -> WorkBatch:
        """Its files numbered ``first`` to ``end - 1``."""
        return WorkBatch(first, self.files.select(first - self.first, end - self.first))


class Queue:
    """Batches of what is listed, while the listing goes on.

    Attributes:
        listed: number of files so far.
        ended: whether all are listed.
    """

    def __init__(self, listings: Iterator[Listing], processes: int) -> None:
        self.listed, self.ended = 0, False
        self._listings = listings
        self._ahead: list[Listing] = []
        self._batches: deque[WorkBatch] = deque()
        while not self.ended and self.listed < BATCHES_PER_PROCESS * processes * BATCH_FILES:
            self._list_next()
        self._size = max(1, min(BATCH_FILES, -(-self.listed // (BATCHES_PER_PROCESS * processes))))
        self._split_batches()

    def __len__(self) -> int:
        return len(self._batches)

    def list_more(self) -> None:
        """List the next folder or zip, or part of a large folder."""
        self._list_next()
        self._split_batches()

    def _list_next(self) -> None:
        listing = next(self._listings, None)
        if listing is None:
            self.ended = True
        else:
            self._ahead.append(listing)
            self.listed += len(listing)

    def _split_batches(self) -> None:
        count = sum(len(listing) for listing in self._ahead)
        # Files that are too few for a batch wait for more, unless there are none.
        end = count if self.ended else count - count % self._size
        if not end:
            return
        ahead = WorkBatch(self.listed - count, concat_listings(self._ahead))
        for first in range(ahead.first, ahead.first + end, self._size):
            last = min(first + self._size, ahead.first + end)
            self._batches.append(ahead.select(first, last))
        self._ahead = [ahead.files.select(end, count)]

    def next(self) -> WorkBatch | None:
        """The next batch, listing until there is one; None: there are no more."""
        while not self._batches and not self.ended:
            self.list_more()
        return self._batches.popleft() if self._batches else None

    def put_back(self, batch: WorkBatch, lost: int | None) -> int:
        """Take back a batch whose process ended; returns how many of its files are done with."""
        end = batch.first + len(batch.files)
        if lost is None:
            # No file is known to be at fault: one at a time will show it.
            parts = [batch.select(number, number + 1) for number in range(batch.first, end)]
        else:
            parts = [batch.select(batch.first, lost), batch.select(lost + 1, end)]
        parts = [part for part in parts if len(part.files)]
        self._batches.extendleft(reversed(parts))
        return len(batch.files) - sum(len(part.files) for part in parts)
