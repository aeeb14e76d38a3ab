"""What a model made, written into a folder: files and a sheet, never over what is there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aeplug.errors import ConfigError, FileError, format_count
from aeplug.runtime.files import disk_full, require_absent
from aeplug.runtime.tracking import track

if TYPE_CHECKING:
    from aeplug.interfaces import Document, PassedThrough
    from aeplug.model.model import Model

#: Columns of a sheet, at most.
COLUMNS = 10
#: Pieces on a sheet of whole documents, of which at least one is shown: more take minutes to draw.
SHEET_PIECES = 256


@dataclass
class Results:
    """Documents that a model made, and the sheet that shows them.

    Attributes:
        documents: each named as its file, without suffix.
        picture: name of the sheet's file.
        title: of the sheet.
        rows: of the sheet: a label, and documents named as their captions.
        inputs: files that the documents were made of; they are never written over.
        facts: what else there is to know of them, JSON-ready.
        remarks: what a person is to know, a line each.

    Example:
        >>> documents = [model.codec.join(model.sample(1, seed), {}, None) for seed in range(3)]
        >>> Results(documents, "digits.png", "three digits", [("sampled", documents)]).rows[0][0]
        'sampled'
    """

    documents: list[Document]
    picture: str
    title: str
    rows: Sequence[tuple[str, Sequence[Document]]]
    inputs: Sequence[Path] = field(default=())
    facts: Mapping[str, Any] = field(default_factory=dict)
    remarks: Sequence[str] = ()

    def add_readings(self, documents: Iterable[Document]) -> None:
        """Note how the files were read, of those where there was a choice."""
        readings = {str(each.source): each.reading for each in documents if each.reading}
        if readings:
            self.facts = {**self.facts, "readings": readings}

    def add_passed(self, model: Model, passed: PassedThrough | None) -> None:
        """Note which pieces of the inputs were passed through."""
        if passed is None or model.guard is None:
            return
        self.facts = {**self.facts, "passed_through": passed.as_dict()}
        if passed.count:
            self.remarks = [*self.remarks, passed.describe(model.guard.pieces)]


@dataclass(frozen=True)
class WrittenResults:
    """Where results lie: ``files`` in the order of their documents, and the ``picture``.

    ``facts`` and ``remarks`` are those of the :class:`Results`.
    """

    files: list[Path]
    picture: Path
    facts: Mapping[str, Any] = field(default_factory=dict)
    remarks: Sequence[str] = ()


def write_results(
    model: Model,
    results: Results,
    out: str | Path,
    options: Mapping[str, Any] | None = None,
    *,
    overwrite: bool = False,
) -> WrittenResults:
    """Write documents and their sheet into a folder.

    Args:
        model: whose codec writes.
        results: what to write.
        out: the folder; made where there is none.
        options: of the codec, by name with hyphens; see :func:`aeplug.model.resolve_options`.
        overwrite: replace results that are there already, but never an input.

    Raises:
        ConfigError: a result would replace an input, or another file without ``overwrite``.
        FileError: a file cannot be written.

    Example:
        >>> written = write_results(model, make_samples(model, 2), "out")
        >>> [path.name for path in written.files], written.picture.name
        (['sample-001.png', 'sample-002.png'], 'samples.png')
    """
    out = Path(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"--out {out}: {error.strerror}") from error
    picture = out / results.picture
    if picture.resolve() in {path.resolve() for path in results.inputs}:
        raise ConfigError(
            f"--out {out} would replace the input {results.picture} by a sheet; name another"
        )
    inputs = {path.resolve().with_suffix("") for path in results.inputs}
    for document in results.documents:
        if (out / document.name).resolve() in inputs:
            raise ConfigError(f"--out {out} would replace the input {document.name}; name another")
    names = {document.name for document in results.documents}
    require_free(out, results.picture, names, overwrite=overwrite)
    files: list[Path] = []
    documents = results.documents
    try:
        for document in track(documents, len(documents), "files"):
            files += model.codec.write(document, out / document.name, options or {})
        model.codec.sheet(results.rows, picture, results.title)
    except (OSError, FileError) as error:
        if full := disk_full(error, out):
            raise FileError(
                f"--out {out}: {full}; {format_count(len(files), 'file')} of "
                f"{len(documents)} written. Make room, and run the same command with --overwrite"
            ) from error
        raise
    return WrittenResults(files, picture, results.facts, results.remarks)


def require_free(
    out: Path, picture: str, names: Collection[str] = frozenset(), *, overwrite: bool = False
) -> None:
    """Refuse to replace results: the sheet ``picture``, and files of these names without suffix.

    Raises:
        ConfigError: there is one, and it is not to be replaced.
        FileError: the folder cannot be listed.

    Example:
        >>> _ = write_results(model, make_samples(model, 2), "out")
        >>> require_free(Path("out"), "samples.png")
        Traceback (most recent call last):
            ...
        aeplug.errors.ConfigError: out/samples.png is there already; give --overwrite to replace it,
            or name another --out
    """
    try:
        there = [] if overwrite or not out.is_dir() else sorted(out.iterdir())
    except OSError as error:
        raise FileError(f"--out {out}: {error.strerror}") from error
    for path in there:
        if path.name == picture or path.stem in names:
            require_absent(path)


def number_documents(documents: Sequence[Document], stem: str, least_digits: int = 2) -> None:
    """Name documents ``stem-01``, ``stem-02``, ..., all with as many digits.

    Example:
        >>> documents = [model.codec.join(model.sample(1, seed), {}, None) for seed in range(2)]
        >>> number_documents(documents, "digit")
        >>> [document.name for document in documents]
        ['digit-01', 'digit-02']
    """
    digits = max(least_digits, len(str(len(documents))))
    for number, document in enumerate(documents, 1):
        document.name = f"{stem}-{number:0{digits}}"


def arrange_in_rows(
    documents: Sequence[Document], title: str, pieces: int = 1
) -> tuple[list[tuple[str, Sequence[Document]]], str]:
    """Rows of a sheet of documents of so many pieces each, and its title.

    Of whole documents that are long the first alone are shown, as the title then says.
    """
    shown = max(1, SHEET_PIECES // pieces)
    if pieces > 1 and len(documents) > shown:
        title = f"{title} (the first {shown} of {len(documents)})"
        documents = documents[:shown]
    columns = max(1, min(COLUMNS, round(len(documents) ** 0.5 + 0.5)))
    starts = range(0, len(documents), columns)
    return [("", documents[start : start + columns]) for start in starts], title
