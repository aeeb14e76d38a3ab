"""Embeddings on disk, ``.npz`` or ``.parquet``, written row by row and renamed when complete."""

from __future__ import annotations

import contextlib
import importlib
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO, Protocol

import numpy as np
import numpy.typing as npt

from aeplug.data.labels import EmbeddingRows
from aeplug.errors import AeplugError, ConfigError, FileError
from aeplug.runtime.files import atomic_replace, require_absent
from aeplug.runtime.libraries import import_library

SUFFIXES = (".npz", ".parquet")

#: Rows that are turned into wide text at a time, and rows of a row group of Parquet.
ROWS = 1 << 14


class _Writer(Protocol):
    def append(self, block: EmbeddingRows) -> None: ...

    def finish(self) -> None: ...

    def close(self) -> None: ...


def check_embedding_file(path: Path, *, overwrite: bool = False) -> None:
    """Check that latents can be written to a file, before they are computed.

    Raises:
        ConfigError: its name ends in no known format, or it is there and not to be replaced.
        AeplugError: pyarrow is missing.

    Example:
        >>> check_embedding_file(Path("latents.csv"))
        Traceback (most recent call last):
            ...
        aeplug.errors.ConfigError: --out latents.csv: expected a name that ends in .npz or .parquet
    """
    _check_suffix(path)
    require_absent(path, overwrite=overwrite)


def _check_suffix(path: Path) -> None:
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"--out {path}: expected a name that ends in {' or '.join(SUFFIXES)}")
    if path.suffix.lower() == ".parquet":
        _pyarrow()


def write_embedding(path: Path, blocks: Iterable[EmbeddingRows]) -> int:
    """Write all rows; until the last is there, ``path`` stays as it was.

    A ``.npz`` has a member for each column and is read by ``numpy.load``; in ``.parquet`` a latent
    is a list of fixed size. One batch is held in memory.

    Returns:
        The number of rows.

    Raises:
        FileError: there is no row, or the file cannot be written.
        AeplugError: ``.parquet`` without pyarrow.

    Example:
        >>> write_embedding(Path("latents.npz"), embed_data(model, items=100))
        100
        >>> np.load("latents.npz")["mean"].shape
        (100, 2)
    """
    _check_suffix(path)
    kind = _Parquet if path.suffix.lower() == ".parquet" else _Npz
    count = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_replace(path) as temporary:
            writer: _Writer = kind(temporary)
            with contextlib.closing(writer):
                for block in blocks:
                    writer.append(block)
                    count += len(next(iter(block.values())))
                if not count:
                    raise FileError("there is no item to embed")
                writer.finish()
    except OSError as error:
        raise FileError(f"{path} cannot be written: {error.strerror or error}") from error
    return count


class _Npz:
    """Columns in files without a name, which become members once their length is known."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._columns: dict[str, _Text | _Numbers] = {}

    def append(self, block: EmbeddingRows) -> None:
        for name, values in block.items():
            if name not in self._columns:
                kind = _Text if values.dtype.kind == "U" else _Numbers
                # On the same disk, which has room for it, and under no name: nothing is left of it.
                self._columns[name] = kind(tempfile.TemporaryFile(dir=self._path.parent))  # noqa: SIM115
            self._columns[name].append(values)

    def finish(self) -> None:
        with zipfile.ZipFile(self._path, "w", allowZip64=True) as archive:
            for name, column in self._columns.items():
                # Text of fixed width is mostly zeros; floats do not get smaller.
                method = zipfile.ZIP_DEFLATED if isinstance(column, _Text) else zipfile.ZIP_STORED
                info = zipfile.ZipInfo(f"{name}.npy")
                info.compress_type = method
                with archive.open(info, "w", force_zip64=True) as member:
                    column.copy_to(member)  # type: ignore[arg-type]
                column.file.close()

    def close(self) -> None:
        for column in self._columns.values():
            column.file.close()


class _Numbers:
    """Numbers of one dtype."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self._rows = file, 0
        self._dtype: np.dtype[np.generic] | None = None
        self._inner: tuple[int, ...] = ()

    def append(self, values: npt.NDArray[np.generic]) -> None:
        if self._dtype is None:
            self._dtype, self._inner = values.dtype, values.shape[1:]
        if values.dtype != self._dtype or values.shape[1:] != self._inner:
            raise AeplugError(f"rows of {self._dtype} {self._inner} and {values.dtype} in a column")
        self._rows += len(values)
        self.file.write(np.ascontiguousarray(values).data)

    def copy_to(self, member: BinaryIO) -> None:
        assert self._dtype is not None
        _header(member, self._dtype, (self._rows, *self._inner))
        self.file.seek(0)
        shutil.copyfileobj(self.file, member, 1 << 20)


class _Text:
    """Text, kept as UTF-8 until the longest is known: numpy's has one width."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self._rows, self._width = file, 0, 1

    def append(self, values: npt.NDArray[np.generic]) -> None:
        for text in values.tolist():
            self.file.write(text.encode("utf-8", "surrogatepass").replace(b"\0", b"") + b"\0")
            self._width = max(self._width, len(text))
        self._rows += len(values)

    def copy_to(self, member: BinaryIO) -> None:
        kind = np.dtype(f"<U{self._width}")
        _header(member, kind, (self._rows,))
        for some in self._some():
            member.write(np.array(some, kind).view(np.uint8).data)

    def _some(self) -> Iterator[list[str]]:
        self.file.seek(0)
        rest = b""
        while block := self.file.read(1 << 18):
            *ready, rest = (rest + block).split(b"\0")
            if ready:
                yield [text.decode("utf-8", "surrogatepass") for text in ready]


def _header(member: BinaryIO, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    described = {
        "descr": np.lib.format.dtype_to_descr(dtype),
        "fortran_order": False,
        "shape": shape,
    }
    np.lib.format.write_array_header_1_0(member, described)


class _Parquet:
    """Row groups of ``ROWS`` rows."""

    def __init__(self, path: Path) -> None:
        self._path, self._arrow = path, _pyarrow()
        self._writer: Any = None
        self._waiting: list[Any] = []
        self._rows = 0

    def append(self, block: EmbeddingRows) -> None:
        arrow = self._arrow
        table = arrow.table({name: self._column(values) for name, values in block.items()})
        self._waiting.append(table)
        self._rows += len(table)
        if self._rows >= ROWS:
            self._flush()

    def finish(self) -> None:
        self._flush()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def _flush(self) -> None:
        if not self._waiting:
            return
        table = self._arrow.concat_tables(self._waiting)
        if self._writer is None:
            self._writer = importlib.import_module("pyarrow.parquet").ParquetWriter(
                str(self._path), table.schema
            )
        self._writer.write_table(table)
        self._waiting, self._rows = [], 0

    def _column(self, values: npt.NDArray[np.generic]) -> Any:
        arrow = self._arrow
        if values.ndim == 1:
            if values.dtype.kind != "U":
                return arrow.array(values)
            # Parquet's text is UTF-8, which names of files need not be: such bytes are escaped.
            escaped = (text.encode("utf-8", "backslashreplace") for text in values.tolist())
            return arrow.array([text.decode() for text in escaped])
        flat = arrow.array(np.ascontiguousarray(values).reshape(-1))
        return arrow.FixedSizeListArray.from_arrays(flat, int(np.prod(values.shape[1:])))


def _pyarrow() -> ModuleType:
    return import_library("pyarrow", "pyarrow", "writing .parquet (a .npz needs nothing)")
