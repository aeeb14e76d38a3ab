"""A collection's ``info.csv``, in the format of Groove MIDI: splits, drummers, styles."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath

from aeplug.errors import DataError

NAME = "info.csv"
#: Required columns.
COLUMNS = ("midi_filename", "split", "drummer", "session", "style")


@dataclass(frozen=True)
class Entry:
    """A performance.

    Attributes:
        split: ``train``, ``validation`` or ``test`` of the collection.
        drummer: who played.
        session: performances of one session are similar.
        style: ``funk/groove1``; the part before the slash is the genre.
    """

    split: str
    drummer: str
    session: str
    style: str


def read_catalogue(path: Path) -> Mapping[str, Entry]:
    """Entries by source as :class:`aeplug_music.midi.sources.Source` writes it; empty with no file.

    Args:
        path: a folder or zip with ``info.csv`` at its top.

    Raises:
        DataError: the file is damaged, or lacks a column.
    """
    try:
        if path.is_dir():
            if not (path / NAME).is_file():
                return {}
            text = (path / NAME).read_text(encoding="utf-8")
        elif zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if NAME not in archive.namelist():
                    return {}
                text = archive.read(NAME).decode("utf-8")
        else:
            return {}
        rows = list(csv.DictReader(io.StringIO(text)))
    except (OSError, UnicodeDecodeError, csv.Error, zipfile.BadZipFile) as error:
        raise DataError(f"{path}: {NAME} cannot be read: {error}") from error
    missing = [name for name in COLUMNS if not rows or not rows[0].get(name)]
    if missing:
        raise DataError(f"{path}: {NAME} has no column {', '.join(missing)}")
    entries = {}
    for row in rows:
        name = PurePath(row["midi_filename"])
        place = str(path / name) if path.is_dir() else f"{path}!{name}"
        entries[place] = Entry(
            row["split"] or "", row["drummer"] or "", row["session"] or "", row["style"] or ""
        )
    return entries
