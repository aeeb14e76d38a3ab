"""Which track of a tune is its melody: by the track's name, else by how it sounds.

A track that is called melody, vocal, lead or the like, in one of several languages, is the melody.
Where none is, or several are, each track has a score: a weighted sum of what melodies have more of
than accompaniments (:data:`WEIGHTS`), which `benchmarks/track_choice.py` measures with the names
hidden.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aeplug.errors import FileError, nearest
from aeplug_music.score.grid import Int
from aeplug_music.score.tokens import HIGHEST, LOWEST, MOST_NOTES_PER_ONSET
from aeplug_music.score.tune import Track, Tune

#: Value of the option that takes every melodic track.
ALL = "all"

#: Names of melodies, the clearest first, as whole words or with a number behind.
_NAMES = tuple(
    re.compile(rf"(?<![^\W\d_])(?:{words})(?![^\W\d_])", re.IGNORECASE)
    for words in (
        r"melod(?:y|ie|ia|i|í|ya|ija)|мелодия|メロディ?ー?|旋律|主旋律",
        r"vocals?|vox|voice|voices|sing(?:er|ing|stimme)?|gesang|stimme|voz|vozes|voces|voix|chant"
        r"|canto|cantus|zang|sång|вокал|голос|ボーカル|soprano|sopran",
        r"song|tune|theme|thema|tema|thème|lead|leads?|soloist|solo",
    )
)
#: Of these a name may be a melody's although it is only the second voice.
_SECONDARY = re.compile(r"back|harmon|support|second|2nd|chorus|choir|echo|semi", re.IGNORECASE)
#: Names that sequencers give to programs: they say how a track sounds, not what it plays.
_OF_PROGRAMS = re.compile(
    r"(?:square|saw(?:tooth)?|bass|calliope|chiff(?:er)?|charang|fifths?|5ths?|polysynth|synth|voice)"
    r"[ _]*lead|lead[ _]*[1-8]|synth[ _]*voice|voice[ _]*oohs?|solo[ _]*vox",
    re.IGNORECASE,
)
#: What a track is called that is no melody.
_ACCOMPANIMENTS = re.compile(
    r"bas[se]?\b|bass|baixo|bajo|drum|perc|chord|pad\b|string|accomp|begleit|rhythm|rythm|arp|comp\b"
    r"|piano\b.*(?:left|lh)|(?:left|linke).*hand|akkord|kick|snare|hi.?hat|harmon|echo|fx\b",
    re.IGNORECASE,
)

#: What a unit of each measure is worth. Fitted by hand, since few files name their melody: rounded,
#: and none matters alone (halved or doubled, one changes the accuracy by two points at most; only
#: ``chords`` cannot be left out).
WEIGHTS = {
    "chords": -1.5,
    "height": 0.1,
    "low": -2.0,
    "high": -2.0,
    "by_step": 2.5,
    "repeated": -1.0,
    "leaps": -4.0,
    "soloist": 0.3,
    "distorted": 2.0,
    "background": -0.8,
    "bass": -1.5,
    "noise": -1.5,
    "presence": 0.5,
    "loudness": 3.0,
}
#: Of a name that says that the track is no melody.
_ACCOMPANIMENT = -3.0

#: General MIDI programs, numbered from 0.
_DISTORTED = range(29, 32)
_BASSES = range(32, 40)
_SOLOISTS = (*range(40, 43), *range(56, 61), *range(64, 88), *range(104, 112))
_BACKGROUND = (*range(44, 47), *range(48, 55))
_NOISE = (47, 55, *range(112, 128))
#: Mean pitches, MIDI numbers, below and above which a track is low or high.
_LOW, _HIGH = 57, 82
_OCTAVE = 12


@dataclass(frozen=True)
class Choice:
    """Tracks that are taken for melodies.

    Attributes:
        numbers: of the tracks in ``Tune.tracks``, at least one.
        reason: why these.
    """

    numbers: tuple[int, ...]
    reason: str


def choose_tracks(tune: Tune, wanted: str = "", *, by_name: bool = True) -> Choice:
    """Choose the melody's track, or those that are wanted.

    Args:
        tune: the file's content.
        wanted: a track's number, counted from 1, or its name, or part of that; ``all``: every
            track that is a melody; empty: the likeliest.
        by_name: False hides the tracks' names from the choice.

    Raises:
        FileError: there are only drums, no note within the range, or no such track.

    Example:
        >>> from aeplug_music.score.tune import Track, Tune
        >>> tune = Tune(4, [Track.of([43], [0], [4]), Track.of([72], [0], [4], name="Flute")])
        >>> choose_tracks(tune).numbers
        (1,)
    """
    voices = [number for number, track in enumerate(tune.tracks) if not track.is_drum]
    if not voices:
        raise FileError("only drums, no melody")
    audible = [number for number in voices if len(_audible_notes(tune.tracks[number])[0])]
    if not audible:
        raise FileError(f"no notes within the range of a piano (MIDI {LOWEST} to {HIGHEST})")
    if wanted == ALL:
        measures = {number: _Sound.of(tune, tune.tracks[number]) for number in audible}
        melodic = [number for number in audible if measures[number].is_melody]
        return Choice(tuple(melodic or audible), f"--track {ALL}")
    if wanted:
        return Choice((_find_track(tune, wanted, audible),), f"--track {wanted}")
    if len(audible) == 1:
        return Choice((audible[0],), "the only one that is no drums")
    scores = score_tracks(tune, audible, by_name=by_name)
    best = max(audible, key=scores.__getitem__)
    named = by_name and rank_name(tune.tracks[best].name) > 0
    return Choice((best,), "by its name" if named else "by how it sounds")


def describe_choice(tune: Tune, choice: Choice) -> str:
    """Which track was taken, and which stay as they are, in one line; empty: there is one alone."""
    others = [number for number in range(len(tune.tracks)) if number not in choice.numbers]
    if not others and len(choice.numbers) == 1:
        return ""
    taken = ", ".join(label_track(tune, number) for number in choice.numbers)
    plural = "s" * (len(choice.numbers) > 1)
    line = f"melody: track{plural} {taken} ({choice.reason})"
    if others:
        line += f"; others: {', '.join(label_track(tune, number) for number in others)}"
    return line


def label_track(tune: Tune, number: int) -> str:
    """A track's number from 1, and its name if it has one."""
    track = tune.tracks[number]
    name = "".join(letter for letter in track.name if letter.isprintable()).strip()
    return f"{number + 1}{f' {name!r}' if name else ''}{' (drums)' if track.is_drum else ''}"


