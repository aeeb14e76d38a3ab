"""What became of a job's files: counted, listed where they failed, some kept for a sheet."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

from aeplug.errors import shortened
from aeplug.interfaces import Document
from aeplug.jobs.failures import Failures
from aeplug.jobs.work import FileTask, JobCounts
from aeplug.plugins import explain_missing_library
from aeplug.runtime.console import Progress
from aeplug.runtime.files import describe_error

#: Reasons shown as they come up; the others stand in the list alone.
REASONS_SHOWN = 5
#: Bytes that pairs kept for a sheet may take.
KEPT_BYTES = 256 << 20


class Outcomes:
    """Notes of one run; to be written to from any thread.

    Args:
        counts: to be kept up to date.
        out: folder of the results.
        failures: the list of what failed.
        keep_pairs: how many inputs to keep with their results.

    Attributes:
        pairs: number of a file, what was read and what was written.
    """

    def __init__(self, counts: JobCounts, out: Path, failures: Failures, keep_pairs: int) -> None:
        self.counts = counts
        self.pairs: list[tuple[int, Document, Document]] = []
        self._out, self._failures, self._keep = out, failures, keep_pairs
        self._lock = threading.Lock()
        self._kept_bytes = self._noted = 0
        self._unsaid: list[str] = []

    def succeed(self, task: FileTask, before: Document, after: Document) -> None:
        """A result is in its place."""
        with self._lock:
            self.counts.done += 1
            self.counts.count_passed(task.target, after.passed)
            self.counts.note_reading(task.target, before.reading)
            if len(self.pairs) < self._keep and self._kept_bytes + task.size <= KEPT_BYTES:
                self._kept_bytes += task.size
                self.pairs.append((task.number, before, after))

    def fail(
        self, task: FileTask, error: Exception, names: Mapping[str, str] | None = None
    ) -> None:
        """A file cannot be done; ``names`` are what to say in place of names in the reason."""
        names = dict(names or {})
        for long in (str(Path(task.input.path)), str(self._out / task.target)):
            names[long] = shortened(long)
        reason = explain_missing_library(error) or describe_error(error, names)
        with self._lock:
            self.counts.failed += 1
        self.note(task.input.path, reason)

    def note(self, path: str, reason: str) -> None:
        """Put a file or folder on the list of failures."""
        with self._lock:
            if self._noted < REASONS_SHOWN:
                self._unsaid.append(reason)
            self._noted += 1
            self._failures.add(path, reason)

    @property
    def unsaid(self) -> int:
        """How many reasons stand in the list alone."""
        return max(self._noted - REASONS_SHOWN, 0)

    def say_news(self, progress: Progress) -> None:
        """Show reasons that came up since the last call."""
        with self._lock:
            reasons, self._unsaid = self._unsaid, []
        for reason in reasons:
            progress.say(reason)
