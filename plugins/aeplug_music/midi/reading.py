"""Standard MIDI Files -> :class:`~aeplug_music.score.tune.Tune`, in bulk, within fixed limits.

Bytes, ticks, notes and end time are limited before arrays are made. The parser, symusic, is strict
about structure but accepts nonsense (tempo 0, time signature 4/512, ticks that overflow at 2^32),
so structure is checked before it and values after it. A file that a check refuses, for anything but
its size, is read again by :mod:`aeplug_music.midi.repair`.

Overlapping notes of one pitch end in the order in which they began; a note that never ends, which
the parser drops, ends with its track.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from symusic.core import NoteTickList, ScoreTick

from aeplug.errors import FileError
from aeplug.runtime import say
from aeplug_music.midi.repair import describe_silence, repair, unwrap
from aeplug_music.midi.smf import (
    CHUNK,
    HEADER,
    MAX_BYTES,
    MAX_NOTES,
    MAX_TICK,
    InvalidMidi,
    LimitExceeded,
    check_chunks,
    check_events,
    is_suspect,
)
from aeplug_music.score.metres import STEPS_PER_QUARTER
from aeplug_music.score.tune import Track, Tune

#: Limits of a file: quarters to its end (5,000 bars of 4/4); seconds at its tempi; and steps summed
#: over all tracks, the size of its grids.
MAX_QUARTERS = 20_000
MAX_SECONDS = 3 * 3600
MAX_STEPS = 1_000_000

_DENOMINATORS = frozenset({1, 2, 4, 8, 16, 32, 64})
#: Repairs of a file that are said; data build lists all.
_REPAIRS_SAID = 4
_DEFAULT_TEMPO = 500_000  # microseconds a quarter: 120 bpm


def read_midi(path: Path) -> Tune:
    """Read a file; a line on stderr says what of it was damaged.

    Raises:
        InvalidMidi: it is no usable MIDI file.
        FileError: it cannot be read at all.
    """
    tune = parse_midi(read_bytes(path))
    report_repairs(path, tune.repairs)
    return tune


def report_repairs(path: Path, repairs: Sequence[str]) -> None:
    """Say in one line on stderr what of a file was damaged, if anything was."""
    if repairs:
        more = len(repairs) - _REPAIRS_SAID
        said = [*repairs[:_REPAIRS_SAID], *([f"and {more} more"] if more > 0 else [])]
        say(f"{path}: repaired in reading: {'; '.join(said)}")


def read_bytes(path: Path) -> bytes:
    """Read a file, at most one byte more than is accepted.

    Raises:
        FileError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise FileError(f"cannot be read: {error.strerror or error}") from error


def parse_midi(data: bytes) -> Tune:
    """Parse and check the bytes of a file.

    Raises:
        InvalidMidi: whatever is wrong.
    """
    data, parsed, changes = _read(data)
    score, ticks_per_quarter = parsed
    tempos = _tempos(score.tempos, changes)
    end = _check_end(score, ticks_per_quarter, tempos)
    tune = Tune(
        ticks_per_quarter,
        [],
        _time_signatures(score.time_signatures, changes),
        tempos,
        _keys(score.key_signatures, changes),
        end=end,
        data=data,
    )
    tracks = score.tracks
    # By number: for one or two items the parser's iterators take ten times as long.
    for number in range(len(tracks)):
        track = tracks[number]
        notes = track.notes
        if notes:
            tune.tracks.append(
                Track(_to_note_bytes(notes), track.program, track.is_drum, track.name)
            )
    tune.name = tune.tracks[0].name
    tune.repairs = tuple(changes)
    return tune


def repair_midi(data: bytes) -> tuple[bytes, tuple[str, ...]]:
    """The bytes of a file as a strict reader takes them, and what was repaired, a clause each.

    Those of a file without a fault come back as they are.

    Raises:
        InvalidMidi: it cannot be read.
    """
    data, _, changes = _read(data)
    return data, tuple(changes)


def _read(data: bytes) -> tuple[bytes, tuple[Any, int], list[str]]:
    """The file's bytes, repaired if need be; its score and ticks per quarter; what was repaired."""
    data = unwrap(data)
    try:
        return data, _parse_strictly(data), []
    except LimitExceeded:
        raise
    except InvalidMidi as error:
        data, changes = repair(data, error)
        return data, _parse_strictly(data), changes


def _parse_strictly(data: bytes) -> tuple[Any, int]:
    """The parser's score, and ticks per quarter.

    Raises:
        InvalidMidi: anything about the file's structure is wrong.
    """
    data, ticks_per_quarter, places = check_chunks(data)
    if is_suspect(data):
        check_events(data, places)
    try:
        score = ScoreTick.from_midi(_release_all(data, places))
    except MemoryError:
        raise LimitExceeded("file too large", "out of memory") from None
    except Exception as error:
        # The parser raises various types; our own walk reports what is wrong.
        check_events(data, places)
        raise InvalidMidi("damaged", str(error).splitlines()[0]) from None
    notes = score.note_num()
    if notes > MAX_NOTES:
        raise LimitExceeded("too many notes", f"{notes}, at most {MAX_NOTES}")
    if not notes:
        raise InvalidMidi("no notes", describe_silence(len(places)))
    if score.end() > MAX_TICK:
        # Either a tick of the file's own is, which this raises, or a note that was released.
        check_events(data, places)
        raise InvalidMidi("notes without an end")
    return score, ticks_per_quarter


def _release_all(data: bytes, places: list[tuple[int, int]]) -> bytes:
    """The file with a note-off for every pitch far beyond the end of every track.

    The parser drops a note that never ends; of this file it makes one that ends beyond all ticks.
    """
    parts = [data[: HEADER.size]]
    for start, end in places:
        track = data[start:end]
        offs = [offs for status, offs in _NOTE_OFFS if status in track]
        if offs:
            track = b"".join((track[:-3], _FAR, *offs, _END))
        parts += (CHUNK.pack(b"MTrk", len(track)), track)
    return b"".join(parts)


