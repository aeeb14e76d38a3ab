"""A Standard MIDI File as its events, and back: what is not changed stays to the byte.

Files are walked that the parser (:mod:`aeplug_music.midi.reading`) has accepted, so nothing is
checked again here. Each message is held whole, with its status byte, and written so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from aeplug_music.midi.smf import CHUNK, DATA_BYTES, HEADER

TRACK = b"MTrk"
NOTE_OFF, NOTE_ON, PROGRAM = 0x80, 0x90, 0xC0
META = 0xFF
TRACK_NAME, END_OF_TRACK, TEMPO, OFFSET, TIME_SIGNATURE, KEY_SIGNATURE = (
    *(0x03, 0x2F, 0x51),
    *(0x54, 0x58, 0x59),
)


class Event(NamedTuple):
    """A message and when it comes.

    Attributes:
        tick: from the beginning of the file.
        message: all of it but the delta time, with its status byte.
    """

    tick: int
    message: bytes

    @property
    def meta(self) -> int:
        """Kind of a meta event; -1: it is none."""
        return self.message[1] if self.message[0] == META else -1


@dataclass
class EventFile:
    """A file's header and chunks.

    Attributes:
        format: 0: one track of all channels; 1: several at once.
        division: ticks per quarter.
        tracks: events of each track, up to and with its end.
        others: chunks that are no tracks: number of the track before which each stands, and bytes.
    """

    format: int
    division: int
    tracks: list[list[Event]]
    others: list[tuple[int, bytes]]

    @classmethod
    def parse(cls, data: bytes) -> EventFile:
        """Take a file apart."""
        _, length, kind, _, division = HEADER.unpack_from(data)
        file = cls(kind, division, [], [])
        place = 8 + length
        while place + CHUNK.size <= len(data):
            tag, length = CHUNK.unpack_from(data, place)
            chunk = data[place + CHUNK.size : place + CHUNK.size + length]
            if tag == TRACK:
                file.tracks.append(read_events(chunk))
            else:
                file.others.append((len(file.tracks), CHUNK.pack(tag, len(chunk)) + chunk))
            place += CHUNK.size + length
        return file

    def to_bytes(self) -> bytes:
        """Put it together."""
        parts = [HEADER.pack(b"MThd", 6, self.format, len(self.tracks), self.division)]
        for number in range(len(self.tracks) + 1):
            parts += [chunk for before, chunk in self.others if before == number]
            if number < len(self.tracks):
                parts.append(write_track(self.tracks[number]))
        return b"".join(parts)


def read_events(chunk: bytes) -> list[Event]:
    """Events of a track; where its end is missing it is added.

    Example:
        >>> read_events(bytes([0, 0x90, 60, 80, 96, 60, 0]))[1]
        Event(tick=96, message=b'\\x90<\\x00')
    """
    events: list[Event] = []
    place, tick, running = 0, 0, 0
    while place < len(chunk):
        delta, place = _read_quantity(chunk, place)
        if place >= len(chunk):
            break
        tick += delta
        status = chunk[place]
        if status in (META, 0xF0, 0xF7):
            length, end = _read_quantity(chunk, place + 1 + (status == META))
            events.append(Event(tick, chunk[place : end + length]))
            place = end + length
            if events[-1].meta == END_OF_TRACK:
                return events
            continue
        if status & 0x80:
            running, place = status, place + 1
        end = place + DATA_BYTES[running >> 4]
        events.append(Event(tick, bytes([running]) + chunk[place:end]))
        place = end
    return [*events, end_of_track(tick)]


def write_track(events: Iterable[Event]) -> bytes:
    """A track's events, ordered by tick, as a chunk."""
    parts, now = [], 0
    for tick, message in events:
        parts += [_write_quantity(tick - now), message]
        now = tick
    content = b"".join(parts)
    return CHUNK.pack(TRACK, len(content)) + content


def meta_event(tick: int, kind: int, content: bytes) -> Event:
    """A meta event: text, a tempo, a time signature."""
    return Event(tick, bytes([META, kind]) + _write_quantity(len(content)) + content)


def end_of_track(tick: int) -> Event:
    """The event that a track ends with."""
    return meta_event(tick, END_OF_TRACK, b"")


def add_time_signature(file: EventFile, tick: int, numerator: int, denominator: int) -> None:
    """Add a time signature to the first track, whose end it may put off, in place."""
    content = bytes([numerator, denominator.bit_length() - 1, 24, 8])
    *events, end = file.tracks[0]
    place = sum(event.tick <= tick for event in events)
    events.insert(place, meta_event(tick, TIME_SIGNATURE, content))
    file.tracks[0] = [*events, end._replace(tick=max(end.tick, tick))]


def _read_quantity(data: bytes, place: int) -> tuple[int, int]:
    value = 0
    while place < len(data):
        byte = data[place]
        value, place = value << 7 | byte & 0x7F, place + 1
        if byte < 0x80:
            break
    return value, place


def _write_quantity(value: int) -> bytes:
    parts = [value & 0x7F]
    while value := value >> 7:
        parts.append(value & 0x7F | 0x80)
    return bytes(reversed(parts))
