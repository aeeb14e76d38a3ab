"""Files on their way through a job: read ahead, computed together, written behind.

Threads decode ahead and encode behind, while others run the model, on files of one shape together
(:mod:`aeplug.jobs.workers`). What is on its way is bounded in number and in bytes. A conversion
(:mod:`aeplug.jobs.conversion`) has no model: what is decoded is encoded.
"""

from __future__ import annotations

import contextlib
import operator
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from aeplug.data.batching import (
    INFERENCE_BATCH,
    Result,
    assemble,
    batch_key,
    count_pieces,
    iter_document_chunks,
    num_bytes,
)
from aeplug.errors import FileError
from aeplug.interfaces import Document
from aeplug.jobs.conversion import Conversion
from aeplug.jobs.journal import Journal
from aeplug.jobs.outcomes import Outcomes
from aeplug.jobs.outputs import Results
from aeplug.jobs.reconstruction import Reconstruction
from aeplug.jobs.work import FileTask
from aeplug.jobs.workers import PATIENCE, WorkerPool, io_thread_pool, wait_for_all
from aeplug.runtime.console import Progress
from aeplug.runtime.files import disk_full, require_regular

#: Documents on their way at once, from decoding to the written file, and bytes they may take; one
#: alone may take more.
DOCUMENTS, BYTES = 3 * INFERENCE_BATCH, 256 << 20
#: Values of a batch over several documents: a photograph of 512 x 512, or 85 of 64 x 64. More at
#: once leave a processor's caches and are no faster; a GPU wants more.
VALUES, VALUES_ON_GPU = 1 << 20, 1 << 22


class _Stopped(Exception):
    """Asked to stop, in the middle of a document."""


