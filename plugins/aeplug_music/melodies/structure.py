"""Bar-level self-similarity of tunes, by the distance between the bars.

Bars that are ``lag`` bars apart are compared, in each tune and for each lag from 1: in folk tunes
those 8 bars apart are often equal, as sections return. The result is a *profile*: for each lag the
mean over tunes of the share of similar pairs. Four kinds of similarity, from strict to loose:

* ``equal``: the same notes on the same steps.
* ``transposed``: the same up to a transposition of the whole bar.
* ``rhythm``: notes begin on the same steps, whatever their pitches.
* ``sounding``: the share of steps at which the same pitch sounds.

Bars are self-contained, as windows are (:mod:`aeplug_music.score.tokens`): a note held over its
left edge begins in it. Pairs of silent bars are ignored. Two profiles are compared by the mean
absolute difference over the lags that both have.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from aeplug_music.score.tokens import FIRST_ONSET, Tokens, fill_holds, split_windows

Profile = npt.NDArray[np.float64]
#: Tokens of tunes, ``(N, T)``, or an array ``(S,)`` for each.
Tunes = npt.NDArray[Any] | Sequence[npt.NDArray[Any]]

MEASURES = ("equal", "transposed", "rhythm", "sounding")
#: Largest lag, bars.
LAGS = 32


def self_similarities(
    tokens: Tunes,
    bar: int | Sequence[int] | npt.NDArray[Any],
    lengths: Sequence[int] | npt.NDArray[Any] | None = None,
    lags: int = LAGS,
) -> dict[str, Profile]:
    """Profile of every measure: mean similarity of bars ``lag`` bars apart, 0..1.

    Args:
        tokens: uint8 or int64 ``(N, T)``, or N arrays ``(S,)``; an incomplete last bar is padded
            with rests.
        bar: steps of a bar, of all tunes or of each, ``(N,)``.
        lengths: valid steps of each tune, ``(N,)``; None: all.
        lags: L, from 1.

    Returns:
        Measure -> float64 ``(lags,)``, place 0 is lag 1: the mean over the tunes that have the
        lag; NaN where none has.
    """
    count = len(tokens)
    bars = np.broadcast_to(np.asarray(bar, np.int64), (count,)).tolist()
    ends = [None] * count if lengths is None else np.asarray(lengths).tolist()
    values = {name: np.full((count, lags), np.nan) for name in MEASURES}
    for row, (tune, steps, end) in enumerate(zip(tokens, bars, ends, strict=True)):
        similarities = _similarities(
            split_windows(np.asarray(tune)[:end].astype(np.uint8), steps), lags
        )
        for name in MEASURES:
            values[name][row] = similarities[name]
    return {name: _mean(each) for name, each in values.items()}


def profile_distance(a: Profile, b: Profile) -> float:
    """Mean absolute difference of two profiles over their common lags; NaN: they have none."""
    lags = min(len(a), len(b))
    difference = np.abs(np.asarray(a)[:lags] - np.asarray(b)[:lags])
    known = np.isfinite(difference)
    return float(difference[known].mean()) if known.any() else float("nan")


def _similarities(bars: Tokens, lags: int) -> dict[str, Profile]:
    """Mean similarity of a tune's bars ``(P, steps)`` at each lag, ``(lags,)``, by measure."""
    onsets = bars >= FIRST_ONSET
    lowest = np.where(onsets, bars, 255).min(1, keepdims=True)
    forms = {
        "equal": bars,
        "transposed": np.where(onsets, bars - np.minimum(lowest, bars) + FIRST_ONSET, bars),
        "rhythm": onsets,
    }
    pitches = fill_holds(bars)
    # Holds before the first note and note-offs are both silence.
    pitches = np.where(pitches >= FIRST_ONSET, pitches, 0)
    silent = np.logical_not(onsets.any(axis=1))
    similarities = {name: np.full(lags, np.nan) for name in MEASURES}
    for lag in range(1, min(lags, len(bars) - 1) + 1):
        counted = np.logical_not(silent[:-lag] & silent[lag:])
        if not counted.any():
            continue
        for name, form in forms.items():
            same = (form[:-lag] == form[lag:]).all(1)
            similarities[name][lag - 1] = same[counted].mean()
        alike = (pitches[:-lag] == pitches[lag:]).mean(1)
        similarities["sounding"][lag - 1] = alike[counted].mean()
    return similarities


def _mean(values: npt.NDArray[np.float64]) -> Profile:
    """Mean of each column, ignoring NaN; NaN if there is nothing else."""
    known = np.isfinite(values)
    sums = np.where(known, values, 0.0).sum(0)
    return np.where(known.any(0), sums / np.maximum(known.sum(0), 1), np.nan)
