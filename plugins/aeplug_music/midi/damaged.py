"""The events of a track that is damaged, or that players accept though the format forbids it.

Strict reading is :mod:`aeplug_music.midi.smf`; here what can be read is read, and what was wrong
is counted. Ticks and notes stay limited.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from itertools import pairwise

from aeplug_music.midi.event_file import END_OF_TRACK, META, NOTE_OFF, NOTE_ON, TEMPO, Event
from aeplug_music.midi.smf import (
    DATA_BYTES,
    MAX_NOTES,
    MAX_TICK,
    META_BYTES,
    META_NAMES,
    InvalidMidi,
    LimitExceeded,
)

_EXCLUSIVES = (0xF0, 0xF7)
#: Data bytes of system messages, which belong to live MIDI and not into files.
_LIVE_BYTES = {0xF1: 1, 0xF2: 2, 0xF3: 1}
#: Velocity of a note-off that is added.
_RELEASE = b"\x40"


@dataclass
class TrackEvents:
    """What was read of a track.

    Attributes:
        events: (tick, message with its status), without the end of the track.
        end: byte after the last that was read.
        end_tick: tick of the end of the track.
        ended: whether an end-of-track event is there.
        damage: what is wrong where reading stopped before the end; None: nothing.
        quirks: what was left out or changed, by kind, with counts.
        tempos: values of its tempo events, microseconds a quarter.
    """

    events: list[Event] = field(default_factory=list)
    end: int = 0
    end_tick: int = 0
    ended: bool = False
    damage: InvalidMidi | None = None
    quirks: Counter[str] = field(default_factory=Counter)
    tempos: list[int] = field(default_factory=list)

    @property
    def has_notes(self) -> bool:
        """Whether there is a note-on event."""
        return any(_is_note_on(message) for _, message in self.events)


def read_events(data: bytes, start: int, limit: int) -> TrackEvents:
    """Read the events of a track up to its end, the first damage, or ``limit``.

    Running status goes on after meta events and live messages, as players have it. Data bytes above
    127 are brought into range. Tempos and signatures of a wrong length are left out.

    Args:
        data: the file.
        start: byte of the track's first delta time.
        limit: byte at which the track ends at the latest.

    Raises:
        LimitExceeded: a tick above ``MAX_TICK``, or too many notes.
    """
    found = TrackEvents(end=start)
    track = data[start:limit]
    try:
        _read(track, found, start)
    except IndexError:
        found.damage = InvalidMidi("truncated", "it ends within an event")
    except InvalidMidi as error:
        if isinstance(error, LimitExceeded):
            raise
        found.damage = error
    return found


def _read(track: bytes, found: TrackEvents, start: int) -> None:
    place, tick, running, notes = 0, 0, 0, 0
    while place < len(track):
        delta, place = _quantity(track, place, "delta time")
        tick += delta
        if tick > MAX_TICK:
            raise LimitExceeded("ticks out of range", f"tick {tick} at byte {start + place}")
        status = track[place]
        if status == META:
            kind = track[place + 1]
            if kind == END_OF_TRACK:
                found.end_tick = tick
            length, begin = _quantity(track, place + 2, "length")
            message = _whole(track[place : begin + length], begin - place + length)
            place = begin + length
            if kind == END_OF_TRACK:
                found.ended, found.end = True, start + place
                return
            if META_BYTES.get(kind, length) != length:
                found.quirks[f"{META_NAMES[kind]} of {length} bytes left out"] += 1
                message = b""
            elif kind == TEMPO:
                found.tempos.append(int.from_bytes(message[-3:], "big"))
        elif status in _EXCLUSIVES:
            length, begin = _quantity(track, place + 1, "length")
            message = _whole(track[place : begin + length], begin - place + length)
            place = begin + length
        elif status > 0xF0:
            place += 1 + _LIVE_BYTES.get(status, 0)
            found.quirks["live message left out"] += 1
            message = b""
        else:
            if status & 0x80:
                running, place = status, place + 1
            elif not running:
                raise InvalidMidi("unknown event", f"data without status at byte {start + place}")
            count = DATA_BYTES[running >> 4]
            content = _whole(track[place : place + count], count)
            place += count
            if max(content) > 0x7F:
                content = _bring_into_range(content)
                found.quirks["event with data above 127 brought into range"] += 1
            message = bytes([running]) + content
            notes += _is_note_on(message)
            if notes > MAX_NOTES:
                raise LimitExceeded("too many notes", f"at most {MAX_NOTES}")
        if message:
            found.events.append(Event(tick, message))
        found.end, found.end_tick = start + place, tick


def _quantity(track: bytes, place: int, what: str) -> tuple[int, int]:
    value = 0
    for count in range(4):
        byte = track[place + count]
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            return value, place + count + 1
    raise InvalidMidi(f"{what} of more than four bytes")


def _whole(message: bytes, length: int) -> bytes:
    if len(message) < length:
        raise IndexError
    return message


def _bring_into_range(content: bytes) -> bytes:
    # A velocity above 127 means loud; of a number the highest bit is dropped.
    first, *rest = content
    return bytes([first & 0x7F, *(min(value, 0x7F) for value in rest)])


def _is_note_on(message: bytes) -> bool:
    return message[0] & 0xF0 == NOTE_ON and message[2] > 0


def end_hanging_notes(track: TrackEvents) -> int:
    """Give every note without a note-off one; returns how many of them sound.

    Such a note ends where its pitch is next struck or released, or else with the track. One whose
    note-off comes just before it, at the same tick, has no length. Notes of one pitch otherwise end
    in the order in which they began.
    """
    sounding: dict[tuple[int, int], deque[_Note]] = defaultdict(deque)
    latest: dict[tuple[int, int], list[_Note]] = defaultdict(list)
    released: dict[tuple[int, int], int] = {}
    for number, (tick, message) in enumerate(track.events):
        status = message[0]
        if status & 0xE0 != NOTE_OFF:
            continue
        key = status & 0x0F, message[1]
        if latest[key] and tick > latest[key][0].tick:
            for note in latest.pop(key):
                note.next_event = number
        if _is_note_on(message):
            is_released = released.pop(key, -1) == tick
            note = _Note(tick, number + 1 if is_released else None, not is_released)
            sounding[key].append(note)
            if note.sounds:
                latest[key].append(note)
        elif sounding[key]:
            sounding[key].popleft()
        else:
            released[key] = tick
    # The oldest were ended, so the latest are left over.
    ends: dict[int, list[Event]] = defaultdict(list)
    count = 0
    for (channel, pitch), notes in sounding.items():
        message = bytes([NOTE_OFF | channel, pitch]) + _RELEASE
        for note in notes:
            place = len(track.events) if note.next_event is None else note.next_event
            tick = track.events[place][0] if place < len(track.events) else track.end_tick
            ends[place].append(Event(tick if note.sounds else note.tick, message))
            count += note.sounds
    if ends:
        events = track.events
        edges = [0, *sorted(ends), len(events)]
        track.events = [
            event
            for begin, end in pairwise(edges)
            for event in (*ends.get(begin, ()), *events[begin:end])
        ] + ends[len(events)]
    return count


@dataclass
class _Note:
    tick: int
    next_event: int | None = None
    sounds: bool = True
