"""Files written whole or not at all, and why one could not be read or written."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aeplug.errors import ConfigError, FileError
from aeplug.runtime.partial_files import create_partial

#: With less than this left, in bytes, a disk counts as full where something cannot be written.
FULL = 1 << 20

_NO_MEMORY = re.compile("out of memory|can't allocate memory")
_ALLOCATED = re.compile(
    r"(?:can't allocate memory.*|[Tt]ried to allocate |Unable to allocate )"
    r"(?<![\d.])([\d.]+) (?:bytes|([KMGT]iB))"
)

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def describe_error(error: BaseException, names: Mapping[str, str] | None = None) -> str:
    """An error as one line for a person.

    Args:
        error: what a codec, a model or the system raised.
        names: what to say in place of names that stand in it.
    """
    text = _describe(error)
    for name, shown in (names or {}).items():
        text = text.replace(name, shown)
    return " ".join(text.split())


def _describe(error: BaseException) -> str:
    text = str(error)
    if isinstance(error, FileError):
        return text
    if memory := describe_lack_of_memory(error):
        return memory
    if isinstance(error, OSError):
        place = f"{error.filename2 or error.filename}: " if error.filename else ""
        return f"{place}{error.strerror or text}"
    return f"unexpected error: {type(error).__name__}: {text}"


def describe_lack_of_memory(error: BaseException) -> str:
    """One line where an error says that memory is short, of the machine or a device; else empty.

    Example:
        >>> describe_lack_of_memory(RuntimeError("you tried to allocate 8192000000 bytes"))
        'not enough memory for 8.2 GB more'
        >>> describe_lack_of_memory(RuntimeError("sizes do not match"))
        ''
    """
    text = " ".join(str(error).split())
    if size := _ALLOCATED.search(text):
        number, unit = float(size[1]), size[2]
        if not unit:
            number, unit = number / 1e9, "GB"
        return f"not enough memory for {number:,.{0 if number >= 100 else 1}f} {unit} more"
    is_meant = isinstance(error, MemoryError) or _NO_MEMORY.search(text)
    # Numbers of values beyond what fits 64 bits.
    if is_meant or "Storage size calculation overflowed" in text:
        return "not enough memory"
    return ""


def describe_write_error(error: BaseException, folder: Path) -> str:
    """Why something was not written into ``folder``, in the system's words as far as it gave any.

    Encoders lose the reason: where they fail on a disk that has no room left, that is it.

    Example:
        >>> describe_write_error(OSError(28, "No space left on device", "a.png"), Path("."))
        'No space left on device'
        >>> describe_write_error(ValueError("no such colour"), Path("."))
        'no such colour'
    """
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return os.strerror(errno.ENOSPC) if _has_no_room(folder) else " ".join(str(error).split())


def disk_full(error: BaseException, folder: Path) -> str:
    """The system's words where a file could not be written for want of room, else empty."""
    if not isinstance(error, (OSError, FileError)):
        return ""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _FULL:
            return cause.strerror or os.strerror(cause.errno)
        cause = cause.__cause__
    # Encoders lose the reason that the system gave.
    return os.strerror(errno.ENOSPC) if _has_no_room(folder) else ""


def _has_no_room(folder: Path) -> bool:
    place = folder.absolute()
    with contextlib.suppress(OSError):
        while not place.exists():
            place = place.parent
        return shutil.disk_usage(place).free < FULL
    return False


