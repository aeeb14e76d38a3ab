"""The members of a zip: where each is stored, and its content.

zipfile makes an object of every member; the usual kind of directory is parsed as a whole here, in a
tenth of the time. Anything unusual is left to zipfile.
"""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from aeplug_music.midi.smf import MAX_BYTES, InvalidMidi, LimitExceeded

Int = npt.NDArray[np.int64]

ZIP = ".zip"

#: A member's header of 30 bytes: signature, lengths of the name and of further fields.
_LOCAL = struct.Struct("<4s22xHH")
#: End of the directory: signature, members, bytes, position, bytes of a comment.
_END = struct.Struct("<4s4xHHIIH")
#: An entry of the directory, between its signature and its name.
_ENTRY_SIGNATURE = b"PK\1\2"
_ENTRY = np.dtype(
    [
        ("made", "<u2"),
        ("needed", "u1"),
        ("system", "u1"),
        ("flags", "<u2"),
        ("method", "<u2"),
        ("changed", "<u4"),
        ("checksum", "<u4"),
        ("packed", "<u4"),
        ("size", "<u4"),
        ("name", "<u2"),
        ("extra", "<u2"),
        ("comment", "<u2"),
        ("disk", "<u2"),
        ("internal", "<u2"),
        ("external", "<u4"),
        ("place", "<u4"),
    ]
)
_ENCRYPTED, _UTF8 = 1, 0x800
#: A number of 32 bits that refers to one of 64 bits elsewhere.
_ELSEWHERE = 2**32 - 1
#: Latest version of the format that zipfile reads, times ten.
_LATEST = 63


class ZipEntry(NamedTuple):
    """Where a member is in its zip, so that readers need not list the zip again.

    Attributes:
        place: position of its local header, bytes.
        packed: compressed size, bytes.
        size: uncompressed size, bytes.
        checksum: CRC-32 of the content.
        deflated: 1: deflated; 0: stored.
    """

    place: int
    packed: int
    size: int
    checksum: int
    deflated: int


#: In place of a :class:`ZipEntry` where only zipfile can unpack the member, or there is no zip.
NO_ENTRY = (-1, 0, 0, 0, 0)


def list_members(path: str, endings: tuple[str, ...]) -> tuple[list[str], Int, list[str]]:
    """List the files in a zip with such endings, sorted by name.

    Returns:
        Their names; a :class:`ZipEntry` or ``NO_ENTRY`` for each, int64 ``(n, 5)``; the names
        of zips in the zip, which are not opened.

    Raises:
        OSError, ValueError, zipfile.BadZipFile, NotImplementedError: it cannot be listed.
    """
    with open(path, "rb") as file:
        names, packed = _read_directory(file) or _list_by_zipfile(file)
    lower = [name.lower() for name in names]
    numbers = [number for number, name in enumerate(lower) if name.endswith(endings)]
    numbers.sort(key=names.__getitem__)
    zips = sorted(names[number] for number, name in enumerate(lower) if name.endswith(ZIP))
    return [names[number] for number in numbers], packed[numbers], zips


def _read_directory(file: BinaryIO) -> tuple[list[str], Int] | None:
    """Parse all names and positions; None: the directory is unusual or damaged."""
    length = file.seek(0, os.SEEK_END)
    file.seek(max(length - _END.size, 0))
    end = file.read()
    if len(end) < _END.size:
        return None
    signature, on_disk, count, size, start, comment = _END.unpack(end)
    if signature != b"PK\5\6" or on_disk != count or comment or start + size + len(end) != length:
        return None
    file.seek(start)
    # A name that contains the signature splits its entry, which then has a wrong length.
    before, *entries = file.read(size).split(_ENTRY_SIGNATURE)
    fixed = b"".join([entry[: _ENTRY.itemsize] for entry in entries])
    if before or not count or len(entries) != count or len(fixed) != count * _ENTRY.itemsize:
        return None
    table = np.frombuffer(fixed, _ENTRY)
    lengths = table["name"].astype(int) + table["extra"] + table["comment"] + _ENTRY.itemsize
    numbers = np.stack([table[name] for name in ("place", "packed", "size", "checksum")], axis=1)
    if (
        lengths.tolist() != [len(entry) for entry in entries]
        or (numbers[:, :3] == _ELSEWHERE).any()
        or (table["needed"] > _LATEST).any()
    ):
        return None
    ends = (table["name"].astype(int) + _ENTRY.itemsize).tolist()
    joined_names = b"\0".join(
        [entry[_ENTRY.itemsize : end] for entry, end in zip(entries, ends, strict=True)]
    )
    if b"\\" in joined_names or not (joined_names.isascii() or (table["flags"] & _UTF8).all()):
        return None
    names = joined_names.decode().split("\0")
    if len(names) != count:
        return None
    method = table["method"]
    deflated = method == zipfile.ZIP_DEFLATED
    packed = np.column_stack([numbers.astype(np.int64), deflated])
    readable = deflated | (method == zipfile.ZIP_STORED)
    packed[~readable | (table["flags"] & _ENCRYPTED > 0)] = NO_ENTRY
    return names, packed


def _list_by_zipfile(file: BinaryIO) -> tuple[list[str], Int]:
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
    packed = [_locate_member(member) for member in entries]
    return [member.filename for member in entries], np.array(packed, np.int64).reshape(-1, 5)


def _locate_member(member: zipfile.ZipInfo) -> tuple[int, int, int, int, int]:
    encrypted = member.flag_bits & _ENCRYPTED
    if encrypted or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return NO_ENTRY
    return ZipEntry(
        member.header_offset,
        member.compress_size,
        member.file_size,
        member.CRC,
        int(member.compress_type == zipfile.ZIP_DEFLATED),
    )


def unpack(file: BinaryIO, packed: ZipEntry) -> bytes:
    """Read a member of a zip.

    Raises:
        InvalidMidi: it is larger than the limit, or damaged.
        zlib.error, struct.error: it is damaged.
    """
    place, length, size, checksum, deflated = packed
    if size > MAX_BYTES or length > MAX_BYTES:
        raise LimitExceeded("file too large", f"over {MAX_BYTES} bytes")
    file.seek(place)
    # The header is followed by a name and further fields; it states their lengths.
    signature, name, extra = _LOCAL.unpack(file.read(_LOCAL.size))
    file.seek(name + extra, os.SEEK_CUR)
    content = file.read(length)
    if deflated:
        # The stated size may be false, so at most the limit is unpacked.
        content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(content, MAX_BYTES + 1)
    if signature != b"PK\3\4" or len(content) != size:
        raise InvalidMidi("damaged zip member", "not where the zip says, or of another size")
    if zlib.crc32(content) != checksum:
        raise InvalidMidi("damaged zip member", "wrong checksum")
    return content
