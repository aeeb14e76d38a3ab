"""Files written whole or not at all, and why one could not be read or written."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path

import torch

from aeplug.errors import FileError


def describe_error(error: BaseException, names: Mapping[str, str] | None = None) -> str:
    """An error as one line for a person.

    Args:
        error: what a codec, a model or the system raised.
        names: what to say in place of names that stand in it.
    """
    text = _said(error)
    for name, shown in (names or {}).items():
        text = text.replace(name, shown)
    return " ".join(text.split())


def _said(error: BaseException) -> str:
    text = str(error)
    if isinstance(error, FileError):
        return text
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "can't allocate memory" in text:
        return f"not enough memory: {text}".removesuffix(": ")
    if isinstance(error, OSError):
        place = f"{error.filename2 or error.filename}: " if error.filename else ""
        return f"{place}{error.strerror or text}"
    return f"unexpected error: {type(error).__name__}: {text}"


def require_regular(path: Path) -> None:
    """Refuse what would be read without end, or never open: a pipe, a device.

    Raises:
        FileError: the path leads to something else than a file of content. One that leads
            nowhere is left to whoever opens it.
    """
    with contextlib.suppress(OSError):
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise FileError(f"{path} is no regular file")


def atomic_write(path: Path, content: bytes) -> None:
    """Write a file whole, in place of one of its name, or not at all.

    Raises:
        OSError: it cannot be written; what was there is untouched.
    """
    fresh = path.with_name(path.name + ".new")
    try:
        fresh.write_bytes(content)
        _fsync(fresh)
        fresh.replace(path)
        _fsync(path.parent)
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _fsync(path: Path) -> None:
    with contextlib.suppress(PermissionError):  # folders cannot be opened on Windows
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
