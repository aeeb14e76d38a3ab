"""Notation (ABC, MusicXML) -> :class:`~aeplug_music.score.tune.Tune`, by the extra music21."""

from __future__ import annotations

import contextlib
import warnings
from bisect import bisect
from pathlib import Path
from typing import Any

import numpy as np

from aeplug.errors import FileError
from aeplug.runtime import say
from aeplug_music.midi.reading import MAX_QUARTERS, read_bytes
from aeplug_music.midi.score_files import ABC, split_scores
from aeplug_music.score.tune import Track, Tune

INSTALL = "pip install music21"

_TICKS_PER_QUARTER = 480
#: Velocity without a dynamic mark, and that of the loudest.
_VELOCITY, _LOUDEST = 80, 127


def read_score(path: Path, number: int | None = None) -> Tune:
    """Read a file of notation: repeats expanded, ties joined, parts as tracks, at sounding pitch.

    Args:
        path: of the file.
        number: of the tune in a file of several, from 1; None: the first, and a line on stderr says
            that there are others.

    Raises:
        FileError: music21 is not installed, or the file cannot be read, holds no notes or no tune
            of this number.
    """
    scores = split_scores(read_bytes(path), path.suffix)
    if number is not None and number > len(scores):
        tunes = f"{len(scores)} tune{'s' * (len(scores) > 1)}"
        raise FileError(f"--tune {number}: it holds {tunes}")
    tune = parse_score(scores[(number or 1) - 1], path.suffix)
    tune.name = tune.name or path.stem
    if number is None and len(scores) > 1:
        say(f"{path}: tune 1 of {len(scores)}, {tune.name}; --tune N takes another")
    return tune


def parse_score(score: str, suffix: str) -> Tune:
    """Parse one score.

    Args:
        score: text of ABC or MusicXML, see :mod:`aeplug_music.midi.score_files`.
        suffix: of its file.

    Raises:
        FileError: music21 is not installed, or the score is not readable or holds no notes.
    """
    try:
        from music21 import converter
    except ImportError as error:
        raise FileError(
            f"reading {suffix} needs music21, which is not installed: {INSTALL}"
        ) from error
    try:
        # What it warns about it has also handled.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kind = "abc" if suffix.lower() == ABC else "musicxml"
            parsed = converter.parseData(score, format=kind)
            # An Opus is what a score becomes that states its number.
            parsed = next(iter(getattr(parsed, "scores", ())), parsed)
            return _to_tune(parsed.toSoundingPitch())
    except FileError:
        raise
    except Exception as error:
        # music21's parsers raise exceptions without a common base.
        detail = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FileError(f"not readable as {suffix} ({detail})") from error


def _to_tune(score: Any) -> Tune:
    parts = [
        _expand_repeats(part) for part in (score.parts if score.hasPartLikeStreams() else [score])
    ]
    tracks = [(part, track) for part in parts if (track := _to_track(part)) is not None]
    if not tracks:
        raise FileError("no notes")
    first = tracks[0][0]
    return Tune(
        _TICKS_PER_QUARTER,
        [track for _, track in tracks],
        _time_signatures(first),
        [
            (_to_tick(start), round(60e6 / mark.getQuarterBPM()))
            for start, _, mark in score.metronomeMarkBoundaries()
            if mark.getQuarterBPM()
        ],
        [
            (_to_tick(key.getOffsetInHierarchy(first)), int(key.sharps), False)
            for key in first.recurse().getElementsByClass("KeySignature")
        ],
        (score.metadata.bestTitle if score.metadata is not None else "") or "",
    )


def _expand_repeats(part: Any) -> Any:
    from music21.exceptions21 import Music21Exception

    # Unpaired repeat signs are played once, as written.
    with contextlib.suppress(Music21Exception):
        part = part.expandRepeats()
    return part.stripTies()


def _to_track(part: Any) -> Track | None:
    notes = []
    flat = part.flatten()
    loudness = _read_dynamics(flat)
    for element in flat.notes:
        onset = _to_tick(element.offset)
        end = _to_tick(element.offset + element.quarterLength)
        if end > onset:
            velocity = element.volume.velocity or loudness[bisect(loudness, (onset, 128)) - 1][1]
            # Percussion without a pitch has none.
            pitches = getattr(element, "pitches", ())
            notes += [(onset, pitch.midi, end, velocity) for pitch in pitches]
    if not notes:
        return None
    onset, pitch, end, velocity = np.array(sorted(notes), np.int64).T
    if end.max() > MAX_QUARTERS * _TICKS_PER_QUARTER:
        raise FileError(f"too long (over {MAX_QUARTERS} quarters)")
    inside = (pitch >= 0) & (pitch <= 127)
    columns = (pitch[inside], onset[inside], end[inside], velocity[inside].clip(1, 127))
    return Track.of(*columns, name=part.partName or "")


def _read_dynamics(flat: Any) -> list[tuple[int, int]]:
    """Tick and velocity of every dynamic mark, ordered; before the first the usual velocity."""
    marks = [
        (_to_tick(mark.offset), round(_LOUDEST * mark.volumeScalar))
        for mark in flat.getElementsByClass("Dynamic")
        if mark.volumeScalar
    ]
    return sorted([(-1, _VELOCITY), *marks])


def _time_signatures(part: Any) -> list[tuple[int, int, int]]:
    signatures: list[tuple[int, int, int]] = []
    for signature in part.recurse().getElementsByClass("TimeSignature"):
        # An expanded repeat restates its signature without a change.
        if not signatures or signatures[-1][1:] != (signature.numerator, signature.denominator):
            tick = _to_tick(signature.getOffsetInHierarchy(part))
            signatures.append((tick, signature.numerator, signature.denominator))
    measures = list(part.getElementsByClass("Measure"))
    if measures and signatures and signatures[0][0] == 0:
        # An upbeat: the first measure is shorter than its time signature.
        length = _to_tick(measures[0].duration.quarterLength)
        _, numerator, denominator = signatures[0]
        if 0 < length < 4 * _TICKS_PER_QUARTER * numerator // denominator:
            signatures.insert(1, (length, numerator, denominator))
    return signatures


def _to_tick(quarters: Any) -> int:
    return round(quarters * _TICKS_PER_QUARTER)
