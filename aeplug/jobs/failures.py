"""Why a file could not be done, as one line, and the list of all that could not."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
from pathlib import Path

from aeplug.errors import FileError

#: Name of the list, in the folder of results.
FAILED = "failed.jsonl"
#: With less than this left, in bytes, a disk counts as full where a result cannot be written.
FULL = 1 << 20

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class Failures:
    """The files that failed in one run: a line each, ``file`` and ``reason``.

    The list appears whole at the end of the run in place of the one before; there is none if
    nothing failed.

    Args:
        out: folder of the results.
        work: where the list grows.
    """

    def __init__(self, out: Path, work: Path) -> None:
        self._path, self._partial = out / FAILED, work / FAILED
        self._file = self._partial.open("w", encoding="utf-8")
        self._count = 0

    def __enter__(self) -> Failures:
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            if self._count:
                self._partial.replace(self._path)
            else:
                self._path.unlink(missing_ok=True)

    def add(self, path: str, reason: str) -> None:
        """Note a file; from one thread at a time."""
        self._count += 1
        with contextlib.suppress(OSError):  # a full disk, with which the run ends anyway
            self._file.write(json.dumps({"file": path, "reason": reason}) + "\n")


def check_list(out: Path) -> None:
    """Make sure, before any work, that the list of what failed can take its place.

    Raises:
        FileError: a folder has its name.
    """
    if (out / FAILED).is_dir():
        raise FileError(
            f"{out / FAILED} is a folder, and the list of files that fail has that name; "
            f"name another --out"
        )


def disk_full(error: BaseException, out: Path) -> str:
    """The system's words where a result could not be written for want of room, else empty."""
    if not isinstance(error, (OSError, FileError)):
        return ""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _FULL:
            return cause.strerror or os.strerror(cause.errno)
        cause = cause.__cause__
    # Encoders lose the reason that the system gave.
    return os.strerror(errno.ENOSPC) if shutil.disk_usage(out).free < FULL else ""
