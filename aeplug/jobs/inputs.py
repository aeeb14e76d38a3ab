"""Which files a command means.

Files, folders (searched recursively), patterns and lists of names are walked lazily and in the
same order every time: ten million names never lie in memory as a list.
"""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import sys
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from aeplug.errors import ConfigError, FileError, shortened
from aeplug.runtime.figures import is_figure

#: Stands for names on stdin.
STDIN = "-"

#: Bytes in which a list of names separated by NUL shows that it is one: longer than any name.
_HEAD = 1 << 16
#: With which editors of some systems begin a file of text.
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Input:
    """A file to read.

    Attributes:
        path: where it lies, as given or as met in a folder that was given.
        target: path of its result under the folder of results, still with the input's suffix:
            below a folder or the fixed part of a pattern the tree is kept, a file named alone
            keeps its name.
        inside: whether it, or what it links to, lies in the folder of results.
    """

    path: str
    target: str
    inside: bool = False

    def fingerprint(self) -> dict[str, Any]:
        """Path, size and time, by which a journal knows it; the path alone where it is gone."""
        known: dict[str, Any] = {"path": os.path.abspath(self.path)}
        with contextlib.suppress(OSError, ValueError):
            status = os.stat(self.path)
            known |= {"size": status.st_size, "time": status.st_mtime_ns}
        return known


