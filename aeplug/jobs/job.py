"""Many files through a model: decoding, computing and encoding side by side, to be resumed.

Threads decode ahead and encode behind, while others run the model, on files of one shape together
(:mod:`aeplug.jobs.workers`). What is on its way is bounded in number and in bytes. A conversion
(:mod:`aeplug.jobs.conversion`) has no model: what is decoded is encoded.
"""

from __future__ import annotations

import contextlib
import hashlib
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
from aeplug.errors import AeplugError, FileError, shortened
from aeplug.inference.reconstruct import FixedLatents, reconstruct_chunks
from aeplug.interfaces import Document, FormatCodec, Sampling
from aeplug.jobs.conversion import Conversion
from aeplug.jobs.failures import Failures, check_list, disk_full
from aeplug.jobs.inputs import Input, Inputs
from aeplug.jobs.journal import Journal
from aeplug.jobs.outputs import Results, Targets
from aeplug.jobs.work import FileTask, JobCounts
from aeplug.jobs.workers import WorkerPool, io_thread_pool
from aeplug.model.model import Model
from aeplug.runtime.console import Progress
from aeplug.runtime.files import describe_error, require_regular
from aeplug.runtime.signals import stop_requests

#: Documents on their way at once, from decoding to the written file, and bytes they may take; one
#: alone may take more.
DOCUMENTS, BYTES = 3 * INFERENCE_BATCH, 256 << 20
#: Values of a batch over several documents: a photograph of 512 x 512, or 85 of 64 x 64. More at
#: once leave a processor's caches and are no faster; a GPU wants more.
VALUES, VALUES_ON_GPU = 1 << 20, 1 << 22
#: Reasons shown as they come up; the others stand in the list alone.
REASONS_SHOWN = 5


class _Stopped(Exception):
    """Asked to stop, in the middle of a document."""


