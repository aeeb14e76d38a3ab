"""Work on many files in several processes, of which a file may crash one without harm to others."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

#: Reason for which a file is skipped that crashed its process.
CRASHED = "crashed the reader"
#: Most items submitted per process: when a process dies, all submitted ones are tried again.
_A_PROCESS = 8


def run_each(
    items: Sequence[Item], work: Callable[[Item], Result], processes: int
) -> Iterator[tuple[Item, Result | None]]:
    """Do some work on each item, in processes; yields items and results as they are done.

    The result of an item that crashed its process is None.
    """
    # Spawned: forking a process in which torch runs threads may hang.
    context = multiprocessing.get_context("spawn")
    at_once = processes * _A_PROCESS
    left = list(items)
    while left:
        pool = ProcessPoolExecutor(min(processes, len(left)), context)
        try:
            with pool:
                while left:
                    futures: dict[Future[Result], Item] = {
                        pool.submit(work, item): item for item in left[:at_once]
                    }
                    for future in as_completed(futures):
                        result = future.result()
                        left.remove(futures[future])
                        yield futures[future], result
        except BrokenProcessPool:
            if at_once == 1:
                yield left.pop(0), None
                continue
            # One of the submitted items crashed its process: one by one shows which.
            processes, at_once = 1, 1
