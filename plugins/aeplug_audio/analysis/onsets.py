"""Where notes may begin: spectral flux, and dips of the loudness.

The flux is that of SuperFlux (Böck and Widmer, "Maximum filter vibrato suppression for
onset detection", 2013): a band is compared with the strongest of its
neighbours some frames before, so that vibrato, which moves partials from band to band, is no onset.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from aeplug_audio.analysis.frames import Analysis, Bytes
from aeplug_audio.analysis.pitch import Floats

#: Frames between the spectra that are compared, and on either side of a peak that is the highest.
LAG, NEIGHBOURS = 2, 3
#: Bands so many decibels below the loudest of the recording are ignored.
RANGE = 60
#: Least flux of a soft onset, and of a hard one, dB; and of a hard one in terms of the local mean.
SOFT, HARD, ABOVE_MEAN = 0.8, 2.7, 1.9
#: Frames of that mean.
AROUND = 41
#: Least depth of a dip of loudness, dB, and the frames before and after it that it is below.
DIP, SPAN = 3.3, 4
_AT_ONCE = 4096

FrameIndices = npt.NDArray[np.int64]


def compute_flux(analysis: Analysis) -> Floats:
    """Compute the spectral flux of each frame: mean rise over the bands, dB, ``(F,)``, from 0."""
    flux = np.zeros(len(analysis), np.float32)
    floor = int(analysis.spectrum.max(initial=0)) - 2 * RANGE
    for first in range(0, len(flux), _AT_ONCE):
        before = max(first - LAG, 0)
        part = _compute_flux(analysis.spectrum[before : first + _AT_ONCE], floor)
        flux[first : first + _AT_ONCE] = part[first - before :]
    # The compared spectra lie on either side of a frame.
    return np.concatenate([flux[LAG // 2 :], np.zeros(LAG // 2, np.float32)])[: len(flux)]


def _compute_flux(spectrum: Bytes, floor: int) -> Floats:
    level = np.maximum(spectrum.astype(np.float32), floor) / 2
    flux = np.zeros(len(level), np.float32)
    if len(level) > LAG:
        before = maximum_filter1d(level[:-LAG], 3, axis=1)
        flux[LAG:] = np.maximum(level[LAG:] - before, 0).mean(1)
    return flux


def find_soft_onsets(flux: Floats) -> FrameIndices:
    """Find frames at which something begins, be it only another pitch."""
    return np.flatnonzero((flux == maximum_filter1d(flux, 5)) & (flux > SOFT))


def measure_hard_onsets(flux: Floats, loudness: Floats) -> Floats:
    """Strength of onsets that begin a note even on the same pitch, ``(F,)``: 0, or above 1."""
    is_peak = flux == maximum_filter1d(flux, 2 * NEIGHBOURS + 1)
    is_peak &= (flux > HARD) & (flux > ABOVE_MEAN * uniform_filter1d(flux, AROUND))
    strength = np.where(is_peak, flux / HARD, 0)
    behind = maximum_filter1d(loudness, SPAN, origin=-(SPAN // 2)) - loudness
    ahead = maximum_filter1d(loudness, SPAN, origin=(SPAN - 1) // 2) - loudness
    dip = np.minimum(behind, ahead)
    is_dip = (dip > DIP) & (dip >= maximum_filter1d(dip, 2 * NEIGHBOURS + 1))
    return np.where(is_dip, np.maximum(strength, dip / DIP), strength).astype(np.float32)
