"""A transcription in the time of its recording: laid under it, notes are where it has them.

Second 0 of the file is that of the recording, and the beat that was followed is its tempo map, an
event a beat. Notes begin and end as they were played, beside the grid as the player was; none is
too short. Before the first bar line lies a bar of its own length: a part of a beat, which the
recording begins with, and the beats that are left to the bar line.
"""

from __future__ import annotations

import numpy as np

from aeplug_music.midi.reading import tune_seconds
from aeplug_music.score.grid import Int
from aeplug_music.score.metres import STEPS_PER_BAR, STEPS_PER_QUARTER, parse_metre
from aeplug_music.score.tune import Track, Tune
from aeplug_music.transcription.rhythm import Floats64
from aeplug_music.transcription.transcribe import Transcription

TICKS_PER_QUARTER = 960
VELOCITY = 80
#: Denominators of the part of a beat that a file can begin with, the longest first.
_PARTS = (4, 8, 16, 32, 64)
_DOTTED = ("6/8", "9/8", "12/8")
#: Limits of a tempo in a file, microseconds a quarter.
_FASTEST, _SLOWEST = 1, 2**24 - 1


def align_notes(transcription: Transcription, name: str = "") -> Tune:
    """The notes at the seconds of the recording, over the beat that was followed.

    What a recording has before a beat below half of a 64th is left out, which moves the first beat
    by as much, and no note.
    """
    beats, seconds = _find_beats(transcription)
    unit = _beat_steps(transcription.metre) * TICKS_PER_QUARTER // STEPS_PER_QUARTER
    lead = _choose_lead(float(seconds[0]), float(seconds[1] - seconds[0]) / unit)
    edges = lead + unit * (beats - beats[0])
    if lead:
        edges, seconds = np.append(0, edges), np.append(0.0, seconds)
    else:
        seconds[0] = 0.0
    in_bar = STEPS_PER_BAR[transcription.metre] // _beat_steps(transcription.metre)
    upbeat = lead + unit * int(-beats[0] % in_bar)
    tune = Tune(
        TICKS_PER_QUARTER,
        [],
        _list_signatures(transcription.metre, upbeat),
        _list_tempos(edges, seconds),
        name=name,
    )
    tune.tracks = [_place_notes(transcription, tune, edges, name)]
    tune.end = int(tune.tracks[0].end.max())
    return tune


def _beat_steps(metre: str) -> int:
    return 6 if metre in _DOTTED else 4 * STEPS_PER_QUARTER // parse_metre(metre)[1]


def _find_beats(transcription: Transcription) -> tuple[Int, Floats64]:
    """Beats from the beginning of the recording to beyond the last note, and their seconds.

    They are counted from the first bar line of :class:`~.rhythm.BeatGrid`, below 0 before it.
    """
    on_grid, steps = transcription.on_grid, _beat_steps(transcription.metre)
    pause = max(on_grid.grid.first_beat, 0.0)
    first = -int(pause / (steps * on_grid.step[0])) - 2
    last = int(on_grid.end[-1]) // steps + 2
    end = max(note.end for note in transcription.notes)
    while float(on_grid.to_seconds(np.array([last * steps]))[0]) <= end:
        last += 1
    beats = np.arange(first, last + 1)
    seconds = on_grid.to_seconds(beats * steps)
    inside = seconds >= 0
    return beats[inside], seconds[inside]


def _choose_lead(seconds: float, tick: float) -> int:
    """Ticks that the file has before its first beat: a note value of about so many seconds.

    Args:
        seconds: before the first beat.
        tick: seconds of a tick in the beat that follows.
    """
    values = (4 * TICKS_PER_QUARTER // part for part in _PARTS)
    return next((value for value in values if value * tick <= 2 * seconds), 0)


def _list_signatures(metre: str, upbeat: int) -> list[tuple[int, int, int]]:
    """The time signature, and before it one for a first bar of ``upbeat`` ticks."""
    numerator, denominator = parse_metre(metre)
    if upbeat * denominator in (0, 4 * TICKS_PER_QUARTER * numerator):
        return [(0, numerator, denominator)]
    part = next(part for part in _PARTS if upbeat * part % (4 * TICKS_PER_QUARTER) == 0)
    first = (0, upbeat * part // (4 * TICKS_PER_QUARTER), part)
    return [first, (upbeat, numerator, denominator)]


def _list_tempos(edges: Int, seconds: Floats64) -> list[tuple[int, int]]:
    """A tempo for each space between two edges ``(n,)`` in ticks, which has these seconds."""
    quarters = np.diff(edges) / TICKS_PER_QUARTER
    lengths = np.rint(np.diff(seconds) / quarters * 1e6).astype(np.int64)
    lengths = lengths.clip(_FASTEST, _SLOWEST)
    is_new = np.append(True, lengths[1:] != lengths[:-1])
    return list(zip(edges[:-1][is_new].tolist(), lengths[is_new].tolist(), strict=True))


def _place_notes(transcription: Transcription, tune: Tune, edges: Int, name: str) -> Track:
    """The notes at the ticks that are at their seconds."""
    times = tune_seconds(tune, edges)
    onsets, ends = (
        np.rint(np.interp(values, times, edges)).astype(np.int64)
        for values in np.array([(note.onset, note.end) for note in transcription.notes]).T
    )
    ends[:-1] = np.minimum(ends[:-1], onsets[1:])
    pitches = [note.pitch for note in transcription.notes]
    return Track.of(pitches, onsets, np.maximum(ends, onsets + 1), VELOCITY, name=name)
