"""Files, folders, zips and globs as typed by the user -> the files they stand for."""

from __future__ import annotations

import glob
import os
import zipfile
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from aeplug.data import Skipped
from aeplug.errors import DataError, FileError
from aeplug_audio.files import RECORDING_SUFFIXES
from aeplug_music.midi.archives import NO_ENTRY, ZIP, Int, ZipEntry, list_members, unpack
from aeplug_music.midi.reading import read_bytes
from aeplug_music.midi.smf import MAX_BYTES, InvalidMidi
from aeplug_music.midi.suffixes import MIDI_SUFFIXES, NOTATION_SUFFIXES

_UNPACK = "not opened; unpack the outer zip and build from the folder"

#: Files on disk per listing.
_AT_ONCE = 1024
#: Buffer of a zip, bytes: some thirty tunes, if they are stored in the order of their names.
_BUFFER = 2**14


class Source(NamedTuple):
    """A file, on disk or in a zip.

    Attributes:
        path: of the file or the zip.
        member: name in the zip; empty: on disk.
        packed: where it is in the zip; None: on disk, or only zipfile can unpack it.
    """

    path: str
    member: str = ""
    packed: ZipEntry | None = None

    def __str__(self) -> str:
        return f"{self.path}!{self.member}" if self.member else self.path


@dataclass(frozen=True)
class Listing:
    """Files as columns: millions of them cross processes, and objects are slow to send.

    Attributes:
        paths, members: see :class:`Source`, ``n`` each.
        packed: a :class:`ZipEntry` or ``NO_ENTRY`` for each, int64 ``(n, 5)``.
    """

    paths: list[str]
    members: list[str]
    packed: Int

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[Source]:
        for path, member, row in zip(self.paths, self.members, self.packed.tolist(), strict=True):
            yield Source(path, member, ZipEntry._make(row) if row[0] >= 0 else None)

    def select(self, first: int, end: int) -> Listing:
        """Files ``first`` to ``end - 1``."""
        return Listing(self.paths[first:end], self.members[first:end], self.packed[first:end])

    def names(self) -> list[str]:
        """Names of the files for the user: ``str`` of each source."""
        return [
            f"{path}!{member}" if member else path
            for path, member in zip(self.paths, self.members, strict=True)
        ]


def concat_listings(listings: Sequence[Listing]) -> Listing:
    """Concatenate listings; at least one."""
    if len(listings) == 1:
        return listings[0]
    return Listing(
        [path for listing in listings for path in listing.paths],
        [member for listing in listings for member in listing.members],
        np.concatenate([listing.packed for listing in listings]),
    )


def find_sources(
    names: Sequence[str], suffixes: tuple[str, ...] = MIDI_SUFFIXES
) -> tuple[list[Source], list[Skipped]]:
    """Find all that :func:`list_sources` lists, and what cannot be listed."""
    skipped: list[Skipped] = []
    listings = list_sources(names, skipped, suffixes=suffixes)
    return [source for listing in listings for source in listing], skipped


def list_sources(
    names: Sequence[str],
    skipped: list[Skipped],
    recordings: list[str] | None = None,
    suffixes: tuple[str, ...] = MIDI_SUFFIXES,
    scores: list[Source] | None = None,
) -> Iterator[Listing]:
    """List all files meant, each once; folders and zips in order of their names.

    A folder stands for every file with such a suffix and every zip below it, a zip for every such
    file in it, but not for zips in it; a file that is named itself is listed whatever its suffix.

    Args:
        names: files, folders, zips, globs.
        skipped: receives zips and folders that cannot be listed, and zips in zips.
        recordings: receives recordings that are named or in folders; None: those in folders are
            ignored.
        suffixes: of the files to list in folders and zips, lower case.
        scores: receives files of notation, named or in folders and zips; None: as recordings.

    Raises:
        DataError: a name matches nothing; raised before anything is listed.
    """
    matches = [str(path) for text in names for path in _expand(text)]
    endings = (
        *(*suffixes, ZIP),
        *(RECORDING_SUFFIXES if recordings is not None else ()),
        *(NOTATION_SUFFIXES if scores is not None else ()),
    )
    paths = (path for match in matches for path in _walk_files(match, skipped, endings))
    return _iter_listings(paths, skipped, recordings, suffixes, scores)


