"""What a job has done, kept beside its results so that the same command goes on after a kill.

``OUT/.aeplug/journal.jsonl`` begins with a line that says whose results these are, followed by a
line for each result. A result is written under a name in ``OUT/.aeplug/work``, then its line is
appended, and only then is it renamed to its target: whatever moment a kill picks, a result is
whole, its line is there, or it is made again. A line cut short by a kill does not count.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import shutil
import threading
from array import array
from collections.abc import Mapping
from dataclasses import astuple
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from aeplug.errors import ConfigError, FileError
from aeplug.interfaces import PassedThrough
from aeplug.runtime.files import atomic_write

#: Folder of the journal in the folder of results; hidden, so that no search for inputs enters it.
FOLDER = ".aeplug"
FORMAT = 1


class Journal:
    """The journal of one job, held by this process alone.

    Args:
        out: folder of the results; made where it is missing.
        job: what the results depend on beside the inputs (weights, settings), JSON-ready.
        overwrite: begin anew where ``out`` holds results of another job.

    Raises:
        ConfigError: ``out`` holds results of another job, or another process writes there.
        FileError: ``out`` cannot be written.
    """

    def __init__(self, out: Path, job: Mapping[str, Any], overwrite: bool = False) -> None:
        self.out, self.folder = out, out / FOLDER
        self.work = self.folder / "work"
        self._path = self.folder / "journal.jsonl"
        self._adding = threading.Lock()
        self._file: BinaryIO | None = None
        with contextlib.ExitStack() as failed:
            try:
                self.work.mkdir(parents=True, exist_ok=True)
                self._lock = failed.enter_context(_lock_file(self.folder / "lock", out))
                self._open({"aeplug": FORMAT, "job": _hash(job), **job}, overwrite)
            except OSError as error:
                raise FileError(f"--out {out}: {error.strerror or error}") from error
            failed.pop_all()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *error: object) -> None:
        if self._file is not None:
            self._file.close()
        shutil.rmtree(self.work, ignore_errors=True)
        self._lock.close()

    def __len__(self) -> int:
        """Results noted before this run."""
        return len(self._targets)

    def done(self, target: str, source: Mapping[str, Any]) -> bool:
        """Whether the result at ``target`` was made of this ``source``, and all is still there."""
        row = self._row(target)
        if row is None or self._sources[row] != np.uint64(_hash(source)):
            return False
        beside = _companions(target, self._layouts[self._layout_ids[row]])
        return all(os.path.lexists(self.out / path) for path in (target, *beside))

    def owns(self, target: str) -> bool:
        """Whether this job has made a result at ``target``, of whatever source."""
        return self._row(target) is not None

    def passed(self, target: str) -> PassedThrough | None:
        """The pieces of a result noted before this run that are its input's own, if compared."""
        row = self._row(target)
        pieces = 0 if row is None else int(self._passed[0][row])
        if row is None or not pieces:
            return None
        return PassedThrough(pieces, int(self._passed[1][row]), int(self._passed[2][row]))

    def new_stem(self) -> Path:
        """A path without suffix, never given before, to write a result to."""
        return self.work / f"{self._run}-{next(self._numbers)}"

    def publish(
        self,
        target: str,
        source: Mapping[str, Any],
        stem: Path,
        files: Mapping[str, str],
        passed: PassedThrough | None = None,
    ) -> None:
        """Note a result, and move its files to their targets; from any thread.

        Args:
            target: the result's main file, relative to the folder of results.
            source: what it was made of, JSON-ready.
            stem: where its files lie, from :meth:`new_stem`.
            files: what stands behind ``stem`` in a file's name -> its target.
            passed: of its pieces those that are the input's own, if they were compared.

        Raises:
            OSError: full disk, missing permission; what was published before stays.
        """
        line = {"out": target, "from": source, "work": stem.name, "files": files}
        if passed is not None:
            line["passed"] = list(astuple(passed))
        self._add(line)
        try:
            self._move(line)
        except OSError:
            with contextlib.suppress(OSError):
                self._add({"out": target, "from": None})
            raise

    def discard(self, stem: Path) -> None:
        """Remove what was written under a path from :meth:`new_stem` and not published."""
        for pattern in (f"{stem.name}.*", f".{stem.name}.*"):
            for path in self.work.glob(pattern):
                path.unlink(missing_ok=True)

    # Reading

    def _open(self, header: Mapping[str, Any], overwrite: bool) -> None:
        targets, sources, layout_ids = array("Q"), array("Q"), array("I")
        passed = array("I"), array("I"), array("I")
        layouts: dict[tuple[tuple[int, str], ...], int] = {}
        unfinished = {path.name.partition(".")[0] for path in self.work.iterdir()}
        end = 0
        with contextlib.suppress(FileNotFoundError), self._path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                end += len(line)
                try:
                    entry = json.loads(line)
                    if end == len(line):
                        if not self._accepts(entry, header, overwrite):
                            end = 0
                            break
                        continue
                    layout = _layout(entry["out"], entry.get("files", {}))
                    pieces, blank, unlike = entry.get("passed", (0, 0, 0))
                    targets.append(_hash(entry["out"]))
                    sources.append(_hash(entry["from"]))
                    layout_ids.append(layouts.setdefault(layout, len(layouts)))
                    for column, number in zip(passed, (pieces, blank, unlike), strict=True):
                        column.append(number)
                    if entry.get("work") in unfinished:
                        # Killed between the line and the renaming.
                        try:
                            self._move(entry)
                        except OSError:
                            sources[-1] = _hash(None)
                except (ValueError, KeyError, TypeError, AttributeError):
                    if end == len(line):
                        raise FileError(
                            f"{self._path} is damaged; remove {self.folder}, or name another --out"
                        ) from None
        shutil.rmtree(self.work)
        self.work.mkdir()
        if not end:
            self._begin(header)
        self._file = self._path.open("r+b")
        if end:
            self._file.truncate(end)
        self._end = self._file.seek(0, os.SEEK_END)
        self._run, self._numbers = f"{self._end:x}", itertools.count()
        self._targets, self._sources, self._layout_ids, *self._passed = _keep_latest(
            targets, sources, layout_ids, *passed
        )
        self._layouts = list(layouts)

    def _accepts(self, entry: Any, header: Mapping[str, Any], overwrite: bool) -> bool:
        if entry["aeplug"] == FORMAT and entry["job"] == header["job"]:
            return True
        if not overwrite:
            differ = [key for key in header if entry.get(key) != header[key]]
            what = ", ".join(key for key in differ if key not in ("aeplug", "job")) or "format"
            raise ConfigError(
                f"--out {self.out} holds results of another job (its {what} differ); "
                f"name another folder, or give --overwrite to make them again"
            )
        return False

    def _begin(self, header: Mapping[str, Any]) -> None:
        atomic_write(self._path, json.dumps(header) + "\n")

    def _row(self, target: str) -> int | None:
        key = np.uint64(_hash(target))
        row = int(np.searchsorted(self._targets, key))
        return row if row < len(self._targets) and self._targets[row] == key else None

    # Writing

    def _add(self, line: Mapping[str, Any]) -> None:
        content = json.dumps(line, separators=(",", ":")).encode() + b"\n"
        with self._adding:
            assert self._file is not None
            try:
                self._file.write(content)
                self._file.flush()
                os.fsync(self._file.fileno())
            except OSError:
                with contextlib.suppress(OSError):
                    self._file.seek(self._end)
                    self._file.truncate()
                raise
            self._end += len(content)

    def _move(self, line: Mapping[str, Any]) -> None:
        for suffix, target in line["files"].items():
            path = self.work / f"{line['work']}{suffix}"
            if path.exists():  # else it was moved before the kill
                (self.out / target).parent.mkdir(parents=True, exist_ok=True)
                path.replace(self.out / target)


