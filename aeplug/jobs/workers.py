"""Batches computed side by side, each in a thread of its own, and threads for what stands beside.

On a processor's cores two batches at once are quicker than one shared out among the cores: cores
that share a batch wait for one another at every layer, and all wait where one of them is taken
away. A batch that is alone gets all cores all the same, and so does one on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Any

import torch

#: Batches at once, at most: each takes memory for its features.
MAX_WORKERS = 4
#: Seconds of a wait, after which it is looked around and waited again. A signal that comes in the
#: moment before a wait begins is not seen before it ends, and the second one has to end a job that
#: waits for ever.
PATIENCE = 0.2


class WorkerPool:
    """A context in which tasks are computed, as many at once as the device is good for.

    Args:
        device: where they compute.
    """

    def __init__(self, device: torch.device) -> None:
        threads = torch.get_num_threads() if device.type == "cpu" else 1
        self.count = min(threads, MAX_WORKERS)
        self._pool = ThreadPoolExecutor(
            self.count, "worker", torch.set_num_threads, (threads // self.count,)
        )
        self._busy: set[Future[None]] = set()

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.finish()

    @property
    def busy(self) -> int:
        """Tasks being computed beside this thread."""
        self._collect({task for task in self._busy if task.done()})
        return len(self._busy)

    @property
    def full(self) -> bool:
        """Whether the next task would have to wait."""
        return self.busy >= self.count

    def compute(self, task: Callable[[], None], *, alone: bool) -> None:
        """Compute in a worker's thread, once one is free.

        In this thread, where there is but one worker or nothing else to do.

        Args:
            task: what to do.
            alone: no other task is there to share the device with.
        """
        if self.count == 1 or (alone and not self.busy):
            task()
            return
        while self.full:
            self.wait()
        self._busy.add(self._pool.submit(task))

    def wait(self, seconds: float | None = None) -> None:
        """Until a task is done, or so long."""
        wait(self._busy, seconds, FIRST_COMPLETED)

    def finish(self) -> None:
        """Wait for all tasks; no others can follow."""
        wait_for_all(self._busy)
        self._pool.shutdown()
        self._collect(self._busy)

    def _collect(self, done: set[Future[None]]) -> None:
        self._busy = self._busy - done
        for task in done:
            task.result()  # raises what it raised


def wait_for_all(tasks: Collection[Future[Any]]) -> None:
    """Wait until all are done, or cancelled; signals are obeyed meanwhile."""
    while pending := [task for task in tasks if not task.done()]:
        wait(pending, PATIENCE)


def io_thread_pool(threads: int) -> ThreadPoolExecutor:
    """Threads that decode and encode, each with one of torch's: tensors of files are small."""
    return ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
