"""Which files a process is given at once, in runs of those listed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from aeplug_music.midi.sources import Listing, concat_listings

#: Files of a share.
BATCH_FILES = 1024
#: Shares that each process has at least, where there are files enough, so that all end together.
BATCHES_PER_PROCESS = 4


class WorkBatch(NamedTuple):
    """Files one process is given: the number of the first, and all, numbered on from there."""

    first: int
    files: Listing

    def part(self, first: int, end: int) -> WorkBatch:
        """Its files numbered ``first`` to ``end - 1``."""
        return WorkBatch(first, self.files.part(first - self.first, end - self.first))


class Queue:
    """Shares of what is listed, while the listing goes on.

    Attributes:
        listed: files so far.
        ended: nothing more is to be listed.
    """

    def __init__(self, listings: Iterator[Listing], processes: int) -> None:
        self.listed, self.ended = 0, False
        self._listings = listings
        self._ahead: list[Listing] = []
        self._shares: deque[WorkBatch] = deque()
        while not self.ended and self.listed < BATCHES_PER_PROCESS * processes * BATCH_FILES:
            self._list()
        self._size = max(1, min(BATCH_FILES, -(-self.listed // (BATCHES_PER_PROCESS * processes))))
        self._cut()

    def __len__(self) -> int:
        return len(self._shares)

    def list_on(self) -> None:
        """List a folder or zip more, or a part of a large folder."""
        self._list()
        self._cut()

    def _list(self) -> None:
        listing = next(self._listings, None)
        if listing is None:
            self.ended = True
        else:
            self._ahead.append(listing)
            self.listed += len(listing)

    def _cut(self) -> None:
        count = sum(len(listing) for listing in self._ahead)
        # What is too little for a share waits for more, unless there is no more.
        end = count if self.ended else count - count % self._size
        if not end:
            return
        ahead = WorkBatch(self.listed - count, concat_listings(self._ahead))
        for first in range(ahead.first, ahead.first + end, self._size):
            last = min(first + self._size, ahead.first + end)
            self._shares.append(ahead.part(first, last))
        self._ahead = [ahead.files.part(end, count)]

    def next(self) -> WorkBatch | None:
        """The next share; lists until there is one, None: there is no more."""
        while not self._shares and not self.ended:
            self.list_on()
        return self._shares.popleft() if self._shares else None

    def put_back(self, share: WorkBatch, lost: int | None) -> int:
        """Take a share whose process was lost at a file; returns how many files are done with."""
        end = share.first + len(share.files)
        if lost is None:
            # No file to blame: one at a time, the one to blame will show.
            rest = [share.part(number, number + 1) for number in range(share.first, end)]
        else:
            rest = [share.part(share.first, lost), share.part(lost + 1, end)]
        rest = [one for one in rest if len(one.files)]
        self._shares.extendleft(reversed(rest))
        return len(share.files) - sum(len(one.files) for one in rest)