def _lock_file(path: Path, out: Path) -> BinaryIO:
    """The file, held against other processes as long as it is open."""
    file = path.open("ab")
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:  # Windows
        pass
    except BlockingIOError:
        file.close()
        raise ConfigError(f"--out {out}: another job is writing there; wait for it") from None
    return file


def _hash(value: Any) -> int:
    """64 bits of a JSON-ready value: two of ten million are alike with 3 chances in a million."""
    content = json.dumps(value, sort_keys=True).encode()
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big")


def _layout(target: str, files: Mapping[str, str]) -> tuple[tuple[int, str], ...]:
    """Where a result's other files lie beside it: how much of its target to cut, what to add.

    The same for most results of a job, so that it is kept once for all of them.
    """
    layout = []
    for other in files.values():
        if other != target:
            shared = len(os.path.commonprefix([target, other]))  # noqa: RUF071 - letters are meant
            layout.append((len(target) - shared, other[shared:]))
    return tuple(layout)


def _companions(target: str, layout: tuple[tuple[int, str], ...]) -> list[str]:
    return [target[: len(target) - cut] + tail for cut, tail in layout]


def _keep_latest(targets: array[int], *values: array[int]) -> tuple[np.ndarray, ...]:
    """Places in ascending order, each once, and the latest of each value beside them."""
    keys = np.array(targets, np.uint64)
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    last = np.append(keys[1:] != keys[:-1], True)[: len(keys)]
    return keys[last], *(np.array(value, value.typecode)[order][last] for value in values)
