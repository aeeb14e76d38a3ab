"""Files that a strict reader refuses and players play -> the same files as they should be written.

What is there counts, not what lengths and counts claim: tracks are found by their tags and end with
their end-of-track events or where they are damaged. Everything that was changed is said. A file
that cannot be read without guessing is refused with the reason.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

from aeplug_music.midi.damaged import TrackEvents, end_hanging_notes, read_events
from aeplug_music.midi.event_file import TEMPO, end_of_track, meta_event, write_track
from aeplug_music.midi.smf import CHUNK, HEADER, MAX_TICK, InvalidMidi, LimitExceeded

#: Tracks that a header can count.
MAX_TRACKS = 2**16 - 1

_RIFF, _RMID, _DATA = b"RIFF", b"RMID", b"data"
_RIFF_HEAD = struct.Struct("<4sI4s")
_RIFF_CHUNK = struct.Struct("<4sI")

_SMPTE = 0x8000
#: Frames a second by the number in the header; 29 stands for 29.97.
_FRAMES = {24: Fraction(24), 25: Fraction(25), 29: Fraction(30000, 1001), 30: Fraction(30)}
#: Microseconds a quarter where no tempo is set: 120 BPM, of 29.97 frames a second nearly so.
_DEFAULT_TEMPO, _DEFAULT_TEMPO_29 = 500_000, 500_500
_MAX_DIVISION = 2**15 - 1


def unwrap(data: bytes) -> bytes:
    """The MIDI file in a RIFF container (RMID); any other data as it is."""
    if len(data) < _RIFF_HEAD.size or data[:4] != _RIFF:
        return data
    _, _, form = _RIFF_HEAD.unpack_from(data)
    place = _RIFF_HEAD.size
    while form == _RMID and place + _RIFF_CHUNK.size <= len(data):
        tag, length = _RIFF_CHUNK.unpack_from(data, place)
        place += _RIFF_CHUNK.size
        if tag == _DATA:
            return data[place : place + length]
        place += length + length % 2
    return data


def repair(data: bytes, reason: InvalidMidi) -> tuple[bytes, list[str]]:
    """Read all that can be read, and write it as it should be.

    Args:
        data: the file.
        reason: for which a strict reader refused it.

    Returns:
        The file in its strict form, and what was changed, a clause each.

    Raises:
        InvalidMidi: there is nothing to read, or it cannot be read without guessing.
    """
    begin = data.find(b"MThd")
    if begin < 0 or len(data) < begin + HEADER.size:
        raise reason
    _, length, kind, count, division = HEADER.unpack_from(data, begin)
    if kind > 2 or division == 0:
        raise reason
    changes = [f"{begin} bytes before the header passed over"] if begin else []
    first = begin + CHUNK.size + length
    if not _ends_a_chunk(data, first):
        first = begin + HEADER.size
        changes.append(f"the header says it is {length} bytes long")
    tracks = _find_tracks(data, first)
    if not any(track.has_notes for track in tracks):
        damaged = [number for number, track in enumerate(tracks, 1) if track.damage]
        if damaged or not tracks:
            raise reason
        raise InvalidMidi("no notes", describe_silence(len(tracks)))
    if kind == 2 and len(tracks) > 1:
        raise InvalidMidi(
            "format 2", f"its {len(tracks)} tracks are patterns of their own, with no common time"
        )
    if kind == 2:
        changes.append("format 2 read as format 0, its only track")
    if count != len(tracks):
        are = "is" if len(tracks) == 1 else "are"
        changes.append(f"the header says {_plural(count, 'track')}, {len(tracks)} {are} there")
    changes += _describe_ends(tracks)
    quirks = sum((track.quirks for track in tracks), Counter[str]())
    changes += [f"{number} x {what}" if number > 1 else what for what, number in quirks.items()]
    hanging = sum(end_hanging_notes(track) for track in tracks)
    if hanging:
        changes.append(f"{_plural(hanging, 'note')} without an end, ended")
    if division & _SMPTE:
        division, tempo = _to_metric(division, tracks)
        changes.append(f"time in frames, read at {60e6 / tempo:g} BPM")
    head = HEADER.pack(b"MThd", 6, int(len(tracks) > 1), len(tracks), division)
    written = (write_track([*track.events, end_of_track(track.end_tick)]) for track in tracks)
    return head + b"".join(written), changes


def describe_silence(tracks: int) -> str:
    """Say that none of so many tracks has a note."""
    return f"no note-on event in its {_plural(tracks, 'track')}"


def _plural(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"


def _find_tracks(data: bytes, place: int) -> list[TrackEvents]:
    tracks: list[TrackEvents] = []
    while 0 <= place < len(data):
        if data[place : place + 4] != b"MTrk":
            if (after := _end_of_alien_chunk(data, place)) is None:
                after = data.find(b"MTrk", place)
            place = after
            continue
        if len(tracks) == MAX_TRACKS:
            raise LimitExceeded("too many tracks", f"at most {MAX_TRACKS}")
        start = place + CHUNK.size
        if start > len(data):
            break
        claimed = start + CHUNK.unpack_from(data, place)[1]
        # A length that ends where another chunk begins, or the file, is to be believed.
        limit = claimed
        if not _ends_a_chunk(data, claimed):
            tag = data.find(b"MTrk", start)
            limit = tag if tag >= 0 else len(data)
        track = read_events(data, start, limit)
        if limit != claimed and track.ended:
            track.quirks["track of another length than it says"] += 1
        tracks.append(track)
        if limit == claimed and (b"MTrk" not in data[track.end : claimed] or not track.ended):
            place = claimed
        else:
            place = track.end if track.ended else limit
    return tracks


def _ends_a_chunk(data: bytes, place: int) -> bool:
    """Whether the file ends here, or another chunk begins."""
    if place == len(data) or data[place : place + 4] == b"MTrk":
        return True
    return _end_of_alien_chunk(data, place) is not None


def _end_of_alien_chunk(data: bytes, place: int) -> int | None:
    """Where a chunk of another kind ends; None: there is none here."""
    if place + CHUNK.size > len(data):
        return None
    tag, length = CHUNK.unpack_from(data, place)
    end = place + CHUNK.size + length
    return end if tag.isalnum() and end <= len(data) else None


def _describe_ends(tracks: Sequence[TrackEvents]) -> list[str]:
    changes = []
    for number, track in enumerate(tracks, 1):
        if track.damage is not None and track.damage.reason != "truncated":
            changes.append(f"track {number} read up to its damage ({track.damage})")
        elif not track.ended:
            within = "within an event" if track.damage else "without an end-of-track event"
            changes.append(f"track {number} ends {within}")
    return changes


def _to_metric(division: int, tracks: Sequence[TrackEvents]) -> tuple[int, int]:
    """Change ticks of frames into ticks of quarters; returns the division and the tempo.

    Raises:
        InvalidMidi: no whole number of ticks is a quarter.
    """
    frames, ticks = 256 - (division >> 8), division & 0xFF
    tempos = {tempo for track in tracks for tempo in track.tempos}
    if frames not in _FRAMES or not ticks:
        raise InvalidMidi("SMPTE division", f"{ticks} ticks of {frames} frames a second")
    if len(tempos) > 1:
        raise InvalidMidi("SMPTE division", f"time in frames, with {len(tempos)} tempos")
    tempo = tempos.pop() if tempos else _DEFAULT_TEMPO_29 if frames == 29 else _DEFAULT_TEMPO
    quarter = _FRAMES[frames] * ticks * tempo / 10**6
    scale = quarter.denominator
    latest = max(track.end_tick for track in tracks)
    if not 0 < quarter * scale <= _MAX_DIVISION or latest * scale > MAX_TICK:
        raise InvalidMidi("SMPTE division", f"no whole ticks a quarter at {60e6 / tempo:g} BPM")
    for track in tracks:
        track.events = [
            event._replace(tick=event.tick * scale) for event in track.events if event.meta != TEMPO
        ]
        track.end_tick *= scale
    tracks[0].events.insert(0, meta_event(0, TEMPO, tempo.to_bytes(3, "big")))
    return int(quarter * scale), tempo
