"""Whether a codec's files hold what they were given, and bad files are refused."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from aeplug.checks.outcome import CheckMismatch, describe_failure, expect, expect_no_error
from aeplug.checks.subject import Subject
from aeplug.errors import FileError
from aeplug.interfaces import Codec, Document, LossyCodec, RawBatch, supports
from aeplug.model.model import Model

#: What a file's format may take from real values of the range 1 (8 bits take 0.002) ...
LOSS_OF_VALUES = 0.02
#: ... and the share of tokens that it may write in another way.
LOSS_OF_TOKENS = 0.1

PNG = b"\x89PNG"


def check_codec(subject: Subject) -> str:
    """Written and read, an item is itself; written again, nothing more is lost."""
    model = subject.model()
    batch = subject.batch()
    item = batch.target[:1]
    cond = {name: value[:1] for name, value in batch.cond.items()}
    spec = subject.plugins.find("codec", subject.config.sections["codec"].name)
    options = {option.name: option.default for option in spec.options}
    with TemporaryDirectory(prefix="aeplug-check-") as folder:
        with expect_no_error("join of the codec, without 'like'"):
            document = model.codec.join(item, cond, None)
        expect(isinstance(document, Document), "join to give a Document", type(document).__name__)
        path = write_document(model.codec, document, Path(folder) / "first", options)
        expect(
            path.suffix.lower() in spec.suffixes or not spec.suffixes,
            f"a file with a suffix that the codec reads ({', '.join(spec.suffixes)})",
            f"'{path.suffix}'",
        )
        read, rows = read_back(model.codec, path)
        lost = _check_kept(model, rows, item)
        second = write_document(model.codec, read, Path(folder) / "second", options)
        _check_same(rows, read_back(model.codec, second)[1])
        _check_sheet(model.codec, document, Path(folder) / "sheet.png")
        _check_bad_files(model.codec, Path(folder), path.suffix)
    return f"{path.suffix}, {lost}"


def write_document(codec: Codec, document: Document, stem: Path, options: dict[str, Any]) -> Path:
    """The first of the files that the codec writes of a document, all of them checked."""
    with expect_no_error("write of the codec"):
        files = codec.write(document, stem, options)
    expect(
        isinstance(files, list) and len(files) > 0 and all(isinstance(f, Path) for f in files),
        "write to give a list of the files written",
        f"{files!r:.80}",
    )
    for file in files:
        expect(file.is_file(), f"the file {file.name} that write names", "no such file")
        expect(
            file.parent == stem.parent and file.name.startswith(stem.name),
            f"files named as the stem '{stem.name}' plus a suffix, beside each other",
            f"'{file.name}'" if file.parent == stem.parent else "another folder",
        )
    return files[0]


def read_back(codec: Codec, path: Path) -> tuple[Document, RawBatch]:
    """A file's document and its pieces."""
    with expect_no_error("read and split of a file that the codec wrote"):
        document = codec.read(path)
        rows = codec.split(document)
    good = isinstance(rows, dict) and rows and all(isinstance(v, Tensor) for v in rows.values())
    expect(good, "split to give tensors by name, as rows of the data set", f"{rows!r:.80}")
    return document, rows


def _check_kept(model: Model, rows: RawBatch, item: Tensor) -> str:
    with expect_no_error("prepare, on what split gives of a file"):
        batch = model.prepare_file(rows)
    restored = batch.target
    if restored.shape != item.shape:
        # Restoration: the file is what goes in, and its target is not known.
        restored = batch.input
    expect(
        restored.shape == item.shape,
        f"an item that was written and read to be {tuple(item.shape)}",
        f"{tuple(restored.shape)}",
    )
    if model.shape.classes:
        other = (restored != item).float().mean().item()
        expect(
            other <= LOSS_OF_TOKENS,
            f"at least {1 - LOSS_OF_TOKENS:.0%} of an item's tokens to be kept in a file",
            f"{1 - other:.0%}",
        )
        return f"{1 - other:.0%} of tokens kept"
    span = max((item.max() - item.min()).item(), 1e-6)
    gap = (restored - item).abs().mean().item() / span
    most = model.codec.file_loss if supports(model.codec, LossyCodec) else LOSS_OF_VALUES
    expect(
        gap <= most,
        f"an item's values to be kept in a file within {most:g} of their range",
        f"{gap:.3g} on average",
    )
    return f"values within {gap:.1g} of their range"


def _check_same(first: RawBatch, second: RawBatch) -> None:
    same = first.keys() == second.keys() and all(
        first[name].shape == second[name].shape and torch.equal(first[name], second[name])
        for name in first
    )
    expect(same, "a file read, written and read again to hold the same", "other rows")


def _check_sheet(codec: Codec, document: Document, path: Path) -> None:
    with expect_no_error("sheet of the codec"):
        codec.sheet([("items", [document, document]), ("again", [document])], path, "a check")
    drawn = path.is_file() and path.read_bytes()[:4] == PNG
    expect(drawn, "sheet to draw a PNG", "another file" if path.is_file() else "no file")


def _check_bad_files(codec: Codec, folder: Path, suffix: str) -> None:
    contents = {"empty": b"", "garbage": bytes(range(256)) * 8, "missing": None}
    for name, content in contents.items():
        path = folder / f"{name}{suffix}"
        if content is not None:
            path.write_bytes(content)
        try:
            codec.read(path)
        except FileError:
            continue
        except Exception as error:
            raise CheckMismatch(
                f"read to raise aeplug.errors.FileError for a file that is {name}, so that the "
                f"rest of a job goes on",
                describe_failure(error),
            ) from error
        raise CheckMismatch(
            f"read to raise FileError for a file that is {name}", "that it was read"
        )