class Pipeline:
    """Takes files through a model or a conversion.

    Args:
        processor: what they go through.
        options: the codec's, for writing.
        results: where results may be written.
        journal: what is done.
        outcomes: to be told what became of each file.

    Attributes:
        halt: why it ended early; empty where it did not, or was asked to.
    """

    #: Bytes of the latest file, as many as the next is thought to take.
    typical_size = 0

    def __init__(
        self,
        processor: Reconstruction | Conversion,
        options: Mapping[str, Any],
        results: Results,
        journal: Journal,
        outcomes: Outcomes,
    ) -> None:
        self.processor, self.options = processor, options
        self.halt = ""
        self._results, self._journal, self._outcomes = results, journal, outcomes
        self._batch_values = VALUES if processor.device.type == "cpu" else VALUES_ON_GPU
        self._changed = threading.Condition()  # guards what follows
        self._held_bytes = self._computing = self._writing = 0
        self._in_chunks: list[FileTask] = []

    def run(self, tasks: Iterator[FileTask], progress: Progress, requests: list[int]) -> None:
        """Do every file, or stop as soon as ``requests`` has an entry or the disk is full."""
        threads = min(os.cpu_count() or 1, 16)
        self._progress, self._requests = progress, requests
        self._reading: deque[Future[FileTask | None]] = deque()
        self._group: list[FileTask] = []
        self._tasks: Iterator[FileTask] | None = tasks
        with (
            io_thread_pool(threads) as readers,
            io_thread_pool(threads) as self._writers,
            WorkerPool(self.processor.device) as self._workers,
        ):
            try:
                while not (requests or self.halt):
                    self._read_ahead(readers)
                    self._report()
                    if not self._advance():
                        break
            finally:
                if requests and len(self._reading) + self._writing:
                    progress.say("finishing current files; Ctrl-C again stops now")
                readers.shutdown(wait=False, cancel_futures=True)
                wait_for_all(self._reading)
                self._workers.finish()  # which hands results to the writers
                with self._changed:
                    while self._writing:
                        self._changed.wait(PATIENCE)
                self._report()

    def _read_ahead(self, readers: ThreadPoolExecutor) -> None:
        """Begin to read files, as many as there is room for."""
        while self._tasks and not self._requests and self._has_room():
            task = next(self._tasks, None)
            if task is None:
                self._tasks = None
            elif not self._journal.done(task.target, task.source) and self._reserve(task):
                self._reading.append(readers.submit(self._read, task))

    def _advance(self) -> bool:
        """Take the next step that is possible, or wait a little; False when all is done."""
        if self._workers.full:
            self._workers.wait(PATIENCE)
            return True
        if self._reading and not self._group and not self._reading[0].done():
            wait((self._reading[0],), PATIENCE)
        if self._reading and self._reading[0].done():
            task = self._reading.popleft().result()
            if task is not None:
                self._take(task)
        elif self._group:
            self._compute_group()
        elif self._reading:
            pass
        elif self._workers.busy:
            self._workers.wait(PATIENCE)
        elif self._writing:
            with self._changed:
                self._changed.wait(PATIENCE)
        else:
            return self._tasks is not None
        return True

    def _take(self, task: FileTask) -> None:
        """A file that was read: compute it with others, by itself, or not at all."""
        if isinstance(self.processor, Conversion):
            self._submit_write(task, task.document)
            return
        if self._group and not self._can_join(task):
            self._compute_group()
        if task.more_chunks is None:
            self._group.append(task)
        else:
            self._compute(1, partial(self._compute_chunks, self.processor, task))

    # Memory

    def _has_room(self) -> bool:
        under_way = len(self._reading) + len(self._group) + self._computing + self._writing
        fits = self._held_bytes + self.typical_size <= BYTES and under_way < DOCUMENTS
        return fits or not under_way

    def _reserve(self, task: FileTask) -> bool:
        """Reserve memory for a file that is to be read; False for one that cannot be written."""
        try:
            self._results.check(task.target, self._journal.owns(task.target))
        except FileError as error:
            self._fail(task, error)
            return False
        with self._changed:
            task.size = self.typical_size
            self._held_bytes += task.size
        return True

    def _set_size(self, task: FileTask, size: int) -> None:
        with self._changed:
            self._held_bytes += size - task.size
            task.size = self.typical_size = size

    def _release(self, task: FileTask) -> None:
        with self._changed:
            self._held_bytes -= task.size
            task.size = 0
            self._changed.notify()

    # Reading

    def _read(self, task: FileTask) -> FileTask | None:
        try:
            path = Path(task.input.path)
            require_regular(path)
            document = task.document = self.processor.codec.read(path)
            if isinstance(self.processor, Conversion):
                self._set_size(task, document.size)
                return task
            chunks = iter_document_chunks(self.processor.codec, document)
            task.chunks = operator.length_hint(chunks)
            task.first_chunk = next(chunks)
            second = next(chunks, None)
            task.more_chunks = chain([second], chunks) if second is not None else None
            size = document.size + 2 * num_bytes(task.first_chunk)
        except Exception as error:  # whatever a codec raises is this file's reason
            self._fail(task, error)
            return None
        self._set_size(task, size)
        return task

    # Computing

    def _can_join(self, task: FileTask) -> bool:
        """Whether a file may go through the model together with those that wait."""
        assert isinstance(self.processor, Reconstruction)
        if task.more_chunks is not None or not self.processor.sampling.greedy:
            return False
        raws = [waiting.first_chunk for waiting in (*self._group, task)]
        values = sum(column.numel() for raw in raws for column in raw.values())
        return (
            batch_key(raws[0]) == batch_key(raws[-1])
            and sum(map(count_pieces, raws)) <= INFERENCE_BATCH
            and values <= self._batch_values
        )

    def _compute_group(self) -> None:
        assert isinstance(self.processor, Reconstruction)
        group, self._group = self._group, []
        self._compute(len(group), partial(self._compute_together, self.processor, group))

    def _compute(self, files: int, work: Callable[[], None]) -> None:
        """Compute beside this thread, or in it where nothing else is to be done meanwhile."""
        with self._changed:
            self._computing += files

        def count_and_work() -> None:
            try:
                work()
            finally:
                with self._changed:
                    self._computing -= files

        alone = self._tasks is None and not self._reading
        self._workers.compute(count_and_work, alone=alone)

    def _compute_together(self, processor: Reconstruction, group: list[FileTask]) -> None:
        try:
            raws = [task.first_chunk for task in group]
            results = processor.compute(raws, processor.seeded_sampling(group[0].target))
        except Exception as error:
            if len(group) == 1:
                self._fail(group[0], error)
            else:  # one of them is to blame
                for task in group:
                    self._compute_together(processor, [task])
            return
        for task, result in zip(group, results, strict=True):
            self._submit_write(task, result)

    def _compute_chunks(self, processor: Reconstruction, task: FileTask) -> None:
        sampling = processor.seeded_sampling(task.target)

        def results() -> Iterator[Result]:
            for raw in chain([task.first_chunk], task.more_chunks or ()):
                if self._requests:
                    raise _Stopped
                yield processor.compute([raw], sampling)[0]
                task.chunks_done += 1
                self._report()

        with self._changed:
            self._in_chunks.append(task)
        try:
            self._submit_write(task, assemble(processor.codec, results(), task.document))
        except _Stopped:
            pass
        except Exception as error:
            self._fail(task, error)
        finally:
            with self._changed:
                self._in_chunks.remove(task)

    # Writing

    def _submit_write(self, task: FileTask, result: Result | Document) -> None:
        task.first_chunk, task.more_chunks = {}, None
        with self._changed:
            self._writing += 1
        self._writers.submit(self._write, task, result)

    def _write(self, task: FileTask, result: Result | Document) -> None:
        stem = self._journal.new_stem()
        base = task.target.removesuffix(task.suffix)
        try:
            before, after = task.document, result
            if isinstance(after, Result):
                assert isinstance(self.processor, Reconstruction)
                after = assemble(self.processor.codec, [after], before)
            after.name, after.suffix = os.path.basename(base), task.suffix
            written = self.processor.codec.write(after, stem, self.options)
            tails = [path.name.removeprefix(stem.name) for path in written]
            owned = self._journal.owns(task.target)
            for tail in tails:
                self._results.check(base + tail, owned)
            files = {tail: base + tail for tail in tails}
            self._journal.publish(task.target, task.source, stem, files, after.passed)
            self._outcomes.succeed(task, before, after)
            self._release(task)
        except Exception as error:  # whatever a codec raises is this file's reason
            out = self._results.out
            if full := disk_full(error, out):
                self.halt = f"{out}: {full}"
                self._release(task)
            else:
                # The names under which it was to be written mean nothing to a person.
                final = str(out / base)
                hidden = str(stem.with_name(f".{stem.name}"))
                self._fail(task, error, {str(stem): final, hidden: final})
            with contextlib.suppress(OSError):
                self._journal.discard(stem)
        finally:
            with self._changed:
                self._writing -= 1
                self._changed.notify()

    # What became of a file

    def _fail(
        self, task: FileTask, error: Exception, names: Mapping[str, str] | None = None
    ) -> None:
        self._outcomes.fail(task, error, names)
        self._release(task)

    def _report(self) -> None:
        """Bring the progress up to date, parts of large files included."""
        self._outcomes.say_news(self._progress)
        with self._changed:
            known = [task for task in self._in_chunks if task.chunks]
        if known:
            latest = known[-1]
            name = os.path.basename(latest.input.path)
            self._progress.describe(f"{name}: part {latest.chunks_done} of {latest.chunks}")
        else:
            self._progress.describe("")
        parts = sum(task.chunks_done / task.chunks for task in known)
        self._progress.update(self._outcomes.counts.settled + parts)
