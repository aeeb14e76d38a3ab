"""Notation (ABC, MusicXML) -> :class:`~aeplug_music.score.tune.Tune`, by the extra music21."""

from __future__ import annotations

import contextlib
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from aeplug.errors import FileError
from aeplug_music.midi.reading import MAX_QUARTERS
from aeplug_music.midi.smf import MAX_BYTES
from aeplug_music.score.tune import Track, Tune

INSTALL = "pip install music21"

_TICKS_PER_QUARTER = 480


def read_score(path: Path) -> Tune:
    """Read a file of notation: repeats expanded, ties joined, parts as tracks.

    Of several tunes in a file, as in ABC, the first is read.

    Raises:
        FileError: music21 is not installed, or the file cannot be read or holds no notes.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise FileError(f"file too large (over {MAX_BYTES} bytes)")
    except OSError as error:
        raise FileError(f"cannot be read: {error.strerror}") from error
    try:
        from music21 import converter, stream
    except ImportError as error:
        raise FileError(
            f"reading {path.suffix} needs music21, which is not installed: {INSTALL}"
        ) from error
    try:
        # What it warns about it has also handled.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            score = converter.parse(str(path), forceSource=True)
            if isinstance(score, stream.Opus):
                score = score.scores[0]
            tune = _to_tune(score)
    except FileError:
        raise
    except Exception as error:
        # music21's parsers raise exceptions without a common base.
        detail = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FileError(f"not readable as {path.suffix} ({detail})") from error
    tune.name = tune.name or path.stem
    return tune


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
    for element in part.flatten().notes:
        onset = _to_tick(element.offset)
        end = _to_tick(element.offset + element.quarterLength)
        if end > onset:
            notes += [(onset, pitch.midi, end) for pitch in element.pitches]
    if not notes:
        return None
    onset, pitch, end = np.array(sorted(notes), np.int64).T
    if end.max() > MAX_QUARTERS * _TICKS_PER_QUARTER:
        raise FileError(f"too long (over {MAX_QUARTERS} quarters)")
    inside = (pitch >= 0) & (pitch <= 127)
    return Track.of(pitch[inside], onset[inside], end[inside], name=part.partName or "")


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
