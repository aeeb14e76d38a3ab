"""What a user names, as typed, -> the files meant: files, folders, zips, globs."""

from __future__ import annotations

import glob
import struct
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from aeplug.building import Skipped
from aeplug.errors import DataError, FileError
from aeplug_music.midi import InvalidMidi, read_bytes
from aeplug_music.smf import MAX_BYTES

SUFFIXES = (".mid", ".midi")
ZIP = ".zip"

#: A member's header in a zip: signature and the lengths of what follows, 30 bytes.
_LOCAL = struct.Struct("<4s22xHH")
#: Bytes read ahead for a member's name.
_USUAL_NAME = 256


class Packed(NamedTuple):
    """Where a member lies in its zip, so that readers need not list the zip again.

    Attributes:
        place: of its local header, in bytes.
        packed: bytes it takes there.
        size: bytes it has unpacked.
        checksum: CRC-32 of those.
        deflated: False: stored as it is.
    """

    place: int
    packed: int
    size: int
    checksum: int
    deflated: bool


class Source(NamedTuple):
    """One file, on disk or in a zip; a tuple, since millions cross processes.

    Attributes:
        path: the file or the zip.
        member: its name in the zip; empty on disk.
        packed: where it lies in the zip; None on disk, and where only zipfile can unpack it.
    """

    path: str
    member: str = ""
    packed: Packed | None = None

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
            members = archive.infolist()
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        return [], [Skipped(str(path), "damaged zip", str(error))]
    members = [one for one in members if one.filename.lower().endswith(SUFFIXES)]
    members.sort(key=lambda one: one.filename)
    return [Source(str(path), one.filename, _packed(one)) for one in members], []


def _packed(member: zipfile.ZipInfo) -> Packed | None:
    encrypted = member.flag_bits & 1
    if encrypted or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return None
    return Packed(
        member.header_offset,
        member.compress_size,
        member.file_size,
        member.CRC,
        member.compress_type == zipfile.ZIP_DEFLATED,
    )


class Reader:
    """Reads sources; keeps the zip it read from last open, until the ``with`` ends."""

    def __init__(self) -> None:
        self._path = ""
        self._file: BinaryIO | None = None

    def read(self, source: Source) -> bytes:
        """A file's content, no more than is admitted plus one byte.

        Raises:
            InvalidMidi: a damaged member of a zip, or one larger than what is admitted.
            FileError: it cannot be read.
        """
        if not source.member:
            return read_bytes(Path(source.path))
        try:
            if self._file is None or self._path != source.path:
                self.close()
                self._file = Path(source.path).open("rb", buffering=0)  # noqa: SIM115
                self._path = source.path
            if source.packed is not None:
                return _unpacked(self._file, source.packed)
            with zipfile.ZipFile(source.path) as archive, archive.open(source.member) as file:
                return file.read(MAX_BYTES + 1)
        except FileError:
            raise
        except Exception as error:
            # zipfile raises a dozen types: bad checksums, encryption, unknown compression ...
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


def _unpacked(file: BinaryIO, packed: Packed) -> bytes:
    if max(packed.size, packed.packed) > MAX_BYTES:
        raise InvalidMidi("file too large", f"over {MAX_BYTES} bytes")
    file.seek(packed.place)
    # Behind the header stand a name and further fields, of lengths that the header says.
    block = file.read(_LOCAL.size + packed.packed + _USUAL_NAME)
    signature, name, extra = _LOCAL.unpack_from(block)
    start = _LOCAL.size + name + extra
    if start + packed.packed > len(block):
        file.seek(packed.place + start)
        block, start = file.read(packed.packed), 0
    content = block[start : start + packed.packed]
    if packed.deflated:
        # The size a zip claims may be a lie, so no more than the limit is unpacked.
        content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(content, MAX_BYTES + 1)
    if signature != b"PK\3\4" or len(content) != packed.size:
        raise InvalidMidi("damaged zip member", "not where the zip says, or of another size")
    if zlib.crc32(content) != packed.checksum:
        raise InvalidMidi("damaged zip member", "wrong checksum")
    return content
