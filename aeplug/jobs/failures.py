"""Why a file could not be done, as one line, and the list of all that could not."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from aeplug.errors import FileError

#: Name of the list, in the folder of results.
FAILED = "failed.jsonl"


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
