"""The structure of a Standard MIDI File: chunks and events, checked strictly, byte by byte.

The bulk reader calls :func:`check_chunks`, which costs microseconds, on every file, and
:func:`check_events`, which walks every event in Python, only on files that are suspect or that the
parser refused: to find huge ticks and to report what is wrong and where.
"""

from __future__ import annotations

import re
import struct

from aeplug.errors import FileError

#: Largest file read, in bytes; a tune of an hour has some 300,000.
MAX_BYTES = 4 * 2**20
#: Most notes accepted.
MAX_NOTES = 400_000
#: Largest tick accepted. Fast readers hold ticks in 32 bits and overflow silently.
MAX_TICK = 2**28

HEADER = struct.Struct(">4sIHHH")
CHUNK = struct.Struct(">4sI")

#: The parser's 32 bits overflow at this tick.
_OVERFLOW = 2**31
#: Status bytes of live messages, which the parser passes over though they belong into no file.
_LIVE = frozenset({*range(0xF1, 0xF7), *range(0xF8, 0xFF)})
#: High bit of every byte, and of a live status another. Three in a row are a delta time of four
#: bytes (from 2^21 ticks on) or text in UTF-8, and make a file suspect, as a live status does.
_LIVE_BITS = 0xC0
_HIGH_BITS = bytes(_LIVE_BITS if byte in _LIVE else byte & 0x80 for byte in range(256))
_THREE_HIGH = re.compile(b"\x80\x80\x80")
#: The same status, but not as the flats of a key signature or in the length of a track.
_LIVE_STATUS = re.compile(
    b"(?<!\xff\x59\x02)(?<!MTrk\0\0)(?<!MTrk\0\0.)[\xf1-\xf6\xf8-\xfe]", re.DOTALL
)
#: A delta time of three bytes.
_MIDDLE_DELTA = b"\x80\x80\x00"
#: Number of such deltas to overflow, and bytes of the shortest event with one.
_MANY_DELTAS, _BYTES_PER_EVENT = _OVERFLOW >> 21, 5

#: Bytes of the meta events that notes depend on; the parser accepts any length.
META_BYTES = {0x51: 3, 0x58: 4, 0x59: 2}
META_NAMES = {0x51: "tempo", 0x58: "time signature", 0x59: "key signature"}
#: One of them with another length, or truncated after its kind.
_WRONG_META = re.compile(b"\xff(?:\x51(?!\x03)|\x58(?!\x04)|\x59(?!\x02))")

#: Of tracks. Regular expressions are several times as fast as the methods of bytes.
_TAG = re.compile(b"MTrk")
#: Last event of every track, without its delta time.
_END = b"\xff\x2f\x00"
#: Data bytes of a channel message by its status byte's high nibble.
DATA_BYTES = {0x8: 2, 0x9: 2, 0xA: 2, 0xB: 2, 0xC: 1, 0xD: 1, 0xE: 2}