class Job:
    """Reconstructs or converts files into a folder.

    A result that is there already is kept where the journal says that it was made of this very
    input, made again where the input has changed since, and left alone where the journal does not
    know it: that file fails. A file that failed is tried again by the next run.

    Args:
        through: the model that they go through, or the conversion.
        inputs: which files.
        out: folder of the results, and of the list of what failed
            (:class:`aeplug.jobs.failures.Failures`).
        suffix: of results, where the codec does not keep that of the input.
        options: the codec's, for writing.
        sampling: how to decode; None: greedily.
        seed: of draws, where ``sampling`` is not greedy. Each file has draws of its own: what
            becomes of it does not depend on where a job was cut.
        overwrite: replace also what others left in ``out``; never an input.
        to: change the class of all: condition's name -> class.
        keep: pairs of input and result to keep, in ``shown``, for a sheet.
        latents: decode all under these.
    """

    def __init__(
        self,
        through: Model | Conversion,
        inputs: Inputs,
        out: Path,
        suffix: str,
        options: Mapping[str, Any],
        sampling: Sampling | None = None,
        seed: int = 0,
        overwrite: bool = False,
        keep: int = 0,
        to: Mapping[str, Any] | None = None,
        latents: FixedLatents | None = None,
    ) -> None:
        self.through, self.codec, self.inputs, self.out = through, through.codec, inputs, out
        self.suffix, self.options, self.seed = suffix, options, seed
        self.sampling = sampling or Sampling(greedy=True)
        self.overwrite, self.keep, self.to = overwrite, keep, dict(to or {})
        self.latents = latents
        self.tally = JobCounts()
        self.shown: list[tuple[int, Document, Document]] = []
        self._values = VALUES if through.device.type == "cpu" else VALUES_ON_GPU
        self._changed = threading.Condition()
        self._held = self._typical = self._computing = self._writing = self._shown_size = 0
        self._noted = 0
        self._halt = ""
        self._news: list[str] = []
        self._results = Results(out, overwrite)

    @property
    def model(self) -> Model:
        """What files go through; of a job that is no conversion."""
        if isinstance(self.through, Conversion):
            raise TypeError(f"{self.through.identity} goes through no model")
        return self.through

    def run(self) -> int:
        """Do every file that is not done; gives the number of the signal that ended it early, or 0.

        Raises:
            AeplugError: the disk is full; the message says how to go on.
            ConfigError: results would replace inputs, or ``out`` belongs to another job.
            FileError: ``out`` cannot be written, or nothing is named.
        """
        self.tally = JobCounts(total=self._count(), unlisted=len(self.inputs.unlisted))
        unlisted = list(self.inputs.unlisted)
        if not self.tally.total:
            reasons = [*(reason for _, reason in unlisted), *self.inputs.empty]
            raise FileError(next(iter(reasons), "no files are named"))
        check_list(self.out)
        with Journal(self.out, self._identity(), self.overwrite) as self._journal:
            if len(self._journal):
                self.tally.before = sum(self._is_done(work) for work in self._works())
            listed = Failures(self.out, self._journal.folder)
            with listed as self._failures, stop_requests() as requests:
                for folder, reason in unlisted:
                    self._note(folder, reason)
                self._pipeline(requests)
        if self._halt:
            ready = self.tally.before + self.tally.done
            raise AeplugError(
                f"{self._halt}; {ready} of {self.tally.total} files are done and stay. Make room, "
                f"and give the same command again"
            )
        return requests[0] if requests and self.tally.past < self.tally.total else 0

    # Which files

    def _named(self) -> Iterator[tuple[Input, str, str]]:
        """Each input once, the place of its result, and the suffix with which that ends."""
        targets = Targets()
        keeps = self.codec.suffix_for if isinstance(self.codec, FormatCodec) else None
        for one in self.inputs:
            suffix = keeps(Path(one.path)) if keeps else self.suffix
            place = targets.of(one.path, one.place, suffix)
            if place is not None:
                yield one, place, suffix

    def _count(self) -> int:
        """How many files there are; those that lie among the results are protected from now on."""
        count = 0
        for one, place, _ in self._named():
            if one.inside:
                self._results.protect(one.path, place)
            count += 1
        return count

    def _works(self) -> Iterator[FileTask]:
        for number, (one, place, suffix) in enumerate(self._named()):
            yield FileTask(number, one, place, suffix, one.source())

    def _is_done(self, work: FileTask) -> bool:
        return self._journal.done(work.place, work.source)

    def _identity(self) -> dict[str, Any]:
        if isinstance(self.through, Conversion):
            return {**self.through.identity, "options": dict(self.options)}
        model, given = self.model, self.sampling
        draws = [self.seed, given.temperature, given.top_k, given.top_p]
        return {
            "model": model.spec.name,
            "weights": model.header.get("weights_sha256", ""),
            "settings": {
                name: model.config.sections[name].as_dict() for name in ("codec", "prepare")
            },
            "options": dict(self.options),
            "draws": [] if given.greedy else draws,
            **({"to": self.to} if self.to else {}),
            **({"latents": self.latents.digest} if self.latents else {}),
        }

    # The pipeline

    def _pipeline(self, requests: list[int]) -> None:
        works = self._works()
        more = True
        reading: deque[Future[FileTask | None]] = deque()
        group: list[FileTask] = []
        threads = min(os.cpu_count() or 1, 16)
        with (
            Progress(self.tally.total, "files", self.tally.before) as progress,
            io_thread_pool(threads) as readers,
            io_thread_pool(threads) as writers,
            WorkerPool(self.through.device) as lanes,
        ):

            def compute(works: int, task: Callable[[], None]) -> None:
                with self._changed:
                    self._computing += works

                def counted() -> None:
                    try:
                        task()
                    finally:
                        with self._changed:
                            self._computing -= works

                lanes.compute(counted, alone=not (more or reading))

            try:
                while not (requests or self._halt):
                    while more and not requests and self._room(len(reading) + len(group)):
                        work = next(works, None)
                        more = work is not None
                        if work and not self._is_done(work) and self._hold(work):
                            reading.append(readers.submit(self._read, work))
                    self._tell(progress)
                    if lanes.full:
                        lanes.wait(0.2)  # and look whether it shall stop
                        continue
                    if reading and not group and not reading[0].done():
                        wait((reading[0],), 0.2)  # and look whether it shall stop
                    if reading and reading[0].done():
                        ready = reading.popleft().result()
                        if ready is None:
                            continue
                        if isinstance(self.through, Conversion):
                            self._hand_on(ready, ready.document, writers)
                            continue
                        if group and not self._fits(group, ready):
                            compute(len(group), partial(self._compute, group, writers))
                            group = []
                        if ready.rest is None:
                            group.append(ready)
                        else:
                            compute(1, partial(self._compute_chunks, ready, writers, requests))
                    elif group:
                        compute(len(group), partial(self._compute, group, writers))
                        group = []
                    elif reading:
                        continue
                    elif lanes.busy:
                        lanes.wait(0.2)
                    elif self._writing:
                        with self._changed:
                            self._changed.wait(0.2)
                    elif not more:
                        break
            finally:
                if requests and len(reading) + self._writing:
                    progress.say("stopping when the files on their way are done; again: at once")
                readers.shutdown(cancel_futures=True)
                lanes.finish()  # which hands results to the writers
                writers.shutdown()
                self._tell(progress)

    def _room(self, ahead: int) -> bool:
        on_the_way = ahead + self._computing + self._writing
        fits = self._held + self._typical <= BYTES and on_the_way < DOCUMENTS
        return fits or not on_the_way

    def _hold(self, work: FileTask) -> bool:
        """Reserve memory for a file that is to be read; False for one that cannot be written."""
        try:
            self._results.check(work.place, self._journal.owns(work.place))
        except FileError as error:
            self._fail(work, error)
            return False
        with self._changed:
            work.size = self._typical
            self._held += work.size
        return True

    def _read(self, work: FileTask) -> FileTask | None:
        try:
            path = Path(work.input.path)
            require_regular(path)
            work.document = self.codec.read(path)
            if isinstance(self.through, Conversion):
                self._resize(work, work.document.size)
                return work
            work.rest = iter_document_chunks(self.model.codec, work.document)
            work.first = next(work.rest)
            second = next(work.rest, None)
            work.rest = chain([second], work.rest) if second is not None else None
            size = work.document.size + 2 * num_bytes(work.first)
        except Exception as error:  # whatever a codec raises is this file's reason
            self._fail(work, error)
            return None
        self._resize(work, size)
        return work

    def _resize(self, work: FileTask, size: int) -> None:
        with self._changed:
            self._held += size - work.size
            work.size = self._typical = size

    def _fits(self, group: list[FileTask], work: FileTask) -> bool:
        """Whether a file may go through the model together with others."""
        if work.rest is not None or not self.sampling.greedy:
            return False
        raws = [one.first for one in (*group, work)]
        values = sum(column.numel() for raw in raws for column in raw.values())
        return (
            batch_key(raws[0]) == batch_key(raws[-1])
            and sum(map(count_pieces, raws)) <= INFERENCE_BATCH
            and values <= self._values
        )

    def _compute(self, group: list[FileTask], writers: ThreadPoolExecutor) -> None:
        try:
            raws = [work.first for work in group]
            results = reconstruct_chunks(
                self.model, raws, self._draws(group[0]), self.to, self.latents
            )
        except Exception as error:
            if len(group) == 1:
                self._fail(group[0], error)
            else:  # one of them is to blame
                for work in group:
                    self._compute([work], writers)
            return
        for work, result in zip(group, results, strict=True):
            self._hand_on(work, result, writers)

    def _compute_chunks(
        self, work: FileTask, writers: ThreadPoolExecutor, requests: list[int]
    ) -> None:
        sampling = self._draws(work)

        def results() -> Iterator[Result]:
            for raw in chain([work.first], work.rest or ()):
                if requests:
                    raise _Stopped
                yield reconstruct_chunks(self.model, [raw], sampling, self.to, self.latents)[0]

        try:
            self._hand_on(work, assemble(self.model.codec, results(), work.document), writers)
        except _Stopped:
            pass
        except Exception as error:
            self._fail(work, error)

    def _draws(self, work: FileTask) -> Sampling:
        if self.sampling.greedy:
            return self.sampling
        content = f"{self.seed} {work.place}".encode("utf-8", "surrogateescape")
        seed = int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big") % 2**63
        given = self.sampling
        generator = self.model.generator(seed)
        return Sampling(given.temperature, given.top_k, given.top_p, False, generator)

    def _hand_on(
        self, work: FileTask, result: Result | Document, writers: ThreadPoolExecutor
    ) -> None:
        work.first, work.rest = {}, None
        with self._changed:
            self._writing += 1
        writers.submit(self._write, work, result)

    def _write(self, work: FileTask, result: Result | Document) -> None:
        stem = self._journal.fresh()
        base = work.place.removesuffix(work.suffix)
        try:
            before, after = work.document, result
            if isinstance(after, Result):
                after = assemble(self.model.codec, [after], before)
            after.name, after.suffix = os.path.basename(base), work.suffix
            written = self.codec.write(after, stem, self.options)
            tails = [path.name.removeprefix(stem.name) for path in written]
            owned = self._journal.owns(work.place)
            for tail in tails:
                self._results.check(base + tail, owned)
            files = {tail: base + tail for tail in tails}
            self._journal.publish(work.place, work.source, stem, files)
            self._done(work, before, after)
        except Exception as error:  # whatever a codec raises is this file's reason
            if full := disk_full(error, self.out):
                self._halt = f"{self.out}: {full}"
                self._release(work)
            else:
                # The names under which it was to be written mean nothing to a person.
                final = str(self.out / base)
                partial = str(stem.with_name(f".{stem.name}"))
                self._fail(work, error, {str(stem): final, partial: final})
            with contextlib.suppress(OSError):
                self._journal.discard(stem)
        finally:
            with self._changed:
                self._writing -= 1
                self._changed.notify()

    # What became of a file

    def _done(self, work: FileTask, before: Document, after: Document) -> None:
        with self._changed:
            self.tally.done += 1
            if len(self.shown) < self.keep and self._shown_size + work.size <= BYTES:
                self._shown_size += work.size
                self.shown.append((work.number, before, after))
        self._release(work)

    def _fail(
        self, work: FileTask, error: Exception, names: Mapping[str, str] | None = None
    ) -> None:
        names = dict(names or {})
        for long in (str(Path(work.input.path)), str(self.out / work.place)):
            names[long] = shortened(long)
        reason = describe_error(error, names)
        with self._changed:
            self.tally.failed += 1
            self._note(work.input.path, reason)
        self._release(work)

    def _note(self, path: str, reason: str) -> None:
        if self._noted < REASONS_SHOWN:
            self._news.append(reason)
        self._noted += 1
        self._failures.add(path, reason)

    def _release(self, work: FileTask) -> None:
        with self._changed:
            self._held -= work.size
            work.size = 0
            self._changed.notify()

    def _tell(self, progress: Progress) -> None:
        while self._news:
            progress.say(self._news.pop(0))
        progress.update(self.tally.past)
