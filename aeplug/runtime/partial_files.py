"""Files that are being written: their hidden names, who holds them, and what a kill left of them.

The process that writes one holds a lock on it, which the system takes away when the process ends,
however it ends. So one that nobody has locked is left over, also where several processes, or
machines that share a disk, write into one folder.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: there nothing is locked, and nothing is removed
    fcntl = None  # type: ignore[assignment]

_NAME = re.compile(r"\..*\.[0-9a-f]{12}\.partial", re.DOTALL)

#: Folders that this process has looked through: once is enough, and some hold 100,000 results.
_searched: set[Path] = set()


def create_partial(path: Path) -> tuple[Path, int]:
    """A new, empty file beside ``path``, under a name that is not to be guessed.

    What processes that were killed left in the folder is removed, once a process.

    Returns:
        The file, and a descriptor that holds it: to be closed when it is complete. On Windows,
        where an open file cannot be renamed, -1.

    Raises:
        OSError: it cannot be created.
    """
    if path.parent not in _searched:
        _searched.add(path.parent)
        remove_stale_partials(path.parent)
    temporary = path.with_name(f".{path.name[:40]}.{secrets.token_hex(6)}.partial")
    # As a plain open would: readable for others as far as the umask allows.
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    if fcntl is None:
        os.close(descriptor)
        return temporary, -1
    with contextlib.suppress(OSError):  # a file system without locks
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return temporary, descriptor


def remove_stale_partials(folder: Path) -> None:
    """Remove from a folder what processes that are no more were writing."""
    if fcntl is None:
        return
    with contextlib.suppress(OSError):  # a folder that cannot be listed is somebody else's matter
        for name in os.listdir(folder):
            if _NAME.fullmatch(name):
                _remove_unless_held(folder / name)


def _remove_unless_held(path: Path) -> None:
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # held: an OSError
            path.unlink()
        finally:
            os.close(descriptor)
