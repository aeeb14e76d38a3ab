"""What a user names, as typed, -> the files meant: files, folders, zips, globs."""

from __future__ import annotations

import glob
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aeplug.building import Skipped
from aeplug.errors import DataError, FileError
from aeplug_music.midi import InvalidMidi, read_bytes
from aeplug_music.smf import MAX_BYTES

SUFFIXES = (".mid", ".midi")
ZIP = ".zip"


@dataclass(frozen=True, slots=True)
class Source:
    """One file, on disk or in a zip.

    Attributes:
        path: the file or the zip.
        member: its name in the zip; empty on disk.
    """

    path: str
    member: str = ""

    def __str__(self) -> str:
        return f"{self.path}!{self.member}" if self.member else self.path


def find_sources(named: Sequence[str]) -> tuple[list[Source], list[Skipped]]:
    """All files meant, each once, in order of their names; and zips that cannot be opened.

    A folder stands for every MIDI file and zip below it, a zip for every MIDI file in it; a file
    that is named itself is read whatever its ending.

    Raises:
        DataError: a name that nothing answers to.
    """
    found: dict[Source, None] = {}
    skipped: list[Skipped] = []
    for text in named:
        for path in _matches(text):
            if path.is_dir():
                inside = (*SUFFIXES, ZIP)
                files = [p for p in path.rglob("*") if p.suffix.lower() in inside and p.is_file()]
            else:
                files = [path]
            for file in sorted(files):
                if file.suffix.lower() == ZIP:
                    members, damage = _members(file)
                    found.update(dict.fromkeys(members))
                    skipped += damage
                else:
                    found[Source(str(file))] = None
    return list(found), skipped


def _matches(text: str) -> Iterable[Path]:
    path = Path(text).expanduser()
    if path.exists():
        return [path]
    matches = sorted(glob.glob(str(path), recursive=True)) if glob.has_magic(text) else []
    if not matches:
        raise DataError(f"{text}: no such file or folder")
    return [Path(match) for match in matches]


def _members(path: Path) -> tuple[list[Source], list[Skipped]]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = sorted(archive.namelist())
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        return [], [Skipped(str(path), "damaged zip", str(error))]
    return [Source(str(path), name) for name in names if name.lower().endswith(SUFFIXES)], []


@dataclass
class Reader:
    """Reads sources; keeps the zip it read from last open."""

    _path: str = ""
    _archive: zipfile.ZipFile | None = field(default=None, repr=False)

    def read(self, source: Source) -> bytes:
        """A file's content, no more than is admitted plus one byte.

        Raises:
            InvalidMidi: a member larger than what is admitted.
            FileError: it cannot be read.
        """
        if not source.member:
            return read_bytes(Path(source.path))
        try:
            if self._archive is None or self._path != source.path:
                self.close()
                self._archive, self._path = zipfile.ZipFile(source.path), source.path
            # The size a zip claims may be a lie, so no more than the limit is unpacked.
            if self._archive.getinfo(source.member).file_size > MAX_BYTES:
                raise InvalidMidi("file too large", f"over {MAX_BYTES} bytes")
            with self._archive.open(source.member) as file:
                return file.read(MAX_BYTES + 1)
        except FileError:
            raise
        except Exception as error:
            # zipfile raises a dozen types: bad checksums, encryption, unknown compression ...
            raise InvalidMidi("damaged zip member", str(error)) from None

    def close(self) -> None:
        """Close the zip."""
        if self._archive is not None:
            self._archive.close()
        self._archive = None
