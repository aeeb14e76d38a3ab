"""Samples -> pitch, loudness and spectrum of every frame, whatever blocks the samples come in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft

from aeplug_audio.analysis.pitch import FRAME, HOP, Floats, find_candidates
from aeplug_audio.files.reading import RATE, Samples

__all__ = ["Analysis", "BANDS", "HIGHEST_BAND", "LOWEST_BAND", "STEP", "analyse"]

#: Seconds between frames; the middle of frame f is at ``f * STEP``.
STEP = HOP / RATE
#: Samples of the spectrum: short, so that onsets stay sharp.
SHORT = 1024
#: Number of bands, logarithmically spaced, and the middles of the lowest and highest, Hz.
BANDS = 96
LOWEST_BAND, HIGHEST_BAND = 60.0, 10_000.0
#: The spectrum is stored in steps of half a dB above this level.
FLOOR_DB = -100.0
#: Range of a voice: MIDI number of the lowest semitone, and number of semitones.
LOWEST_PITCH, PITCHES = 36, 61
LONG = 2048
#: Frames analysed at a time.
_AT_ONCE = 256
_MARGIN = max(FRAME, SHORT)

Bytes = npt.NDArray[np.uint8]


@dataclass
class Analysis:
    """Analysis of F frames, 86 a second.

    Example:
        >>> silence = analyse([np.zeros(2205, np.float32)])
        >>> len(silence), silence.pitch.shape, silence.spectrum.shape
        (9, (9, 5), (9, 96))

    Attributes:
        pitch, probability: see :class:`aeplug_audio.analysis.pitch.Candidates`, ``(F, K)``.
        loudness: level at the middle of the frame, dB re full scale, float32 ``(F,)``.
        spectrum: level of each band in half dB above ``FLOOR_DB``, uint8 ``(F, BANDS)``.
        harmonics: strength of the partials of each semitone from ``LOWEST_PITCH`` on, in half dB,
            uint8 ``(F, PITCHES)``.
    """

    pitch: Floats
    probability: Floats
    loudness: Floats
    spectrum: Bytes
    harmonics: Bytes

    def __len__(self) -> int:
        return len(self.loudness)


def analyse(blocks: Iterable[Samples]) -> Analysis:
    """Analyse blocks of samples at ``RATE``.

    A frame takes some 150 bytes: half an hour takes 23 MB.

    Example:
        >>> tone = 0.5 * np.sin(2 * np.pi * 440 / 22_050 * np.arange(22_050))
        >>> analysis = analyse([tone.astype(np.float32)])
        >>> np.nanmax(analysis.pitch[40:43], 1).round(1)  # of A4, as MIDI number
        array([69., 69., 69.], dtype=float32)
    """
    parts = list(map(_analyse_part, _iter_frames(blocks)))
    columns = zip(*parts, strict=True)
    return Analysis(*(np.concatenate(column) for column in columns))


def _iter_frames(blocks: Iterable[Samples]) -> Iterator[Samples]:
    """Yield the samples that ``_AT_ONCE`` frames need, overlapping."""
    buffer = np.zeros(_MARGIN // 2, np.float32)
    size = (_AT_ONCE - 1) * HOP + _MARGIN
    for block in blocks:
        buffer = np.concatenate([buffer, block])
        while len(buffer) >= size:
            yield buffer[:size]
            buffer = buffer[_AT_ONCE * HOP :]
    buffer = np.concatenate([buffer, np.zeros(_MARGIN - _MARGIN // 2, np.float32)])
    for first in range(0, max(len(buffer) - _MARGIN, 1), _AT_ONCE * HOP):
        rest = buffer[first : first + size]
        if len(rest) >= _MARGIN:
            yield rest


def _analyse_part(samples: Samples) -> tuple[Floats, Floats, Floats, Bytes, Bytes]:
    around = np.lib.stride_tricks.sliding_window_view(samples, _MARGIN)[::HOP]
    frames = around[:, (_MARGIN - FRAME) // 2 :][:, :FRAME]
    pitch, probability = find_candidates(frames)
    middle = around[:, (_MARGIN - SHORT) // 2 :][:, :SHORT] * _HANN
    power = np.square(np.abs(fft.rfft(middle, axis=1)))
    loudness = 10 * np.log10(power.sum(1) * _POWER + 1e-12)
    bands = 10 * np.log10(power @ _FILTERS * _POWER + 1e-12)
    spectrum = np.clip(np.round(2 * (bands - FLOOR_DB)), 0, 255).astype(np.uint8)
    return pitch, probability, loudness.astype(np.float32), spectrum, _measure_harmonics(frames)


def _measure_harmonics(frames: Samples) -> Bytes:
    magnitude = np.sqrt(np.abs(fft.rfft(frames * _LONG_HANN, LONG, axis=1)))
    # A partial may lie between two bins, or be off by some cents.
    wide = magnitude.copy()
    np.maximum(wide[:, 1:], magnitude[:, :-1], out=wide[:, 1:])
    np.maximum(wide[:, :-1], magnitude[:, 1:], out=wide[:, :-1])
    level = 20 * np.log10(wide @ _PARTIALS + 1e-4)
    return np.clip(np.round(2 * (level + 80)), 0, 255).astype(np.uint8)


def _make_filters() -> Floats:
    """Triangular filters, at least one bin wide, ``(SHORT // 2 + 1, BANDS)``."""
    centres = np.geomspace(LOWEST_BAND, HIGHEST_BAND, BANDS)
    hertz = np.fft.rfftfreq(SHORT, 1 / RATE)
    ratio = centres[1] / centres[0]
    width = np.maximum(centres * (ratio - 1), RATE / SHORT)
    return np.maximum(1 - np.abs(hertz[:, None] - centres) / width, 0).astype(np.float32)


def _make_partials() -> Floats:
    """Weights of the first five partials of each semitone, ``(LONG // 2 + 1, PITCHES)``."""
    weights = np.zeros((LONG // 2 + 1, PITCHES), np.float32)
    for number in range(PITCHES):
        hertz = 440 * 2 ** ((LOWEST_PITCH + number - 69) / 12)
        for partial in range(1, 6):
            weights[round(hertz * partial * LONG / RATE), number] += 0.8 ** (partial - 1)
    return weights


_HANN = np.hanning(SHORT + 1)[:-1].astype(np.float32)
#: Scales the power of a spectrum to the mean square of its samples.
_POWER = np.float32(2 / (SHORT * np.square(_HANN).sum()))
_FILTERS = _make_filters()

_LONG_HANN = np.hanning(FRAME + 1)[:-1].astype(np.float32)
_PARTIALS = _make_partials()
