"""Small MIDI files for tests, made event by event, and what a reader of its own finds in one."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

import mido

#: Ticks a quarter.
Q = 480

Events = list[tuple[int, bytes]]
#: Pitch, or None for a rest, and ticks.
Notes = Sequence[tuple[int | None, int]]

#: Four bars of 4/4 in G, from G4 to D5.
TUNE: Notes = [
    *((67, Q), (69, Q), (71, Q), (72, Q)),
    *((74, 2 * Q), (71, Q), (67, Q)),
    *((72, Q), (71, Q), (69, Q), (67, Q)),
    *((69, 2 * Q), (67, 2 * Q)),
]


def quantity(value: int) -> bytes:
    out = [value & 127]
    while value := value >> 7:
        out.insert(0, value & 127 | 128)
    return bytes(out)


def track(events: Events) -> bytes:
    """A chunk; of one tick what is no note-on comes first."""
    data, now = b"", 0
    for tick, message in sorted(events, key=lambda event: (event[0], event[1][0] & 0xF0 == 0x90)):
        data += quantity(tick - now) + message
        now = tick
    data += b"\0\xff\x2f\0"
    return b"MTrk" + struct.pack(">I", len(data)) + data


def smf(*tracks: bytes, kind: int = 1) -> bytes:
    return b"MThd" + struct.pack(">IHHH", 6, kind, len(tracks), Q) + b"".join(tracks)


def meta(kind: int, content: bytes) -> bytes:
    return b"\xff" + bytes([kind]) + quantity(len(content)) + content


def tempo(bpm: float) -> bytes:
    return meta(0x51, struct.pack(">I", round(60e6 / bpm))[1:])


def metre(numerator: int, denominator: int) -> bytes:
    return meta(0x58, bytes([numerator, denominator.bit_length() - 1, 24, 8]))


def name(text: str) -> bytes:
    return meta(3, text.encode())


def program(number: int, channel: int = 0) -> bytes:
    return bytes([0xC0 | channel, number])


def notes(sequence: Notes, channel: int = 0, gate: float = 1.0, velocity: int = 90) -> Events:
    """Notes one after the other, each sounding for ``gate`` of its time."""
    events: Events = []
    now = 0
    for pitch, ticks in sequence:
        if pitch is not None:
            events.append((now, bytes([0x90 | channel, pitch, velocity])))
            events.append((now + round(ticks * gate), bytes([0x80 | channel, pitch, 64])))
        now += ticks
    return events


def strokes(*struck: tuple[int, int, int], channel: int = 9, length: int = 30) -> Events:
    """Short notes of any pitch, tick and velocity, on the channel of drums."""
    events: Events = []
    for pitch, tick, velocity in struck:
        events.append((tick, bytes([0x90 | channel, pitch, velocity])))
        events.append((tick + length, bytes([0x80 | channel, pitch, 64])))
    return events


def moved(sequence: Notes, semitones: int) -> Notes:
    return [(pitch if pitch is None else pitch + semitones, ticks) for pitch, ticks in sequence]


#: What most files here begin with: 100 quarters a minute, 4/4.
HEAD: Events = [(0, tempo(100)), (0, metre(4, 4))]


def read_tracks(source: bytes | Path) -> list[list[tuple[int, bytes]]]:
    """Tick and bytes of every event of each track, as mido reads them."""
    data = source if isinstance(source, bytes) else source.read_bytes()
    tracks = []
    for found in mido.MidiFile(file=io.BytesIO(data)).tracks:
        events, now = [], 0
        for message in found:
            now += message.time
            events.append((now, bytes(message.bytes())))
        tracks.append(events)
    return tracks


def is_note(message: bytes) -> bool:
    return message[0] & 0xE0 == 0x80


def without_notes(events: Iterable[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """All else, without the end of the track, which may come later."""
    return [event for event in events if not is_note(event[1]) and event[1][:2] != b"\xff\x2f"]


def read_notes(events: Iterable[tuple[int, bytes]]) -> list[tuple[int, int, int, int]]:
    """Onset, length, pitch and velocity of the notes of one track and channel."""
    sounding: dict[int, list[tuple[int, int]]] = {}
    found = []
    for tick, message in events:
        if not is_note(message):
            continue
        _, pitch, velocity = message
        if message[0] & 0xF0 == 0x90 and velocity:
            sounding.setdefault(pitch, []).append((tick, velocity))
        elif sounding.get(pitch):
            begin, loud = sounding[pitch].pop(0)
            found.append((begin, tick - begin, pitch, loud))
    return sorted(found)