def require_regular(path: Path) -> None:
    """Refuse what would be read without end, or never open: a pipe, a device.

    Raises:
        FileError: the path leads to something else than a file of content. One that leads
            nowhere is left to whoever opens it.

    Example:
        >>> require_regular(Path("."))
        Traceback (most recent call last):
            ...
        aeplug.errors.FileError: . is a folder, expected a file
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return
    if stat.S_ISDIR(mode):
        raise FileError(f"{path} is a folder, expected a file")
    if not stat.S_ISREG(mode):
        raise FileError(f"{path} is no regular file")


def require_absent(path: Path, option: str = "--out", *, overwrite: bool = False) -> None:
    """Refuse to replace a result, unless ``overwrite``.

    Raises:
        ConfigError: the file is there; ``option`` is what named it.
    """
    if path.exists() and not overwrite:
        raise ConfigError(
            f"{path} is there already; give --overwrite to replace it, or name another {option}"
        )


def require_new_folder(folder: str | Path, option: str = "--out") -> Path:
    """The folder to write to, which holds nothing yet.

    Raises:
        FileError: there is something in it; ``option`` is what named it.

    Example:
        >>> _ = Path("a.txt").write_text("")
        >>> require_new_folder("out").name
        'out'
        >>> require_new_folder(".")
        Traceback (most recent call last):
            ...
        aeplug.errors.FileError: --out . exists and is not empty; name a new folder
    """
    path = Path(folder).expanduser()
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise FileError(f"{option} {folder} exists and is not empty; name a new folder")
    return path


@contextmanager
def atomic_replace(path: Path, *, fsync: bool = False) -> Iterator[Path]:
    """A new file to be written in the block, which takes the place of ``path`` when that is done.

    Whatever moment a kill picks, ``path`` is what it was or the whole new file; what the kill left
    is removed when a file of that folder is next written. Where the block raises, what was there is
    untouched and the new file is removed.

    Args:
        path: the file's final place; its folder exists.
        fsync: bring the content to the disk before it takes its place, so that a power cut leaves
            no empty file.

    Yields:
        A file of that folder, empty; its name is hidden, begins with that of ``path`` and is not
        to be guessed, so that nobody can have put a link there.

    Raises:
        OSError: it cannot be written; where the error names a file, it is ``path``.

    Example:
        >>> with atomic_replace(Path("a.npy")) as temporary, temporary.open("wb") as file:
        ...     np.save(file, np.zeros(3))
        >>> np.load("a.npy").shape
        (3,)
    """
    try:
        temporary, descriptor = create_partial(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    try:
        yield temporary
        if fsync:
            fsync_path(temporary)
        temporary.replace(path)
    except OSError as error:
        if error.filename == str(temporary):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if descriptor >= 0:
            os.close(descriptor)


def atomic_write(path: Path, content: bytes | str) -> None:
    """Write a file (text as UTF-8) whole, in place of one of its name, or not at all.

    It is on the disk afterwards, its name too.

    Raises:
        OSError: it cannot be written; what was there is untouched.

    Example:
        >>> atomic_write(Path("a.txt"), "whole")
        >>> Path("a.txt").read_text()
        'whole'
    """
    with atomic_replace(path, fsync=True) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
    fsync_path(path.parent)


def encode_json(value: Any) -> str:
    """JSON in one line, readable, that UTF-8 can hold whatever names of files are in it.

    A file may have a name that is no text: Python reads such bytes as halves of a character, which
    UTF-8 refuses. They are written as escapes, of which ``json.loads`` makes the same name again.

    Example:
        >>> import os
        >>> encode_json({"source": os.fsdecode("é".encode() + b" \\xe9.png")})
        '{"source": "é \\\\udce9.png"}'
    """
    text = json.dumps(value, ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace").decode()


@contextmanager
def text_path(path: Path) -> Iterator[str]:
    """A path by which a file can be read in the block, for libraries that know only UTF-8.

    Raises:
        OSError: the file cannot be opened, where its own path is not UTF-8.

    Example:
        >>> with text_path(Path("weights.safetensors")) as name:
        ...     name
        'weights.safetensors'
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            yield f"/dev/fd/{descriptor}"
        finally:
            os.close(descriptor)
    else:
        yield str(path)


def hash_file(path: Path) -> str:
    """The sha256 of a file's content, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def fsync_path(path: Path) -> None:
    """Bring a file's content, or a folder's names, to the disk."""
    with contextlib.suppress(PermissionError):  # folders cannot be opened on Windows
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