#: Statuses of note-on events, each with note-offs for all pitches of its channel, before a delta
#: time of 0 each.
_NOTE_OFFS = [
    (0x90 | n, b"".join(bytes([0x80 | n, pitch, 0, 0]) for pitch in range(128))) for n in range(16)
]
#: Twice an empty text and the longest delta time, which together are longer than the largest tick.
_FAR = 2 * b"\xff\x01\x00\xff\xff\xff\x7f"
_END = b"\xff\x2f\x00"


def _to_note_bytes(notes: Any) -> bytes:
    # The parser pickles its memory, after a count of four bytes; that costs a tenth of its arrays.
    # Whether this still holds was tested when this module was imported.
    if _PICKLES_MEMORY:
        return notes.__getstate__()[4:]
    arrays = notes.numpy()
    return Track.of(
        arrays["pitch"], arrays["time"], arrays["time"] + arrays["duration"], arrays["velocity"]
    ).notes


def _pickles_memory() -> bool:
    pitch, velocity = [60, 21, 108], [1, 80, 127]
    onset, end = [0, 70_000, 2**28], [9, 70_100, 2**28 + 1]
    notes = NoteTickList.from_numpy(
        np.array(onset, np.int32),
        np.array(end, np.int32) - np.array(onset, np.int32),
        np.array(pitch, np.int8),
        np.array(velocity, np.int8),
    )
    try:
        track = Track(notes.__getstate__()[4:])
        columns = [column.tolist() for column in (track.pitch, track.velocity)]
        columns += [column.tolist() for column in (track.onset, track.end)]
    except (AttributeError, TypeError, ValueError):
        return False
    return columns == [pitch, velocity, onset, end]


_PICKLES_MEMORY = _pickles_memory()


def _check_end(score: Any, ticks_per_quarter: int, tempos: list[tuple[int, int]]) -> int:
    """Check the length; returns the tick of the end."""
    end: int = score.end()
    if not 0 <= end <= MAX_TICK:
        raise LimitExceeded("ticks out of range", f"tick {end}")
    quarters = end / ticks_per_quarter
    if quarters > MAX_QUARTERS:
        raise LimitExceeded("too long", f"{quarters:.0f} quarters, at most {MAX_QUARTERS}")
    tracks = len(score.tracks)
    if quarters * STEPS_PER_QUARTER * tracks > MAX_STEPS:
        raise LimitExceeded("too long", f"{tracks} tracks of {quarters:.0f} quarters")
    seconds = ticks_to_seconds(tempos, ticks_per_quarter, end)
    if seconds > MAX_SECONDS:
        raise LimitExceeded("too long", f"{seconds:.0f} s, at most {MAX_SECONDS}")
    return end


def ticks_to_seconds(tempos: list[tuple[int, int]], ticks_per_quarter: int, tick: int) -> float:
    """Time of a tick, seconds, through all changes of tempo."""
    microseconds, since, tempo = 0, 0, _DEFAULT_TEMPO
    for change, value in tempos:
        if change >= tick:
            break
        microseconds += (change - since) * tempo
        since, tempo = change, value
    return (microseconds + (tick - since) * tempo) / ticks_per_quarter / 1e6


def tune_seconds(tune: Tune, ticks: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Times of ticks ``(n,)``, seconds, through all changes of tempo, float64 ``(n,)``."""
    changes = [(0, _DEFAULT_TEMPO), *tune.tempos]
    since, tempo = np.array(changes, np.int64).T
    starts = np.cumsum([0, *(np.diff(since) * tempo[:-1]).tolist()])
    number = np.searchsorted(since, ticks, "right") - 1
    microseconds = starts[number] + (ticks - since[number]) * tempo[number]
    return microseconds / tune.ticks_per_quarter / 1e6


def _tempos(events: Any, changes: list[str]) -> list[tuple[int, int]]:
    tempos = []
    for number in range(len(events)):
        event = events[number]
        tick, tempo = event.time, event.mspq
        if tempo > 0:
            tempos.append((tick, tempo))
        else:
            _note(changes, "tempo 0 ignored")
    if len(tempos) > 1:
        tempos.sort()
    return tempos


def _time_signatures(events: Any, changes: list[str]) -> list[tuple[int, int, int]]:
    signatures = []
    for number in range(len(events)):
        event = events[number]
        tick, numerator, denominator = event.time, event.numerator, event.denominator
        if numerator >= 1 and denominator in _DENOMINATORS:
            signatures.append((tick, numerator, denominator))
        else:
            _note(changes, f"time signature {numerator}/{denominator} ignored")
    if len(signatures) > 1:
        # Of several at one tick (each track may repeat it) the last is kept.
        signatures = sorted({event[0]: event for event in signatures}.values())
    return signatures


def _keys(events: Any, changes: list[str]) -> list[tuple[int, int, bool]]:
    keys = []
    for number in range(len(events)):
        event = events[number]
        tick, sharps, mode = event.time, event.key, event.tonality
        if -7 <= sharps <= 7 and mode in (0, 1):
            keys.append((tick, sharps, mode == 1))
        else:
            of = f"{abs(sharps)} {'sharps' if sharps > 0 else 'flats'}"
            of += "" if mode in (0, 1) else f", mode {mode}"
            _note(changes, f"key signature of {of} ignored")
    keys.sort()
    return keys


def _note(changes: list[str], change: str) -> None:
    # Thousands of events may have the same fault.
    if change not in changes:
        changes.append(change)