class InvalidMidi(FileError):
    """A file that is not a usable Standard MIDI File.

    Attributes:
        reason: what is wrong, in words shared with other files.
        detail: particulars of this file.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason} ({detail})" if detail else reason)
        self.reason, self.detail = reason, detail

    def __reduce__(self) -> tuple[type[InvalidMidi], tuple[str, str]]:
        """Pickle as reason and detail, since it crosses processes."""
        return type(self), (self.reason, self.detail)


class LimitExceeded(InvalidMidi):
    """A file that would take too much memory or time; nothing of it is read."""


def check_chunks(data: bytes) -> tuple[bytes, int, list[tuple[int, int]]]:
    """Check the header and the lengths of all chunks.

    Returns:
        The file with a header of 6 bytes, as readers expect it; ticks per quarter; start and end
        of every track's events, in bytes.

    Raises:
        InvalidMidi: not MIDI, truncated, more tracks than the header says or one that does not end
            with its end-of-track event, format 2 or unknown, SMPTE or zero division.
    """
    if not data:
        raise InvalidMidi("empty file")
    if len(data) > MAX_BYTES:
        raise LimitExceeded("file too large", f"over {MAX_BYTES} bytes")
    if data[:4] != b"MThd":
        raise InvalidMidi("not a MIDI file", "it does not begin with MThd")
    if len(data) < HEADER.size:
        raise InvalidMidi("truncated", "in the header")
    _, length, kind, count, division = HEADER.unpack_from(data)
    if length < 6:
        raise InvalidMidi("invalid header", f"{length} bytes long, expected 6")
    if length > 6:
        # Later versions of the format may append fields; today's header ends after six bytes.
        if 8 + length > len(data):
            raise InvalidMidi("truncated", f"the header claims {length} bytes")
        data = HEADER.pack(b"MThd", 6, kind, count, division) + data[8 + length :]
    if kind == 2:
        raise InvalidMidi("format 2", "independent patterns have no common time")
    if kind > 2:
        raise InvalidMidi("unknown format", str(kind))
    if division & 0x8000:
        raise InvalidMidi("SMPTE division", "time in frames, not in quarters")
    if division == 0:
        raise InvalidMidi("division 0", "no ticks per quarter")
    return data, division, _tracks(data, count)


def _tracks(data: bytes, count: int) -> list[tuple[int, int]]:
    tracks: list[tuple[int, int]] = []
    place, end = HEADER.size, len(data)
    while len(tracks) < count:
        if place + CHUNK.size > end:
            raise InvalidMidi("truncated", f"{len(tracks)} of {count} tracks")
        tag, length = CHUNK.unpack_from(data, place)
        place += CHUNK.size
        if place + length > end:
            raise InvalidMidi(
                "truncated", f"track {len(tracks) + 1} claims {length} bytes of {end - place}"
            )
        if tag == b"MTrk":
            tracks.append((place, place + length))
            if data[place + length - 3 : place + length] != _END:
                raise InvalidMidi("track without an end", f"track {len(tracks)}")
        place += length
    if len(_TAG.findall(data)) != len(tracks):
        raise InvalidMidi("more tracks than the header says", f"it says {count}")
    if not tracks:
        raise InvalidMidi("no tracks")
    return tracks


def is_suspect(data: bytes) -> bool:
    """Whether ticks might overflow, a tempo or signature have a wrong length, or a message be live.

    Never False for a file where they do.
    """
    if _WRONG_META.search(data):
        return True
    high = data.translate(_HIGH_BITS)
    if _THREE_HIGH.search(high) or (_LIVE_BITS in high and _LIVE_STATUS.search(data)):
        return True
    if len(data) < _MANY_DELTAS * _BYTES_PER_EVENT:
        return False
    return high.count(_MIDDLE_DELTA) >= _MANY_DELTAS


def check_events(data: bytes, tracks: list[tuple[int, int]]) -> None:
    """Walk through every event of every track.

    Args:
        data: the file, as :func:`check_chunks` returns it.
        tracks: start and end of every track's events, in bytes.

    Raises:
        InvalidMidi: a tick above ``MAX_TICK``, a delta time of more than four bytes, data out of
            range, an event beyond its track's end, an unknown status byte, or a tempo or signature
            of a wrong length.
    """
    for number, (start, end) in enumerate(tracks, 1):
        try:
            _walk(data, start, end)
        except InvalidMidi as error:
            raise InvalidMidi(error.reason, f"track {number}, {error.detail}") from None
        except IndexError:
            raise InvalidMidi("truncated", f"track {number} ends within an event") from None


def _walk(data: bytes, start: int, end: int) -> None:
    track = data[start:end]
    place, tick, running = 0, 0, 0
    while place < len(track):
        delta, place = _quantity(track, place, "delta time", start)
        tick += delta
        if tick > MAX_TICK:
            raise LimitExceeded("ticks out of range", f"tick {tick} at byte {start + place}")
        status = track[place]
        if status == 0xFF:
            kind = track[place + 1]
            length, place = _quantity(track, place + 2, "length", start)
            if place + length > len(track):
                raise InvalidMidi("truncated", f"a text or meta event of {length} bytes")
            if META_BYTES.get(kind, length) != length:
                raise InvalidMidi(f"invalid {META_NAMES[kind]}", f"of {length} bytes")
            if kind == 0x2F:
                return
            place += length
        elif status in (0xF0, 0xF7):
            length, place = _quantity(track, place + 1, "length", start)
            if place + length > len(track):
                raise InvalidMidi("truncated", f"a system exclusive event of {length} bytes")
            place += length
        elif status > 0xF0:
            raise InvalidMidi("unknown event", f"status {status:#04x} at byte {start + place}")
        else:
            if status & 0x80:
                running, place = status, place + 1
            elif not running:
                raise InvalidMidi("unknown event", f"data without status at byte {start + place}")
            for _ in range(DATA_BYTES[running >> 4]):
                if track[place] & 0x80:
                    raise InvalidMidi("data out of range", f"{track[place]} at {start + place}")
                place += 1


def _quantity(track: bytes, place: int, what: str, start: int) -> tuple[int, int]:
    value = 0
    for count in range(4):
        byte = track[place + count]
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            return value, place + count + 1
    raise InvalidMidi(f"{what} of more than four bytes", f"at byte {start + place}")
