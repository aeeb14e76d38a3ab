"""What a model made, written into a folder: files and a sheet, never over what is there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aeplug.errors import ConfigError, FileError
from aeplug.runtime.console import say

if TYPE_CHECKING:
    from aeplug.interfaces import Document
    from aeplug.model.model import Model


def write_documents(
    model: Model,
    documents: Iterable[Document],
    out: Path,
    options: Mapping[str, Any],
    inputs: Sequence[Path] = (),
    page: str = "",
    overwrite: bool = False,
) -> None:
    """Write documents into ``out`` and say so in one line; never over one of ``inputs``.

    ``page`` is the name of a sheet that the caller is going to draw there. Over what else is
    there only to ``overwrite``.
    """
    documents = list(documents)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"--out {out}: {error.strerror}") from error
    if page and (out / page).resolve() in {path.resolve() for path in inputs}:
        raise ConfigError(f"--out {out} would replace the input {page} by a sheet; name another")
    kept = {path.resolve().with_suffix("") for path in inputs}
    for document in documents:
        if (out / document.name).resolve() in kept:
            raise ConfigError(f"--out {out} would replace the input {document.name}; name another")
    require_free(out, page, overwrite, {document.name for document in documents})
    written: list[Path] = []
    for document in documents:
        written += model.codec.write(document, out / document.name, options)
    if len(written) == 1:
        say(f"wrote {written[0]}")
    elif written:
        say(f"wrote {len(written)} files, {written[0]} to {written[-1].name}")


def require_free(
    out: Path, page: str, overwrite: bool, names: Collection[str] = frozenset()
) -> None:
    """Refuse to replace results: the sheet ``page``, and files of these names without suffix.

    Raises:
        ConfigError: there is one, and it is not to be replaced.
        FileError: the folder cannot be listed.
    """
    try:
        there = [] if overwrite or not out.is_dir() else sorted(out.iterdir())
    except OSError as error:
        raise FileError(f"--out {out}: {error.strerror}") from error
    for path in there:
        if path.name == page or path.stem in names:
            raise ConfigError(
                f"{path} is there already; give --overwrite to replace it, or name another --out"
            )
