"""Pitch of a single voice: pYIN's candidates for each frame, with their probabilities.

The difference function is YIN's (de Cheveigné and Kawahara, 2002), the candidates and their
probabilities are pYIN's (Mauch and Dixon, "pYIN: a fundamental frequency estimator using
probabilistic threshold distributions", 2014): a threshold drawn from Beta(2, 18) selects the first
trough below it, so a trough's probability is that of the thresholds which select it, a difference
of two values of the distribution.

``librosa.pyin`` computes the same, followed by a Viterbi path over 1,200 pitches. Here
:mod:`aeplug_audio.analysis.voice` decodes notes from the candidates directly, in a tenth
of the time and without 15 s of compilation at the first call.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import fft

from aeplug_audio.files.reading import RATE, Samples

__all__ = ["Floats"]

#: Range of pitch, Hz: from a bass's low C to a piccolo's high C.
LOWEST_HZ, HIGHEST_HZ = 65.0, 2100.0
#: Samples between frames, and samples over which a frame is compared with itself at a lag.
HOP, WINDOW = 256, 1024
SHORTEST_LAG, LONGEST_LAG = int(RATE / HIGHEST_HZ), int(np.ceil(RATE / LOWEST_HZ)) + 1
#: Samples of a frame.
FRAME = WINDOW + LONGEST_LAG + 1
#: Candidates kept per frame.
CANDIDATES = 5
#: Probability of the deepest trough where all thresholds lie below it.
_NO_TROUGH = 0.01
_SIZE = 2048

Floats = npt.NDArray[np.float32]


class Candidates(NamedTuple):
    """Possible pitches in each of F frames.

    Attributes:
        pitch: fractional MIDI numbers, float32 ``(F, CANDIDATES)``; NaN: no candidate.
        probability: float32 ``(F, CANDIDATES)``; at most 1 in sum, the rest is unvoiced.
    """

    pitch: Floats
    probability: Floats


def find_candidates(frames: Samples) -> Candidates:
    """Find the possible pitches of frames, float32 ``(F, FRAME)``."""
    dips = _compute_difference(frames)
    inner = dips[:, 1:-1]
    is_trough = (inner < dips[:, :-2]) & (inner <= dips[:, 2:])
    # A trough is selected by thresholds between its own depth and the deepest before it.
    depths = np.where(is_trough, inner, np.float32(np.inf))
    deepest = np.minimum.accumulate(depths, axis=1)
    before = np.ones_like(depths)
    before[:, 1:] = np.minimum(deepest[:, :-1], 1)
    mass = _beta_cdf(before) - _beta_cdf(np.minimum(depths, before))
    rows = np.arange(len(dips))
    last = np.argmin(depths, axis=1)
    mass[rows, last] += _NO_TROUGH * _beta_cdf(np.minimum(depths[rows, last], 1))
    mass[~is_trough] = 0
    best = np.argpartition(-mass, CANDIDATES, axis=1)[:, :CANDIDATES]
    probability = np.take_along_axis(mass, best, 1)
    lag = best + 1 + _interpolate_trough(dips, best + 1) + SHORTEST_LAG
    pitch = 69 + 12 * np.log2(RATE / lag / 440)
    pitch[probability <= 0] = np.nan
    return Candidates(pitch.astype(np.float32), probability.astype(np.float32))


def _compute_difference(frames: Samples) -> Floats:
    """YIN's d'(lag), ``(F, LONGEST_LAG - SHORTEST_LAG + 1)``, from the shortest lag on."""
    spectrum = fft.rfft(frames, _SIZE, axis=1)
    window = fft.rfft(frames[:, :WINDOW], _SIZE, axis=1)
    lags = LONGEST_LAG + 1
    product = fft.irfft(spectrum * np.conj(window), _SIZE, axis=1)[:, :lags]
    squares = np.zeros((len(frames), FRAME + 1))
    np.cumsum(np.square(frames, dtype=np.float64), axis=1, out=squares[:, 1:])
    energy = squares[:, WINDOW : WINDOW + lags] - squares[:, :lags]
    difference = np.maximum(energy[:, :1] + energy - 2 * product, 0)
    sums = np.cumsum(difference[:, 1:], axis=1)
    normalised = difference[:, 1:] * np.arange(1, lags) / np.maximum(sums, 1e-12)
    return normalised[:, SHORTEST_LAG - 1 :].astype(np.float32)


def _beta_cdf(threshold: Floats) -> Floats:
    """Share of thresholds below this one: the cumulative distribution of Beta(2, 18)."""
    return 1 - (1 - threshold) ** 18 * (1 + 18 * threshold)


def _interpolate_trough(values: Floats, place: npt.NDArray[np.int64]) -> Floats:
    """Offset of a trough's minimum from its lag, -1 to 1, by a parabola through three values."""
    left, middle, right = (np.take_along_axis(values, place + d, 1) for d in (-1, 0, 1))
    bend = left + right - 2 * middle
    shift = np.where(bend > 0, (left - right) / np.maximum(2 * bend, 1e-12), 0)
    return np.clip(shift, -1, 1).astype(np.float32)