def _find_track(tune: Tune, wanted: str, audible: Sequence[int]) -> int:
    number = _match_track(tune, wanted)
    if number is None:
        names = [track.name for track in tune.tracks if track.name]
        listed = ", ".join(label_track(tune, number) for number in range(len(tune.tracks)))
        hint = nearest(wanted, names) if names else ""
        raise FileError(
            f"no track '{wanted}'. {hint} Tracks with notes: {listed}".replace("  ", " ")
        )
    if number not in audible:
        what = "drums" if tune.tracks[number].is_drum else "out of the range of a piano"
        raise FileError(f"track {label_track(tune, number)} is {what}")
    return number


def _match_track(tune: Tune, wanted: str) -> int | None:
    names = [track.name.strip().casefold() for track in tune.tracks]
    text = wanted.strip().casefold()
    if text in names:
        return names.index(text)
    if text.isdecimal():
        return int(text) - 1 if 0 < int(text) <= len(names) else None
    holding = [number for number, name in enumerate(names) if text in name]
    return holding[0] if len(holding) == 1 else None


def rank_name(name: str) -> int:
    """How clearly a track's name says that it is the melody: 3 clearly, 0 not at all.

    Example:
        >>> [rank_name(name) for name in ("Melody", "Lead Vocal", "Lead", "Sawtooth Lead", "Bass")]
        [3, 2, 1, 0, 0]
    """
    plain = _OF_PROGRAMS.sub(" ", name)
    if _SECONDARY.search(plain):
        return 0
    return next((3 - rank for rank, words in enumerate(_NAMES) if words.search(plain)), 0)


def score_tracks(tune: Tune, numbers: Sequence[int], *, by_name: bool = True) -> dict[int, float]:
    """Score of each of some tracks with notes; the melody has the highest.

    Args:
        tune: whose tracks.
        numbers: in ``tune.tracks``.
        by_name: whether their names count.
    """
    sounds = {number: _Sound.of(tune, tune.tracks[number]) for number in numbers}
    loudest = max(sound.velocity for sound in sounds.values())
    scores = {}
    for number, sound in sounds.items():
        track = tune.tracks[number]
        measures = {**sound.measures, "loudness": max(sound.velocity - loudest, -0.5)}
        scores[number] = sum(WEIGHTS[name] * value for name, value in measures.items())
        if by_name:
            # More than all else together: a melody that is named so needs no likeness to one.
            scores[number] += 100.0 * rank_name(track.name)
            scores[number] += _ACCOMPANIMENT * bool(_ACCOMPANIMENTS.search(track.name))
    return scores


@dataclass(frozen=True)
class _Sound:
    """What a track's notes are like.

    Attributes:
        measures: names of ``WEIGHTS`` -> what the track has of it.
        velocity: mean, 0..1.
        is_melody: whether at most a quarter of its notes begin with another.
    """

    measures: dict[str, float]
    velocity: float
    is_melody: bool

    @classmethod
    def of(cls, tune: Tune, track: Track) -> _Sound:
        pitch, onset, velocity = _audible_notes(track)
        quarter = tune.ticks_per_quarter
        step = np.rint(onset * 4 / quarter).astype(np.int64)
        places, first = np.unique(step, return_index=True)
        top = np.maximum.reduceat(pitch, first)
        intervals = np.abs(np.diff(top)) if len(top) > 1 else np.zeros(1)
        bars = max(tune.end / (4 * quarter), 1)
        mean, voices = float(top.mean()), len(step) / len(places)
        measures = {
            "chords": min(voices - 1, 2.0),
            "height": mean / _OCTAVE,
            "low": max(0.0, _LOW - mean) / _OCTAVE,
            "high": max(0.0, mean - _HIGH) / _OCTAVE,
            "by_step": float(((intervals > 0) & (intervals <= 2)).mean()),
            "repeated": max(0.0, float((intervals == 0).mean()) - 0.5),
            "leaps": float((intervals > _OCTAVE).mean()),
            "soloist": float(track.program in _SOLOISTS),
            "distorted": float(track.program in _DISTORTED),
            "background": float(track.program in _BACKGROUND),
            "bass": float(track.program in _BASSES),
            "noise": float(track.program in _NOISE),
            "presence": min(len(np.unique(places // 16)) / bars, 1.0),
        }
        return cls(measures, float(velocity.mean()) / 127, voices <= MOST_NOTES_PER_ONSET)


def _audible_notes(track: Track) -> tuple[Int, Int, Int]:
    """Pitch, onset and velocity of the notes in the range, ordered by onset, int64 ``(n,)``."""
    inside = (track.pitch >= LOWEST) & (track.pitch <= HIGHEST) & (track.end > track.onset)
    order = np.argsort(track.onset[inside], kind="stable")
    columns = (track.pitch, track.onset, track.velocity)
    pitch, onset, velocity = (column[inside][order].astype(np.int64) for column in columns)
    return pitch, onset, velocity
