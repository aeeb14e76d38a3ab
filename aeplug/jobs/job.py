"""Many files through a model or a converter, into a folder; resumable, whatever ends it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from aeplug.errors import AeplugError, FileError, shortened
from aeplug.interfaces import Document, FormatCodec, supports
from aeplug.jobs.conversion import Conversion
from aeplug.jobs.failures import FAILED, Failures, check_list
from aeplug.jobs.inputs import Input, Inputs
from aeplug.jobs.journal import Journal
from aeplug.jobs.outcomes import Outcomes
from aeplug.jobs.outputs import Results, Targets, name_result
from aeplug.jobs.pipeline import Pipeline
from aeplug.jobs.reconstruction import Reconstruction
from aeplug.jobs.work import FileTask, JobCounts
from aeplug.runtime.console import Progress, say
from aeplug.runtime.signals import stop_requests


class Job:
    """Reconstructs or converts files into a folder.

    A result that is there already is kept where the journal says that it was made of this very
    input, made again where the input has changed since, and left alone where the journal does not
    know it: that file fails. A file that failed is tried again by the next run.

    Args:
        processor: what files go through.
        inputs: which files.
        out: folder of the results, and of the list of what failed
            (:class:`aeplug.jobs.failures.Failures`).
        suffix: of results, where the codec does not keep that of the input.
        options: the codec's, for writing.
        overwrite: replace also what others left in ``out``; never an input.
        keep_pairs: how many inputs and results to keep in ``pairs``, for a sheet.

    Attributes:
        counts: of the latest run.
        pairs: number of a file, what was read and what was written.

    Example:
        >>> from aeplug.inference import make_samples, write_results
        >>> _ = write_results(model, make_samples(model, 3), "digits")
        >>> inputs = Inputs(["digits"], "", [".png"], Path("out"))
        >>> job = Job(Reconstruction(model), inputs, Path("out"), ".png")
        >>> job.run(), job.counts.done
        (0, 3)
        >>> job.run(), job.counts.before
        (0, 3)
    """

    def __init__(
        self,
        processor: Reconstruction | Conversion,
        inputs: Inputs,
        out: Path,
        suffix: str,
        options: Mapping[str, Any] | None = None,
        *,
        overwrite: bool = False,
        keep_pairs: int = 0,
    ) -> None:
        self.processor, self.inputs, self.out = processor, inputs, out
        self.suffix, self.options = suffix, dict(options or {})
        self.overwrite, self.keep_pairs = overwrite, keep_pairs
        self.counts = JobCounts()
        self.pairs: list[tuple[int, Document, Document]] = []
        self._results = Results(out, overwrite)
        self._targets = Targets()

    def run(self) -> int:
        """Do every file that is not done; gives the number of the signal that ended it early, or 0.

        Raises:
            AeplugError: the disk is full; the message says how to go on.
            ConfigError: results would replace inputs, or ``out`` belongs to another job.
            FileError: ``out`` cannot be written, or nothing is named.
        """
        counts = self.counts = JobCounts(total=self._count(), unlisted=len(self.inputs.unlisted))
        unlisted = list(self.inputs.unlisted)
        if not counts.total:
            reasons = [*(reason for _, reason in unlisted), *self.inputs.remarks]
            raise FileError(next(iter(reasons), "no files are named"))
        check_list(self.out)
        identity = {**self.processor.identity, "options": self.options}
        with Journal(self.out, identity, self.overwrite) as journal:
            if len(journal):
                for task in self._iter_tasks():
                    if journal.done(task.target, task.source):
                        counts.before += 1
                        counts.count_passed(task.target, journal.passed(task.target))
            failures = Failures(self.out, journal.folder)
            with failures, stop_requests() as requests:
                outcomes = Outcomes(counts, self.out, failures, self.keep_pairs)
                self.pairs = outcomes.pairs
                for folder, reason in unlisted:
                    outcomes.note(folder, reason)
                pipeline = Pipeline(self.processor, self.options, self._results, journal, outcomes)
                with Progress(counts.total, "files", counts.before) as progress:
                    pipeline.run(self._iter_tasks(), progress, requests)
            if outcomes.unsaid:
                say(f"and {outcomes.unsaid} more: {self.out / FAILED}")
        if pipeline.halt:
            raise AeplugError(
                f"{pipeline.halt}; {counts.before + counts.done} of {counts.total} files are done "
                f"and stay. Make room, and run the same command again"
            )
        return requests[0] if requests and counts.settled < counts.total else 0

    def _iter_targets(self) -> Iterator[tuple[Input, str, str]]:
        """Each input once, the path of its result, and the suffix with which that ends."""
        self._targets.restart()
        for source in self.inputs:
            suffix = self._suffix_of(source)
            target = self._targets.assign(source.path, source.target, suffix)
            if target is not None:
                yield source, target, suffix

    def _suffix_of(self, source: Input) -> str:
        codec = self.processor.codec
        if supports(codec, FormatCodec):
            return codec.suffix_for(Path(source.path))
        return self.suffix

    def _count(self) -> int:
        """How many files there are; those that lie among the results are protected from now on.

        Says which results have another name than their input.
        """
        self._targets = Targets()
        for source in self.inputs:
            self._targets.reserve(source.path, source.target, self._suffix_of(source))
        count, renamed = 0, 0
        for source, target, suffix in self._iter_targets():
            if source.inside:
                self._results.protect(source.path, target)
            wanted = name_result(source.target, suffix)
            if target != wanted:
                renamed += 1
                if renamed == 1:
                    first = (
                        f"the result of {shortened(source.path)} is called {target}, since "
                        f"another input's is {wanted}"
                    )
            count += 1
        if renamed:
            say(first + (f"; {renamed - 1} more likewise" if renamed > 1 else ""))
        return count

    def _iter_tasks(self) -> Iterator[FileTask]:
        for number, (source, target, suffix) in enumerate(self._iter_targets()):
            yield FileTask(number, source, target, suffix, source.fingerprint())
