"""A file on its way through a job, and the counts of all that became of files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aeplug.interfaces import Document, PassedThrough, RawBatch
from aeplug.jobs.inputs import Input

#: Files whose reading is kept for the report; a job may have millions.
READINGS_KEPT = 1000


@dataclass
class FileTask:
    """A file on its way.

    Attributes:
        number: of the file, in order.
        input: what to read.
        target: its result, relative to the folder of results.
        suffix: with which the target ends.
        source: path, size and time of the input, by which the journal knows it.
        size: bytes held for it; first as many as for the file before.
        document: what was read.
        first_chunk: its first pieces.
        more_chunks: the further ones; None where there are none.
        chunks: how many there are in all; 0: not known.
        chunks_done: how many of them went through the model.
    """

    number: int
    input: Input
    target: str
    suffix: str
    source: Mapping[str, Any]
    size: int = 0
    document: Document = field(default_factory=lambda: Document(None, ""))
    first_chunk: RawBatch = field(default_factory=dict)
    more_chunks: Iterator[RawBatch] | None = None
    chunks: int = 0
    chunks_done: int = 0


@dataclass
class JobCounts:
    """What became of the files of a job, in this run and before.

    Attributes:
        total: all of them.
        before: done before.
        done: done now.
        failed: failed now.
        unlisted: folders that could not be listed.
        passed: pieces of all results that are their inputs' own; None: none were compared.
        passed_files: the same of each result that has some, by its path in the folder of results.
        readings: how files were read where there was a choice, by the same path; of the first
            ``READINGS_KEPT``.
    """

    total: int = 0
    before: int = 0
    done: int = 0
    failed: int = 0
    unlisted: int = 0
    passed: PassedThrough | None = None
    passed_files: dict[str, PassedThrough] = field(default_factory=dict)
    readings: dict[str, str] = field(default_factory=dict)

    def count_passed(self, target: str, passed: PassedThrough | None) -> None:
        """Count the pieces of a result that are its input's own."""
        if passed is not None:
            self.passed = passed + (self.passed or PassedThrough())
            if passed.count:
                self.passed_files[target] = passed

    def note_reading(self, target: str, reading: str) -> None:
        """Note how the file of a result was read, if there was a choice."""
        if reading and len(self.readings) < READINGS_KEPT:
            self.readings[target] = reading

    @property
    def settled(self) -> int:
        """Files that need no more work in this run."""
        return self.before + self.done + self.failed
