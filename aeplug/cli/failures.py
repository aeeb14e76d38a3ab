"""Files that a command leaves out: the first few on stderr, all in a list beside the result."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from aeplug.runtime.console import say
from aeplug.runtime.files import atomic_write, encode_json

#: Reasons shown as they come up.
REASONS_SHOWN = 5


class LeftOut:
    """What could not be read, to be called with each file's path and reason.

    At the end of the block all are in the list, a line each, ``file`` and ``reason``, in place of
    the one of an earlier run; there is none where nothing was left out, or where the block raises
    and all have been said.

    Args:
        path: of the list.

    Attributes:
        count: how many there are.

    Example:
        >>> with LeftOut(Path("z.failed.jsonl")) as left_out:
        ...     for number in range(8):
        ...         left_out(f"{number}.png", "is no picture")
        >>> left_out.count, len(Path("z.failed.jsonl").read_text().splitlines())
        (8, 8)
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._entries: list[dict[str, str]] = []

    @property
    def count(self) -> int:
        """How many files were left out."""
        return len(self._entries)

    def __call__(self, path: str, reason: str) -> None:
        """Note a file."""
        self._entries.append({"file": path, "reason": reason})
        if self.count <= REASONS_SHOWN:
            say(f"left out: {reason if path in reason else f'{path}: {reason}'}")

    def __enter__(self) -> LeftOut:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        more = self.count - REASONS_SHOWN
        if kind is not None and more <= 0:
            return  # there is no result, and all has been said
        with contextlib.suppress(OSError):  # the result itself could not be written either
            if not self._entries:
                self.path.unlink(missing_ok=True)
                return
            self.path.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(self.path, "".join(encode_json(entry) + "\n" for entry in self._entries))
            say(f"left out: {f'{more} more; ' if more > 0 else ''}all are listed in {self.path}")

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready: the number, and the list's path."""
        return {"left_out": self.count, "failures": str(self.path) if self._entries else None}
