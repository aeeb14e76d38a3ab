"""How tunes repeat themselves: bar-level self-similarity, by the distance between the bars.

Bars that stand ``lag`` bars apart are compared, in each tune and for each lag from 1: in folk
tunes those 8 bars apart are often the same bar, as sections return. What is reported is a
*profile*: the mean over tunes of the share of pairs that are alike, a value a lag. Four kinds of
likeness, from strict to loose:

* ``equal``: the same notes on the same steps.
* ``transposed``: the same up to a transposition of the whole bar.
* ``rhythm``: notes begin on the same steps, whatever their pitches.
* ``fill_holds``: no yes or no, but the share of steps on which the same pitch sounds.

A bar stands on its own, as windows do (:mod:`aeplug_music.score.tokens`): a note held over its
left edge begins in it. Pairs of two silent bars are left out. Two profiles are compared by the mean
absolute difference over the lags that both have.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from aeplug_music.score.tokens import FIRST_ONSET, Tokens, fill_holds, split_windows

Profile = npt.NDArray[np.float64]
#: Tunes as rows ``(N, T)`` of tokens, or one array ``(S,)`` each.
Tunes = npt.NDArray[Any] | Sequence[npt.NDArray[Any]]

MEASURES = ("equal", "transposed", "rhythm", "sounding")
#: Bars between the two that are compared, at most.
LAGS = 32


def self_similarities(
    tokens: Tunes,
    bar: int | Sequence[int] | npt.NDArray[Any],
    lengths: Sequence[int] | npt.NDArray[Any] | None = None,
    lags: int = LAGS,
) -> dict[str, Profile]:
    """The profile of every measure: mean likeness of bars ``lag`` bars apart, 0..1.

    Args:
        tokens: uint8 or int64 ``(N, T)``, or N arrays ``(S,)``; a last bar cut short is filled up
            with rests.
        bar: steps of a bar, of all tunes or of each, ``(N,)``.
        lengths: steps of each tune that count, ``(N,)``; None: all.
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
    """Mean absolute difference of two profiles over the lags that both have; NaN without any."""
    lags = min(len(a), len(b))
    difference = np.abs(np.asarray(a)[:lags] - np.asarray(b)[:lags])
    known = np.isfinite(difference)
    return float(difference[known].mean()) if known.any() else float("nan")


def _similarities(bars: Tokens, lags: int) -> dict[str, Profile]:
    """Mean likeness at each lag of one tune's bars ``(P, steps)``, ``(lags,)`` by measure."""
    onsets = bars >= FIRST_ONSET
    lowest = np.where(onsets, bars, 255).min(1, keepdims=True)
    forms = {
        "equal": bars,
        "transposed": np.where(onsets, bars - np.minimum(lowest, bars) + FIRST_ONSET, bars),
        "rhythm": onsets,
    }
    pitches = fill_holds(bars)
    # Before the first note and behind an end it is silent alike.
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
    """Mean over rows of what is known of each column; NaN where nothing is."""
    known = np.isfinite(values)
    sums = np.where(known, values, 0.0).sum(0)
    return np.where(known.any(0), sums / np.maximum(known.sum(0), 1), np.nan)
