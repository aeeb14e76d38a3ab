"""Standard MIDI Files -> :class:`~aeplug_music.score.tune.Tune`, in bulk, within fixed limits.

Bytes, ticks, notes and end time are limited before arrays are made. The parser, symusic, is strict
about structure but accepts nonsense (tempo 0, time signature 4/512, ticks that overflow at 2^32),
so structure is checked before it and values after it.

Overlapping notes of one pitch end in the order in which they began; a note that never ends is
dropped.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from symusic.core import NoteTickList, ScoreTick

from aeplug.errors import FileError
from aeplug_music.midi.smf import (
    MAX_BYTES,
    MAX_TICK,
    InvalidMidi,
    check_chunks,
    check_events,
    is_suspect,
)
from aeplug_music.score.metres import STEPS_PER_QUARTER
from aeplug_music.score.tune import Track, Tune

#: Limits of a file: notes; quarters to its end (5,000 bars of 4/4); seconds at its tempi; and steps
#: summed over all tracks, the size of its grids.
MAX_NOTES = 400_000
MAX_QUARTERS = 20_000
MAX_SECONDS = 3 * 3600
MAX_STEPS = 1_000_000

_DENOMINATORS = frozenset({1, 2, 4, 8, 16, 32, 64})
_DEFAULT_TEMPO = 500_000  # microseconds a quarter: 120 bpm


def read_midi(path: Path) -> Tune:
    """Read a file.

    Raises:
        InvalidMidi: it is no usable MIDI file.
        FileError: it cannot be read at all.
    """
    return parse_midi(read_bytes(path))


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
    data, ticks_per_quarter, places = check_chunks(data)
    if is_suspect(data):
        check_events(data, places)
    try:
        score = ScoreTick.from_midi(data)
    except MemoryError:
        raise InvalidMidi("file too large", "out of memory") from None
    except Exception as error:
        # The parser raises various types; our own walk reports what is wrong.
        check_events(data, places)
        raise InvalidMidi("damaged", str(error).splitlines()[0]) from None
    tempos = _tempos(score.tempos)
    end = _check_end(score, ticks_per_quarter, tempos)
    tune = Tune(
        ticks_per_quarter,
        [],
        _time_signatures(score.time_signatures),
        tempos,
        _keys(score.key_signatures),
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
    if not tune.tracks:
        raise InvalidMidi("no notes")
    tune.name = tune.tracks[0].name
    return tune


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
    """Check the number of notes and the length; returns the tick of the end."""
    count = score.note_num()
    if count > MAX_NOTES:
        raise InvalidMidi("too many notes", f"{count}, at most {MAX_NOTES}")
    end: int = score.end()
    if not 0 <= end <= MAX_TICK:
        raise InvalidMidi("ticks out of range", f"tick {end}")
    quarters = end / ticks_per_quarter
    if quarters > MAX_QUARTERS:
        raise InvalidMidi("too long", f"{quarters:.0f} quarters, at most {MAX_QUARTERS}")
    tracks = len(score.tracks)
    if quarters * STEPS_PER_QUARTER * tracks > MAX_STEPS:
        raise InvalidMidi("too long", f"{tracks} tracks of {quarters:.0f} quarters")
    seconds = ticks_to_seconds(tempos, ticks_per_quarter, end)
    if seconds > MAX_SECONDS:
        raise InvalidMidi("too long", f"{seconds:.0f} s, at most {MAX_SECONDS}")
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


def _tempos(events: Any) -> list[tuple[int, int]]:
    tempos = []
    for number in range(len(events)):
        event = events[number]
        tick, tempo = event.time, event.mspq
        if tempo <= 0:
            raise InvalidMidi("tempo 0", f"at tick {tick}")
        tempos.append((tick, tempo))
    if len(tempos) > 1:
        tempos.sort()
    return tempos


def _time_signatures(events: Any) -> list[tuple[int, int, int]]:
    signatures = []
    for number in range(len(events)):
        event = events[number]
        tick, numerator, denominator = event.time, event.numerator, event.denominator
        if numerator < 1 or denominator not in _DENOMINATORS:
            raise InvalidMidi(
                "invalid time signature",
                f"numerator {numerator}, or denominator no power of two up to 64, at tick {tick}",
            )
        signatures.append((tick, numerator, denominator))
    if len(signatures) > 1:
        # Of several at one tick (each track may repeat it) the last is kept.
        signatures = sorted({event[0]: event for event in signatures}.values())
    return signatures


def _keys(events: Any) -> list[tuple[int, int, bool]]:
    keys = []
    for number in range(len(events)):
        event = events[number]
        tick, sharps, mode = event.time, event.key, event.tonality
        if not -7 <= sharps <= 7 or mode not in (0, 1):
            raise InvalidMidi(
                "invalid key signature", f"{sharps} sharps, mode {mode}, at tick {tick}"
            )
        keys.append((tick, sharps, mode == 1))
    keys.sort()
    return keys
