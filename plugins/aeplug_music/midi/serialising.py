"""A tune that was no MIDI file -> the bytes of one: all tracks, tempos, metres and keys."""

from __future__ import annotations

from aeplug_music.midi.editing import DRUM_CHANNEL
from aeplug_music.midi.event_file import (
    KEY_SIGNATURE,
    NOTE_OFF,
    NOTE_ON,
    PROGRAM,
    TEMPO,
    TRACK_NAME,
    Event,
    EventFile,
    add_time_signature,
    end_of_track,
    meta_event,
)
from aeplug_music.score.tune import Track, Tune

_CHANNELS = [channel for channel in range(16) if channel != DRUM_CHANNEL]


def to_midi(tune: Tune) -> bytes:
    """Write a tune as a Standard MIDI File of format 1: what says when, then a track each."""
    times = [
        *(meta_event(tick, TEMPO, tempo.to_bytes(3, "big")) for tick, tempo in tune.tempos),
        *(
            meta_event(tick, KEY_SIGNATURE, bytes([sharps & 0xFF, minor]))
            for tick, sharps, minor in tune.keys
            if -7 <= sharps <= 7
        ),
    ]
    times.sort(key=lambda event: event.tick)
    file = EventFile(1, tune.ticks_per_quarter, [_end_track(times)], [])
    for tick, numerator, denominator in tune.time_signatures:
        add_time_signature(file, tick, numerator, denominator)
    for number, track in enumerate(tune.tracks):
        channel = DRUM_CHANNEL if track.is_drum else _CHANNELS[number % len(_CHANNELS)]
        file.tracks.append(_end_track(_track_events(track, channel)))
    return file.to_bytes()


def _track_events(track: Track, channel: int) -> list[Event]:
    columns = (track.onset, track.end, track.pitch, track.velocity)
    notes = list(zip(*(column.tolist() for column in columns), strict=True))
    # Of one tick the ends come first, so that notes which touch stay two.
    messages = [
        *((end, 0, bytes([NOTE_OFF | channel, pitch, 64])) for _, end, pitch, _ in notes),
        *(
            (onset, 1, bytes([NOTE_ON | channel, pitch, velocity]))
            for onset, _, pitch, velocity in notes
        ),
    ]
    # Text in a Standard MIDI File is Latin-1; other characters are replaced.
    name = meta_event(0, TRACK_NAME, track.name.encode("latin-1", "replace"))
    program = Event(0, bytes([PROGRAM | channel, track.program]))
    return [name, program, *(Event(tick, message) for tick, _, message in sorted(messages))]


def _end_track(events: list[Event]) -> list[Event]:
    last = events[-1].tick if events else 0
    return [*events, end_of_track(last)]