def _iter_listings(
    paths: Iterable[str],
    skipped: list[Skipped],
    recordings: list[str] | None,
    suffixes: tuple[str, ...],
    scores: list[Source] | None,
) -> Iterator[Listing]:
    notation = () if scores is None else NOTATION_SUFFIXES
    seen: set[str] = set()
    loose: list[str] = []
    for path in paths:
        if path in seen:
            continue
        seen.add(path)
        ending = _suffix_of(os.path.basename(path))
        if recordings is not None and ending in RECORDING_SUFFIXES:
            recordings.append(path)
            continue
        if scores is not None and ending in notation:
            scores.append(Source(path))
            continue
        if ending != ZIP:
            loose.append(path)
            if len(loose) == _AT_ONCE:
                yield _list_on_disk(loose)
                loose = []
            continue
        if loose:
            yield _list_on_disk(loose)
            loose = []
        try:
            names, packed, zips = list_members(path, (*suffixes, *notation))
        except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            skipped.append(Skipped(path, "damaged zip", str(error)))
        else:
            skipped += [Skipped(str(Source(path, name)), "zip in a zip", _UNPACK) for name in zips]
            listing = Listing([path] * len(names), names, packed)
            if scores is not None:
                listing = _take_scores(listing, scores)
            yield listing
    if loose:
        yield _list_on_disk(loose)


def _take_scores(listing: Listing, scores: list[Source]) -> Listing:
    """Move files of notation from a listing to ``scores``; returns the rest."""
    is_score = np.array([_suffix_of(name) in NOTATION_SUFFIXES for name in listing.members], bool)
    if not is_score.any():
        return listing
    scores += [source for source, one in zip(listing, is_score.tolist(), strict=True) if one]
    rest = np.flatnonzero(~is_score)
    members = [listing.members[number] for number in rest.tolist()]
    return Listing([listing.paths[0]] * len(members), members, listing.packed[rest])


def _list_on_disk(paths: list[str]) -> Listing:
    return Listing(paths, [""] * len(paths), np.tile(np.array(NO_ENTRY), (len(paths), 1)))


def _expand(text: str) -> Iterable[Path]:
    path = Path(text).expanduser()
    if path.exists():
        return [path]
    matches = sorted(glob.glob(str(path), recursive=True)) if glob.has_magic(text) else []
    if not matches:
        raise DataError(f"{text}: no such file or folder")
    return [Path(match) for match in matches]


def _walk_files(path: str, skipped: list[Skipped], endings: Container[str]) -> Iterator[str]:
    """Yield the path itself or, for a folder, the files below it with such suffixes, in order."""
    if not os.path.isdir(path):
        if os.path.isfile(path):
            yield path
        else:  # reading a pipe would block
            skipped.append(Skipped(path, "no regular file"))
        return
    try:
        with os.scandir(path) as entries:
            inside = sorted(entries, key=lambda entry: os.path.normcase(entry.name))
    except OSError as error:
        skipped.append(Skipped(path, "folder cannot be listed", error.strerror or str(error)))
        return
    before = "" if path == os.curdir else os.path.join(path, "")
    for entry in inside:
        # Links to folders are not followed: they may form a cycle.
        if entry.is_dir(follow_symlinks=False):
            yield from _walk_files(before + entry.name, skipped, endings)
        elif _suffix_of(entry.name) not in endings:
            continue
        elif os.path.isfile(entry.path):
            yield before + entry.name
        elif not entry.is_dir():
            skipped.append(Skipped(before + entry.name, "no regular file"))


def _suffix_of(name: str) -> str:
    stem, dot, ending = name.rpartition(".")
    return dot + ending.lower() if stem and ending else ""


class Reader:
    """Reads sources; keeps the last zip open until the ``with`` block ends."""

    def __init__(self) -> None:
        self._path = ""
        self._file: BinaryIO | None = None

    def read(self, source: Source) -> bytes:
        """Read a file, at most one byte more than is accepted.

        Raises:
            InvalidMidi: a member of a zip is damaged or too large.
            FileError: it cannot be read.
        """
        if not source.member:
            return read_bytes(Path(source.path))
        try:
            if self._file is None or self._path != source.path:
                self.close()
                self._file = open(source.path, "rb", buffering=_BUFFER)  # noqa: SIM115
                self._path = source.path
            if source.packed is not None:
                return unpack(self._file, source.packed)
            with zipfile.ZipFile(source.path) as archive, archive.open(source.member) as file:
                return file.read(MAX_BYTES + 1)
        except FileError:
            raise
        except Exception as error:
            # zipfile raises a dozen types: for bad checksums, encryption, unknown compression ...
            raise InvalidMidi("damaged zip member", str(error)) from None

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the zip."""
        if self._file is not None:
            self._file.close()
        self._file = None
