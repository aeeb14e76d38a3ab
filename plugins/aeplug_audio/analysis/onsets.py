"""Where notes may begin: what rises in the spectrum, and dips of the loudness.

What rises is counted as SuperFlux does (Böck and Widmer, "Maximum filter vibrato suppression for
onset detection", 2013): a band against the strongest of its neighbours before, so that a vibrato,
which moves partials from band to band, is no onset.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from aeplug_audio.analysis.frames import Analysis, Bytes
from aeplug_audio.analysis.pitch import Floats

#: Frames between what is compared; and on either side of one, over which a peak is the highest.
LAG, NEIGHBOURS = 2, 3
#: Decibels below the loudest band of the recording, from which on nothing counts.
RANGE = 60
#: Mean rise of a band in dB that makes a peak one at all, and one that begins a note of the same
#: pitch; the latter also by how many times the mean around it.
SOFT, HARD, ABOVE_MEAN = 0.8, 2.7, 1.9
#: Frames over which that mean is taken.
AROUND = 41
#: Decibels that a dip is below what is loudest before and behind it, within so many frames.
DIP, SPAN = 3.3, 4
_AT_ONCE = 4096

FrameIndices = npt.NDArray[np.int64]


def compute_flux(analysis: Analysis) -> Floats:
    """How much rises at each frame, mean over the bands in dB, ``(F,)`` from 0."""
    flux = np.zeros(len(analysis), np.float32)
    floor = int(analysis.spectrum.max(initial=0)) - 2 * RANGE
    for first in range(0, len(flux), _AT_ONCE):
        before = max(first - LAG, 0)
        part = _compute_flux(analysis.spectrum[before : first + _AT_ONCE], floor)
        flux[first : first + _AT_ONCE] = part[first - before :]
    # What is compared lies on either side of the middle.
    return np.concatenate([flux[LAG // 2 :], np.zeros(LAG // 2, np.float32)])[: len(flux)]


def _compute_flux(spectrum: Bytes, floor: int) -> Floats:
    level = np.maximum(spectrum.astype(np.float32), floor) / 2
    flux = np.zeros(len(level), np.float32)
    if len(level) > LAG:
        before = maximum_filter1d(level[:-LAG], 3, axis=1)
        flux[LAG:] = np.maximum(level[LAG:] - before, 0).mean(1)
    return flux


def find_soft_onsets(flux: Floats) -> FrameIndices:
    """Frames at which something begins, if only another pitch."""
    return np.flatnonzero((flux == maximum_filter1d(flux, 5)) & (flux > SOFT))


def measure_hard_onsets(flux: Floats, loudness: Floats) -> Floats:
    """How surely a note begins at each frame though the pitch stays, ``(F,)``: 0, or above 1."""
    is_peak = flux == maximum_filter1d(flux, 2 * NEIGHBOURS + 1)
    is_peak &= (flux > HARD) & (flux > ABOVE_MEAN * uniform_filter1d(flux, AROUND))
    strength = np.where(is_peak, flux / HARD, 0)
    behind = maximum_filter1d(loudness, SPAN, origin=-(SPAN // 2)) - loudness
    ahead = maximum_filter1d(loudness, SPAN, origin=(SPAN - 1) // 2) - loudness
    dip = np.minimum(behind, ahead)
    is_dip = (dip > DIP) & (dip >= maximum_filter1d(dip, 2 * NEIGHBOURS + 1))
    return np.where(is_dip, np.maximum(strength, dip / DIP), strength).astype(np.float32)
