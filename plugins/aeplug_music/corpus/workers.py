"""Processes that each read batches of files, watched by the one that started them.

A file that crashes its process, or takes too much time or memory, ends that process, not the build:
the file is skipped with its reason and a new process continues with the rest.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import numpy as np

from aeplug.errors import DataError
from aeplug_music.corpus.ingest import Parse, ingest
from aeplug_music.corpus.parsed import ParsedFiles
from aeplug_music.corpus.queue import Queue, WorkBatch
from aeplug_music.midi.reading import parse_midi
from aeplug_music.midi.sources import Listing

#: Seconds a file may take, and the work on all of a batch together.
FILE_SECONDS, BATCH_SECONDS = 2.0, 60.0
#: Bytes that a process may allocate once it is ready to read.
MEMORY_BYTES = 192 * 2**20
_LOOK_SECONDS = 0.2
_LARGE_BLOCK = 31 * 2**20
#: Processes started before it is known how many are needed.
_EARLY = 2


def _limit_memory() -> None:
    """Make allocations beyond the limit fail, if the system can (not on Windows)."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        limit = pages * resource.getpagesize() + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _run_worker(connection: Connection, state: Any, bars: int, parse: Parse, spool: str) -> None:
    """The whole life of a process: batches in, parsed files out, until None ends it."""

    def note_start(number: int) -> None:
        # Time first, so that a file never seems older than it is.
        state[1] = time.monotonic()
        state[0] = number

    _limit_memory()
    # Parsing makes no reference cycles; searching for some takes a tenth of the time.
    gc.disable()
    # glibc returns large blocks to the system at every free, and faults their pages in again, until
    # a larger one has been freed. Afterwards the arrays of a batch are reused.
    np.empty(_LARGE_BLOCK, np.uint8)
    rows = 0
    with (
        contextlib.suppress(EOFError, BrokenPipeError, ConnectionError, KeyboardInterrupt),
        open(spool, "wb", buffering=0) as file,
    ):
        while (batch := connection.recv()) is not None:
            parsed = ingest(enumerate(batch.files, batch.first), bars, parse, note_start)
            # Windows are written to disk here; the other end needs only their hashes.
            file.write(parsed.tokens.data)
            parsed.spool, rows = (spool, rows), rows + len(parsed.tokens)
            parsed.tokens = parsed.tokens[:0].copy()
            connection.send(parsed)


@dataclass
class _Worker:
    process: Any
    connection: Connection
    state: Any
    batch: WorkBatch | None = None
    sent_at: float = 0.0

    def stop(self) -> None:
        """Kill the process and wait for its end."""
        self.connection.close()
        if self.process.is_alive():
            self.process.kill()
        self.process.join()
        self.process.close()


def _start_worker(bars: int, parse: Parse, spool: Path) -> _Worker:
    # Spawned: forking a process in which torch runs threads may hang.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    state = context.RawArray("d", [-1.0, 0.0])
    arguments = (theirs, state, bars, parse, str(spool))
    process = context.Process(target=_run_worker, args=arguments, daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours, state)


def parse_files(
    listings: Iterator[Listing],
    spools: Path,
    processes: int,
    bars: int = 2,
    parse: Parse = parse_midi,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[tuple[int, ParsedFiles]]:
    """Parse all that is listed, in several processes.

    Args:
        listings: files to parse; listed while processes start and work.
        spools: an empty folder for files of windows, consecutive uint8 rows.
        processes: number of processes.
        bars: bars per window.
        parse: bytes -> tune.
        progress: called with files done and files in all, once these are known.

    Yields:
        For every batch, in no fixed order, the number of its first source and what was parsed; each
        source is in one of them.

    Raises:
        DataError: processes die as soon as they are started.
    """
    started = min(processes, _EARLY)
    workers = [_start_worker(bars, parse, spools / str(number)) for number in range(started)]
    try:
        queue = Queue(listings, processes)
        while started < min(processes, len(queue)):
            workers.append(_start_worker(bars, parse, spools / str(started)))
            started += 1
        done, failures = 0, 0
        while True:
            for worker in workers:
                if worker.batch is None:
                    _send_batch(worker, queue.next())
            busy = [worker.connection for worker in workers if worker.batch is not None]
            if not busy:
                break
            ready = wait(busy, _LOOK_SECONDS if queue.ended else 0)
            if not ready and not queue.ended:
                queue.list_more()
                continue
            for place, worker in enumerate(workers):
                if worker.batch is None:
                    continue
                parsed = _receive(worker) if worker.connection in ready else None
                if parsed is not None:
                    failures = 0
                    done += len(worker.batch.files)
                    yield worker.batch.first, parsed
                elif (
                    loss := _diagnose(worker, worker.batch, worker.connection in ready)
                ) is not None:
                    number, reason = loss
                    failures += number is None
                    if failures > 2 * processes:
                        raise DataError(f"worker processes do not start: {reason}")
                    done += queue.put_back(worker.batch, number)
                    if number is not None:
                        empty = ParsedFiles(skipped=[(number, reason, "")])
                        yield number, empty
                    worker.stop()
                    workers[place] = worker = _start_worker(bars, parse, spools / str(started))
                    started += 1
                else:
                    continue
                worker.batch = None
                if queue.ended:
                    progress(done, queue.listed)
    finally:
        for worker in workers:
            with contextlib.suppress(OSError, ValueError):
                worker.connection.send(None)
        for worker in workers:
            worker.stop()


def _send_batch(worker: _Worker, batch: WorkBatch | None) -> None:
    worker.batch = batch
    if batch is not None:
        worker.state[0], worker.sent_at = -1.0, time.monotonic()
        # A process that has just ended is noticed when its answer is awaited.
        with contextlib.suppress(OSError):
            worker.connection.send(batch)


def _receive(worker: _Worker) -> ParsedFiles | None:
    try:
        parsed: ParsedFiles = worker.connection.recv()
    except (EOFError, OSError):
        return None
    return parsed


def _diagnose(worker: _Worker, batch: WorkBatch, has_ended: bool) -> tuple[int | None, str] | None:
    """The file (None: none) at which a process ended or hangs, and why; None: it is healthy."""
    number, since = int(worker.state[0]), worker.state[1]
    now = time.monotonic()
    if has_ended:
        reason = "crashed the reader"
    elif number >= 0 and now - since > FILE_SECONDS:
        reason = f"took over {FILE_SECONDS:g} s"
    elif number < 0 and now - max(worker.sent_at, since) > BATCH_SECONDS:
        reason = f"took over {BATCH_SECONDS:g} s"
    else:
        return None
    if number < 0 and len(batch.files) == 1 and since > worker.sent_at:
        # It was parsed; the processing of its notes fails.
        number = batch.first
    return (number if number >= 0 else None), reason
