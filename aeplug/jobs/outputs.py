"""Where results go: the name of each, and what is never written over."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from aeplug.errors import ConfigError, FileError, shortened


class Targets:
    """The name of each result, which only one input may have.

    Of several inputs with results of one name, one that has this very name gets it, else the first
    in order; the others get ``-2``, ``-3`` behind the stem. With the same inputs every run gives
    the same names. An input that is named twice is done once. About 250 bytes a file are kept.

    Example:
        >>> targets = Targets()
        >>> inputs = [("in/a.gif", "a.gif"), ("in/a.png", "a.png")]
        >>> for source, wanted in inputs:
        ...     targets.reserve(source, wanted, ".png")
        >>> [targets.assign(source, wanted, ".png") for source, wanted in inputs]
        ['a-2.png', 'a.png']
    """

    # Hashes of 64 bits: that two names of ten million have one is as likely as 3 in a million, and
    # then the later is numbered.

    def __init__(self) -> None:
        self._owners: dict[int, int] = {}
        self._reserved: dict[int, int] = {}

    def reserve(self, source: str, wanted: str, suffix: str) -> None:
        """Keep a name for the input that has it; of all inputs, before any is assigned one."""
        target = name_result(wanted, suffix)
        if target.lower() == wanted.lower():
            self._reserved.setdefault(hash(target), hash(os.path.abspath(source)))

    def assign(self, source: str, wanted: str, suffix: str) -> str | None:
        """The result's path under the folder of results; None for an input met before."""
        stem, _ = os.path.splitext(wanted)
        owner = hash(os.path.abspath(source))
        number, target = 1, name_result(wanted, suffix)
        while True:
            key = hash(target)
            known = self._owners.get(key)
            if known == owner:
                return None
            if known is None and self._reserved.get(key, owner) == owner:
                self._owners[key] = owner
                return target
            number += 1
            target = f"{stem}-{number}{suffix}"

    def restart(self) -> None:
        """Assign anew, from the first input on; what is reserved stays so."""
        self._owners = {}


def name_result(wanted: str, suffix: str) -> str:
    """The path of a result that has its name to itself."""
    return os.path.splitext(wanted)[0] + suffix


class Results:
    """The folder of results, in which inputs may lie too.

    Args:
        out: the folder; it may not exist yet.
        overwrite: whether files that are not the job's own may be replaced.
    """

    def __init__(self, out: Path, overwrite: bool) -> None:
        self.out, self.overwrite = out, overwrite
        self._real = os.path.realpath(out)
        self._folders: dict[str, str] = {}
        self._inputs: set[tuple[int, int]] = set()

    def protect(self, path: str, target: str) -> None:
        """Remember an input that lies in the folder: it is never replaced.

        Raises:
            ConfigError: its own result would have to.
        """
        with contextlib.suppress(OSError):
            status = os.lstat(path)
            self._inputs |= {_identity(status), _identity(os.stat(path))}
            if _identity(os.lstat(self.out / target)) == _identity(status):
                raise ConfigError(
                    f"--out {self.out} would replace the input {Path(target).stem}; name another"
                )

    def check(self, target: str, owned: bool) -> None:
        """Whether a result may be written.

        Args:
            target: path relative to the folder.
            owned: whether what may lie there is an earlier result of the job.

        Raises:
            FileError: it may not, or cannot.
        """
        try:
            self._check(target, owned)
        except (OSError, ValueError) as error:  # a name too long, a folder closed to us
            reason = error.strerror if isinstance(error, OSError) else error
            raise FileError(f"{shortened(str(self.out / target))}: {reason}") from error

    def _check(self, target: str, owned: bool) -> None:
        path, folder = self.out / target, os.path.dirname(target)
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(path.parent)
        if os.path.commonpath([self._folders[folder], self._real]) != self._real:
            raise FileError(f"{path} would lie outside of {self.out}, through a link")
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            status = os.lstat(path)
            if path.is_dir():
                raise FileError(f"{path} is a folder")
            if _identity(status) in self._inputs:
                raise FileError(f"{path} is an input, and inputs are never replaced")
            if not (owned or self.overwrite):
                raise FileError(f"{path} is there, and not of this job; give --overwrite")


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
