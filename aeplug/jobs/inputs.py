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

#: Stands for names on stdin.
STDIN = "-"

#: Bytes in which a list of names separated by NUL shows that it is one: longer than any name.
_HEAD = 1 << 16
#: With which editors of some systems begin a file of text.
_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Input:
    """A file to read.

    Attributes:
        path: where it lies, as given or as found in a folder that was given.
        place: path of its result under the folder of results, still with the input's suffix:
            below a folder or the fixed part of a pattern the tree is kept, a file named alone
            keeps its name.
        inside: whether it, or what it links to, lies in the folder of results.
    """

    path: str
    place: str
    inside: bool = False

    def source(self) -> dict[str, Any]:
        """What a journal knows it by; without size and time where it cannot be looked at."""
        source: dict[str, Any] = {"path": os.path.abspath(self.path)}
        with contextlib.suppress(OSError, ValueError):
            found = os.stat(self.path)
            source |= {"size": found.st_size, "time": found.st_mtime_ns}
        return source


class Inputs:
    """The files meant by arguments and a list of names; may be walked more than once.

    Args:
        arguments: files, folders, patterns (``**`` goes down folders), or ``-`` for a list on
            stdin. In folders, hidden entries and links to folders are left out, and the folder
            of results too.
        manifest: a list: file of names, one a line or separated by NUL; ``-`` for stdin, empty
            for none. Lists come last. A relative name in a list keeps its folders in the
            results, an absolute one does not.
        suffixes: of the files taken from folders, lower case.
        out: the folder of results.
        skip_unlisted: pass over folders that cannot be listed, and note them.

    Raises:
        FileError: the list cannot be read, or a name is empty.

    Attributes:
        empty: of the latest walk, one line for each folder or pattern without files.
        unlisted: of the latest walk, each folder that was passed over, and why.
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
        self.empty: list[str] = []
        self.unlisted: list[tuple[str, str]] = []
        self._out = os.path.realpath(out)
        self._lists: list[BinaryIO] = []
        if manifest and manifest != STDIN:
            self._lists.append(_opened(manifest))
        if STDIN in (manifest, *arguments):
            self._lists.append(_spooled(sys.stdin.buffer))
        for listed in self._lists:
            weakref.finalize(self, listed.close)

    def __iter__(self) -> Iterator[Input]:
        """Every file in order.

        Raises:
            FileError: a folder cannot be listed.
            ConfigError: the results would go where the inputs are.
        """
        self.empty, self.unlisted = [], []
        for text in self.arguments:
            yield from self._named(os.path.expanduser(text))
        for listed in self._lists:
            for name in _names(listed):
                yield from self._listed(name)

    def _named(self, path: str) -> Iterator[Input]:
        if os.path.isdir(path):
            yield from self._some(path, self._folder(path, ""))
        elif glob.has_magic(path) and not os.path.lexists(path):
            yield from self._some(path, self._pattern(path))
        else:
            yield self._file(path, os.path.basename(path))

    def _listed(self, name: str) -> Iterator[Input]:
        place = os.path.normpath(name)
        is_folder = os.path.isdir(name)
        if os.path.isabs(place) or place.split(os.sep)[0] == os.pardir:
            place = os.curdir if is_folder else os.path.basename(place)
        if is_folder:
            yield from self._some(name, self._folder(name, "" if place == os.curdir else place))
        else:
            yield self._file(name, place)

    def _file(self, path: str, place: str) -> Input:
        try:
            here = os.path.realpath(os.path.dirname(path) or os.curdir)
            inside = self._within(here) or self._within(os.path.realpath(path))
        except ValueError:  # a name with NUL, which no file has
            inside = False
        return Input(path, place, inside)

    def _some(self, what: str, found: Iterator[Input]) -> Iterator[Input]:
        any_found, unlisted = False, len(self.unlisted)
        for one in found:
            any_found = True
            yield one
        if not any_found and len(self.unlisted) == unlisted:
            self.empty.append(f"{shortened(what)} holds none of {', '.join(self.suffixes)}")

    def _pattern(self, pattern: str) -> Iterator[Input]:
        fixed = pattern
        while glob.has_magic(fixed):
            fixed = os.path.dirname(fixed)
        for path in sorted(glob.iglob(pattern, recursive=True)):
            place = os.path.relpath(path, fixed or os.curdir)
            if self._within(os.path.realpath(path)) and not self._within(os.path.realpath(fixed)):
                continue  # results of the run before
            if not os.path.isdir(path):
                if "**" not in pattern or self._read(path):
                    yield self._file(path, place)
            elif "**" not in pattern:  # which goes down by itself
                yield from self._folder(path, place)

    def _folder(self, folder: str, place: str) -> Iterator[Input]:
        real = os.path.realpath(folder)
        if real == self._out:
            raise ConfigError(
                f"--out {folder} would replace the inputs: they lie in that folder; name another"
            )
        yield from self._below(folder, place, real)

    def _below(self, folder: str, place: str, real: str) -> Iterator[Input]:
        inside = self._within(real)
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
            link = os.path.islink(path)
            if self._read(name) and not os.path.isdir(path):
                linked = link and self._within(os.path.realpath(path))
                yield Input(path, os.path.join(place, name), inside or linked)
            elif not link and os.path.isdir(path):
                below = os.path.join(real, name)
                if below != self._out:
                    yield from self._below(path, os.path.join(place, name), below)

    def _read(self, name: str) -> bool:
        return os.path.splitext(name)[1].lower() in self.suffixes

    def _within(self, real: str) -> bool:
        return real == self._out or real.startswith(self._out.rstrip(os.sep) + os.sep)


def _opened(manifest: str) -> BinaryIO:
    try:
        file = open(os.path.expanduser(manifest), "rb")  # noqa: SIM115
    except OSError as error:
        raise FileError(f"{manifest}: {error.strerror}") from error
    if file.seekable():
        return file
    with file:  # a pipe, as the shell's <(find ...)
        return _spooled(file)


def _spooled(stream: BinaryIO) -> BinaryIO:
    """The content of a stream where it can be read more than once."""
    kept = tempfile.TemporaryFile()  # noqa: SIM115
    shutil.copyfileobj(stream, kept)
    return kept


def _names(listed: BinaryIO) -> Iterator[str]:
    listed.seek(0)
    head = listed.read(_HEAD)
    if b"\0" not in head:
        listed.seek(len(_MARK) if head.startswith(_MARK) else 0)
        for line in listed:
            if name := line.rstrip(b"\r\n"):
                yield os.fsdecode(name)
        return
    listed.seek(0)
    rest = b""
    while block := listed.read(1 << 20):
        *names, rest = (rest + block).split(b"\0")
        yield from (os.fsdecode(name) for name in names if name)
    if rest:
        yield os.fsdecode(rest)
