"""The key of a melody, and the transposition that brings it to C major or A minor."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from aeplug_music.score.grid import StepStreams
from aeplug_music.score.scales import Key
from aeplug_music.score.tokens import CLASSES, PITCH_OFFSET, Tokens, tokens_to_notes

#: Key profiles of major and minor, from the tonic up: probe-tone ratings of Krumhansl and Kessler
#: (1982).
_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
#: Semitones from a minor key's tonic up to that of its relative major.
_RELATIVE = 3
#: Pitch class of every onset token.
_PITCH_CLASS = (np.arange(CLASSES) + PITCH_OFFSET) % 12

Semitones = TypeVar("Semitones", int, npt.NDArray[np.int64])


def _make_profiles() -> npt.NDArray[np.float64]:
    rows = [np.roll(profile, tonic) for profile in (_MAJOR, _MINOR) for tonic in range(12)]
    centred = np.array(rows) - np.mean(rows, axis=1, keepdims=True)
    return centred / np.linalg.norm(centred, axis=1, keepdims=True)


_PROFILES = _make_profiles()


def signature_shift(sharps: int) -> int:
    """Semitones, -5..6, from a key signature (-7..7 sharps) to that of C major."""
    return _wrap(-7 * sharps)


def estimate_shifts(streams: StepStreams) -> npt.NDArray[np.int64]:
    """Estimate the transposition to C major or A minor, semitones -5..6, ``(M,)``; 0 without notes.

    The key is the one whose profile correlates best with the durations of the pitch classes.
    """
    count = len(streams.notes)
    pitch_class = _PITCH_CLASS[streams.tokens[streams.onsets]]
    weights = np.bincount(
        streams.owner * 12 + pitch_class, streams.ends - streams.onsets, minlength=count * 12
    ).reshape(count, 12)
    best = np.argmax((weights - weights.mean(axis=1, keepdims=True)) @ _PROFILES.T, axis=1)
    tonic = np.where(best < 12, best, best - 12 + _RELATIVE)
    return _wrap(-np.where(weights.any(axis=1), tonic, 0))


def weigh_pitch_classes(tokens: Tokens) -> npt.NDArray[np.float64]:
    """Share of the sounding time of tokens ``(S,)`` that each pitch class has, ``(12,)``."""
    onsets, ends, pitches = tokens_to_notes(tokens)
    weights = np.bincount(pitches % 12, ends - onsets, minlength=12)
    return weights / max(weights.sum(), 1)


def estimate_key(weights: npt.NDArray[np.float64]) -> Key:
    """The key whose profile correlates best with the weights of the pitch classes, ``(12,)``.

    Example:
        >>> from aeplug_music.score.keys import estimate_key
        >>> str(estimate_key(np.array([3, 0, 1, 0, 2, 1, 0, 2, 0, 1, 0, 1])))
        'C'
    """
    best = int(np.argmax(_PROFILES @ (weights - weights.mean())))
    return Key(best % 12, best >= 12)


def estimate_tonics(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """The tonic of the key of each row of weights ``(N, 12)``, as pitch classes ``(N,)``."""
    centred = weights - weights.mean(axis=1, keepdims=True)
    return np.argmax(centred @ _PROFILES.T, axis=1) % 12


def _wrap(semitones: Semitones) -> Semitones:
    return (semitones + 5) % 12 - 5
