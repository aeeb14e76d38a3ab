"""Notes of one track of a MIDI file replaced; every other event stays, to the byte and in order."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aeplug_music.midi.event_file import (
    KEY_SIGNATURE,
    NOTE_OFF,
    NOTE_ON,
    OFFSET,
    PROGRAM,
    TEMPO,
    TIME_SIGNATURE,
    Event,
    EventFile,
    add_time_signature,
    end_of_track,
    meta_event,
)
from aeplug_music.score.metres import parse_metre
from aeplug_music.score.tune import DEFAULT_BPM, Track, Tune

#: Meta events that say when and in what metre and key things are: tempo, offset, time and key
#: signature.
_OF_TIME = (TEMPO, OFFSET, TIME_SIGNATURE, KEY_SIGNATURE)
#: In place of an event's number: none ends the note, its track does.
_NO_EVENT = -1
_OFF_VELOCITY = 64
#: Channel 10 of people who count from 1.
DRUM_CHANNEL = 9


class NewNote(NamedTuple):
    """A note to be added: ticks, MIDI number, velocity 1..127."""

    onset: int
    end: int
    pitch: int
    velocity: int


@dataclass(frozen=True)
class Changes:
    """What becomes of a track's notes; numbers are those in ``Track.notes``.

    Attributes:
        removed: numbers of the notes that go.
        ends: number of a note that is cut short -> its end, ticks.
        added: notes that come.
    """

    removed: Sequence[int] = ()
    ends: Mapping[int, int] = field(default_factory=dict)
    added: Sequence[NewNote] = ()


class _Pair(NamedTuple):
    """A note of a file: its two events by number, and what they say."""

    on: int
    off: int
    channel: int
    program: int
    onset: int
    pitch: int
    velocity: int


class PlacedTrack(NamedTuple):
    """Where a track of a tune is in its file.

    Attributes:
        chunk: number among the file's tracks.
        channel: 0..15.
        events: of each note of ``Track.notes`` the numbers of the event that begins and of that
            which ends it; the latter -1 where it ends with the track.
    """

    chunk: int
    channel: int
    events: list[tuple[int, int]]


def rewrite(
    tune: Tune,
    changes: Mapping[int, Changes],
    metres: Iterable[tuple[int, str]],
    options: Mapping[str, Any],
) -> bytes:
    """The file that a tune was parsed from, with the notes of some of its tracks changed.

    Args:
        tune: with the bytes of its file.
        changes: number of a track in ``tune.tracks`` -> what becomes of its notes.
        metres: (tick, ``"6/8"``) of time signatures that are added.
        options: ``only``: the changed tracks alone; ``tempo``: quarters a minute where the first
            note begins, by which all tempos are scaled; ``program``: of the changed tracks.
    """
    file = EventFile.parse(tune.data)
    places = {number: locate_track(file, tune, number) for number in changes}
    replace_notes(file, [(places[number], each) for number, each in changes.items()])
    if options.get("program") is not None:
        for place in places.values():
            set_program(file, place, int(options["program"]))
    for tick, metre in metres:
        add_time_signature(file, tick, *parse_metre(metre))
    if options.get("only"):
        file = keep_only(file, list(places.values()))
    if options.get("tempo"):
        scale_tempos(file, float(options["tempo"]) / tune.bpm)
    return file.to_bytes()


def replace_notes(file: EventFile, edits: Sequence[tuple[PlacedTrack, Changes]]) -> None:
    """Apply changes to the notes of tracks, in place; where they are holds no longer after."""
    for chunk in {place.chunk for place, _ in edits}:
        events = file.tracks[chunk]
        gone: set[int] = set()
        begins: list[Event] = []
        ends: list[Event] = []
        for place, changes in edits:
            if place.chunk != chunk:
                continue
            gone |= {event for number in changes.removed for event in place.events[number]}
            for number, tick in changes.ends.items():
                on, off = place.events[number]
                gone.add(off)
                message = _off_message(events[on]) if off == _NO_EVENT else events[off].message
                ends.append(Event(tick, message))
            for note in changes.added:
                message = bytes([NOTE_ON | place.channel, note.pitch, note.velocity])
                begins.append(Event(note.onset, message))
                ends.append(Event(note.end, _off_message(begins[-1])))
        stay = [event for number, event in enumerate(events) if number not in gone]
        file.tracks[chunk] = _merge(stay, begins, ends)


def _off_message(on: Event) -> bytes:
    return bytes([NOTE_OFF | on.message[0] & 0x0F, on.message[1], _OFF_VELOCITY])


def _merge(events: Sequence[Event], begins: Sequence[Event], ends: Sequence[Event]) -> list[Event]:
    """Add events: of a tick first the ends, then what there was, then the beginnings."""
    last = events[-1]
    ranked = [
        *((event.tick, 0, number, event) for number, event in enumerate(ends)),
        *((event.tick, 1, number, event) for number, event in enumerate(events[:-1])),
        *((event.tick, 2, number, event) for number, event in enumerate(begins)),
    ]
    ranked.sort(key=lambda entry: entry[:3])
    merged = [event for *_, event in ranked]
    return [*merged, last._replace(tick=max([last.tick, *(event.tick for event in merged[-1:])]))]


def locate_track(file: EventFile, tune: Tune, number: int) -> PlacedTrack:
    """Find the events of a tune's track in the file that the tune was parsed from.

    Of several tracks with the same notes, name and program it is the one in the same place.
    """
    track = tune.tracks[number]
    wanted = _count_notes(track)
    twins = sum(
        len(other) == len(track)
        and other.program == track.program
        and _count_notes(other) == wanted
        for other in tune.tracks[:number]
    )
    matches: list[tuple[int, int, list[_Pair]]] = []
    for chunk, events in enumerate(file.tracks):
        groups: dict[tuple[int, int], list[_Pair]] = defaultdict(list)
        for pair in _pair_notes(events):
            groups[pair.channel, pair.program].append(pair)
        for (channel, program), pairs in groups.items():
            # The parser may leave notes out, such as those that never end.
            if (
                (channel == DRUM_CHANNEL) == track.is_drum
                and program == track.program
                and wanted <= Counter(pair[4:] for pair in pairs)
            ):
                matches.append((chunk, channel, pairs))
    assert matches, f"track {number + 1} is not in the file that it was parsed from"
    fewest = min(len(pairs) for *_, pairs in matches)
    matches = [match for match in matches if len(match[2]) == fewest]
    chunk, channel, pairs = matches[min(twins, len(matches) - 1)]
    waiting: dict[tuple[int, ...], deque[_Pair]] = defaultdict(deque)
    for pair in pairs:
        waiting[pair[4:]].append(pair)
    notes = zip(track.onset.tolist(), track.pitch.tolist(), track.velocity.tolist(), strict=True)
    taken = [waiting[note].popleft() for note in notes]
    return PlacedTrack(chunk, channel, [(pair.on, pair.off) for pair in taken])


def _count_notes(track: Track) -> Counter[tuple[int, ...]]:
    return Counter(
        zip(track.onset.tolist(), track.pitch.tolist(), track.velocity.tolist(), strict=True)
    )


def _pair_notes(events: Sequence[Event]) -> Iterator[_Pair]:
    """The notes of a track; of overlapping ones of one pitch the first to begin ends first."""
    programs = [0] * 16
    sounding: dict[tuple[int, int], deque[tuple[int, int]]] = defaultdict(deque)
    for number, (_, message) in enumerate(events):
        kind, channel = message[0] & 0xF0, message[0] & 0x0F
        if kind == PROGRAM:
            programs[channel] = message[1]
        elif kind == NOTE_ON and message[2]:
            sounding[channel, message[1]].append((number, programs[channel]))
        elif kind in (NOTE_ON, NOTE_OFF) and sounding[channel, message[1]]:
            on, program = sounding[channel, message[1]].popleft()
            yield _pair(events, on, number, program)
    for waiting in sounding.values():
        for on, program in waiting:
            yield _pair(events, on, _NO_EVENT, program)


def _pair(events: Sequence[Event], on: int, off: int, program: int) -> _Pair:
    tick, message = events[on]
    return _Pair(on, off, message[0] & 0x0F, program, tick, message[1], message[2])


def keep_only(file: EventFile, places: Sequence[PlacedTrack]) -> EventFile:
    """A file of some tracks, and of what says when their notes are: tempo and signatures."""
    times = [event for track in file.tracks for event in track if event.meta in _OF_TIME]
    times.sort(key=lambda event: event.tick)
    end = end_of_track(max([0, *(event.tick for event in times)]))
    alone = EventFile(1, file.division, [[*times, end]], [])
    for chunk, channel in dict.fromkeys((place.chunk, place.channel) for place in places):
        own = [event for event in file.tracks[chunk] if _belongs(event, channel)]
        alone.tracks.append(own)
    return alone


def _belongs(event: Event, channel: int) -> bool:
    status = event.message[0]
    if status >= 0xF0:
        return event.meta not in _OF_TIME
    return status & 0x0F == channel


def scale_tempos(file: EventFile, factor: float) -> None:
    """Play everything ``factor`` times as fast, in place."""
    is_set = False
    for track in file.tracks:
        for number, event in enumerate(track):
            if event.meta == TEMPO:
                tempo = int.from_bytes(event.message[3:6], "big")
                track[number] = _tempo_event(event.tick, tempo / factor)
                is_set = is_set or event.tick == 0
    if not is_set:
        file.tracks[0].insert(0, _tempo_event(0, 60e6 / DEFAULT_BPM / factor))


def _tempo_event(tick: int, microseconds: float) -> Event:
    return meta_event(tick, TEMPO, min(max(round(microseconds), 1), 2**24 - 1).to_bytes(3, "big"))


def set_program(file: EventFile, place: PlacedTrack, program: int) -> None:
    """Play a track's channel with another program from its beginning to its end, in place."""
    status = PROGRAM | place.channel
    events = [event for event in file.tracks[place.chunk] if event.message[0] != status]
    file.tracks[place.chunk] = [Event(0, bytes([status, program])), *events]