class Inputs:
    """The files meant by arguments and a list of names; may be walked more than once.

    Args:
        arguments: files, folders, patterns (``**`` goes down folders), or ``-`` for a list on
            stdin. In folders, hidden entries and links to folders are left out, and the folder
            of results too. Pictures that aeplug drew (sheets, maps, curves) are no items, and are
            left out but for one that is all that is named.
        manifest: a list: file of names, one a line or separated by NUL; ``-`` for stdin, empty
            for none. Lists come last. A relative name in a list keeps its folders in the
            results, an absolute one does not.
        suffixes: of the files taken from folders, lower case.
        out: the folder of results.
        skip_unlisted: pass over folders that cannot be listed, and note them.

    Raises:
        FileError: the list cannot be read, or a name is empty.

    Attributes:
        remarks: of the latest walk, one line for each folder or pattern without files, and one
            for the pictures that were left out.
        unlisted: of the latest walk, each folder that was passed over, and why.

    Example:
        >>> Path("digits/sub").mkdir(parents=True)
        >>> for name in ("a.png", "sub/b.png", "notes.txt"):
        ...     Path("digits", name).touch()
        >>> [(file.path, file.target) for file in Inputs(["digits"], "", [".png"], Path("out"))]
        [('digits/a.png', 'a.png'), ('digits/sub/b.png', 'sub/b.png')]
    """

    def __init__(
        self,
        arguments: Sequence[str],
        manifest: str,
        suffixes: Sequence[str],
        out: Path,
        skip_unlisted: bool = False,
    ) -> None:
        if "" in arguments:  # else it would mean the current folder
            raise FileError("an empty name is no file")
        self.arguments = [text for text in arguments if text != STDIN]
        self.suffixes, self.skip_unlisted = suffixes, skip_unlisted
        self.remarks: list[str] = []
        self.unlisted: list[tuple[str, str]] = []
        self._out = os.path.realpath(out)
        # Files are opened in the first walk alone to see whether they are figures.
        self._figures: set[str] = set()
        self._figures_known = False
        self._lists: list[BinaryIO] = []
        if manifest and manifest != STDIN:
            self._lists.append(_open_list(manifest))
        if STDIN in (manifest, *arguments):
            self._lists.append(_spool(sys.stdin.buffer))
        for file in self._lists:
            weakref.finalize(self, file.close)

    def __iter__(self) -> Iterator[Input]:
        """Every file in order.

        Raises:
            FileError: a folder cannot be listed.
            ConfigError: the results would go where the inputs are.
        """
        self.remarks, self.unlisted = [], []
        for text in self.arguments:
            yield from self._iter_argument(os.path.expanduser(text))
        for file in self._lists:
            for name in _iter_names(file):
                yield from self._iter_list_entry(name)
        self._figures_known = True
        if self._figures:
            first, more = shortened(min(self._figures)), len(self._figures) - 1
            which = f"{first} and {more} more" if more else first
            self.remarks.append(f"left out, being figures that aeplug drew: {which}")

    def _iter_argument(self, path: str) -> Iterator[Input]:
        if os.path.isdir(path):
            yield from self._iter_or_remark(path, self._iter_folder(path, ""))
        elif glob.has_magic(path) and not os.path.lexists(path):
            yield from self._iter_or_remark(path, self._iter_pattern(path))
        elif len(self.arguments) + len(self._lists) == 1 or not self._is_figure(path):
            yield self._make_input(path, os.path.basename(path))

    def _iter_list_entry(self, name: str) -> Iterator[Input]:
        target = os.path.normpath(name)
        is_folder = os.path.isdir(name)
        if os.path.isabs(target) or target.split(os.sep)[0] == os.pardir:
            target = os.curdir if is_folder else os.path.basename(target)
        if is_folder:
            folder = self._iter_folder(name, "" if target == os.curdir else target)
            yield from self._iter_or_remark(name, folder)
        elif not self._is_figure(name):
            yield self._make_input(name, target)

    def _make_input(self, path: str, target: str) -> Input:
        try:
            folder = os.path.realpath(os.path.dirname(path) or os.curdir)
            inside = self._is_within(folder) or self._is_within(os.path.realpath(path))
        except ValueError:  # a name with NUL, which no file has
            inside = False
        return Input(path, target, inside)

    def _iter_or_remark(self, what: str, inputs: Iterator[Input]) -> Iterator[Input]:
        """The same inputs, and a remark where there are none."""
        is_empty, unlisted = True, len(self.unlisted)
        for entry in inputs:
            is_empty = False
            yield entry
        if is_empty and len(self.unlisted) == unlisted:
            self.remarks.append(f"{shortened(what)} holds none of {', '.join(self.suffixes)}")

    def _iter_pattern(self, pattern: str) -> Iterator[Input]:
        fixed = pattern
        while glob.has_magic(fixed):
            fixed = os.path.dirname(fixed)
        for path in sorted(glob.iglob(pattern, recursive=True)):
            target = os.path.relpath(path, fixed or os.curdir)
            real = os.path.realpath(path)
            if self._is_within(real) and not self._is_within(os.path.realpath(fixed)):
                continue  # results of the run before
            if not os.path.isdir(path):
                if ("**" not in pattern or self._has_suffix(path)) and not self._is_figure(path):
                    yield self._make_input(path, target)
            elif "**" not in pattern:  # which goes down by itself
                yield from self._iter_folder(path, target)

    def _iter_folder(self, folder: str, target: str) -> Iterator[Input]:
        real = os.path.realpath(folder)
        if real == self._out:
            raise ConfigError(
                f"--out {folder} would replace the inputs: they lie in that folder; name another"
            )
        yield from self._iter_below(folder, target, real)

    def _iter_below(self, folder: str, target: str, real: str) -> Iterator[Input]:
        inside = self._is_within(real)
        try:
            with os.scandir(folder) as entries:
                # Two entries a name would be held if these were sorted as entries.
                names = sorted(entry.name for entry in entries if entry.name[0] != ".")
        except OSError as error:
            reason = f"{shortened(folder)}: folder cannot be listed: {error.strerror}"
            if not self.skip_unlisted:
                raise FileError(reason) from error
            self.unlisted.append((folder, reason))
            return
        for name in names:
            path = os.path.join(folder, name)
            is_link = os.path.islink(path)
            if self._has_suffix(name) and not os.path.isdir(path):
                if not self._is_figure(path):
                    linked = is_link and self._is_within(os.path.realpath(path))
                    yield Input(path, os.path.join(target, name), inside or linked)
            elif not is_link and os.path.isdir(path):
                below = os.path.join(real, name)
                if below != self._out:
                    yield from self._iter_below(path, os.path.join(target, name), below)

    def _has_suffix(self, name: str) -> bool:
        return os.path.splitext(name)[1].lower() in self.suffixes

    def _is_figure(self, path: str) -> bool:
        if not self._figures_known and is_figure(path):
            self._figures.add(path)
        return path in self._figures

    def _is_within(self, real: str) -> bool:
        return real == self._out or real.startswith(self._out.rstrip(os.sep) + os.sep)


def _open_list(manifest: str) -> BinaryIO:
    try:
        file = open(os.path.expanduser(manifest), "rb")  # noqa: SIM115
    except OSError as error:
        raise FileError(f"{manifest}: {error.strerror}") from error
    if file.seekable():
        return file
    with file:  # a pipe, as the shell's <(find ...)
        return _spool(file)


def _spool(stream: BinaryIO) -> BinaryIO:
    """The content of a stream where it can be read more than once."""
    spooled = tempfile.TemporaryFile()  # noqa: SIM115
    shutil.copyfileobj(stream, spooled)
    return spooled


def _iter_names(file: BinaryIO) -> Iterator[str]:
    file.seek(0)
    head = file.read(_HEAD)
    if b"\0" not in head:
        file.seek(len(_BYTE_ORDER_MARK) if head.startswith(_BYTE_ORDER_MARK) else 0)
        for line in file:
            if name := line.rstrip(b"\r\n"):
                yield os.fsdecode(name)
        return
    file.seek(0)
    rest = b""
    while block := file.read(1 << 20):
        *names, rest = (rest + block).split(b"\0")
        yield from (os.fsdecode(name) for name in names if name)
    if rest:
        yield os.fsdecode(rest)
