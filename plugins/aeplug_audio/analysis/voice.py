"""The notes of a single voice: a hidden Markov model over semitones, split at hard onsets.

States are the semitones and silence. The likelihood of a semitone in a frame grows with the pitch
candidates near it (:mod:`aeplug_audio.analysis.pitch`), with a share of those on its subharmonics
(two overlapping sounds repeat together only after a multiple of either's period), and with the
strength of its partials. A change of state costs more for a wider interval and less at an onset,
above all where the partials of the new pitch rise. So a vibrato, a slide or a wrong octave that
does not last makes no note, as in pYIN's own note tracking (Mauch et al., "Computer-aided melody
note transcription using the Tony software", 2015).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from aeplug_audio.analysis.frames import LOWEST_PITCH, PITCHES, STEP, Analysis
from aeplug_audio.analysis.onsets import (
    FrameIndices,
    compute_flux,
    find_soft_onsets,
    measure_hard_onsets,
)
from aeplug_audio.analysis.pitch import Floats

__all__ = ["NoteEvent", "decode_notes"]


class NoteEvent(NamedTuple):
    """A note of a recording.

    Example:
        >>> NoteEvent(0.5, 1.0, pitch=69)
        NoteEvent(onset=0.5, end=1.0, pitch=69)

    Attributes:
        onset, end: seconds.
        pitch: MIDI number.
    """

    onset: float
    end: float
    pitch: int


@dataclass(frozen=True)
class VoiceModel:
    """Parameters of the hidden Markov model and of the segmentation into notes.

    Attributes:
        spread: standard deviation of the pitch around its semitone, semitones.
        floor: likelihood of any semitone in any frame.
        subharmonic: share of a candidate's likelihood for the semitones it is a subharmonic of.
        partials: power to which the strength of the partials counts.
        unvoiced: likelihood of silence where no candidate is probable.
        quiet: decibels below the loudest frame under which a frame is silent.
        change: cost of a change of state, nats.
        onset: how much an onset takes off that cost, nats.
        full_flux: mean spectral flux of a full onset, dB.
        partial_share: share of ``onset`` taken off only where the new pitch's partials rise.
        flux_span: frames on either side over which that rise is measured.
        interval_cost: cost of each semitone of an interval beyond a fifth, nats.
        lookback: frames before a change of pitch in which its onset is searched.
        min_duration: shortest note, seconds.
        min_gap: least time between two onsets of one pitch, seconds.
    """

    spread: float = 0.465
    floor: float = 0.026
    subharmonic: float = 0.27
    partials: float = 8.0
    unvoiced: float = 0.22
    quiet: float = 42.0
    change: float = 7.0
    onset: float = 6.4
    full_flux: float = 6.0
    partial_share: float = 0.74
    flux_span: int = 2
    interval_cost: float = 0.16
    lookback: int = 9
    min_duration: float = 0.05
    min_gap: float = 0.075


#: State of silence, after those of the semitones.
SILENCE = PITCHES
_SUBHARMONICS = tuple(round(12 * np.log2(number)) for number in range(2, 7))
#: Frames whose likelihoods are computed at a time.
_AT_ONCE = 2048
#: Least number of clear pitches to estimate the tuning from.
_CLEAR = 10

States = npt.NDArray[np.int64]


def decode_notes(
    analysis: Analysis, voice: VoiceModel = VoiceModel()
) -> tuple[list[NoteEvent], float]:
    """Decode the notes, in order and without overlap, and the tuning of the recording.

    The tuning, -0.5 to 0.5 semitones above concert pitch, is removed before pitches are rounded.

    Example:
        >>> from aeplug_audio.analysis.frames import analyse
        >>> tone = 0.5 * np.sin(2 * np.pi * 445 / 22_050 * np.arange(22_050))
        >>> notes, tuning = decode_notes(analyse([tone.astype(np.float32)]))
        >>> [note.pitch for note in notes], round(tuning, 1)
        ([69], 0.2)
    """
    tuning = estimate_tuning(analysis, voice)
    in_tune = replace(analysis, pitch=analysis.pitch - np.float32(tuning))
    flux = compute_flux(in_tune)
    states = decode_states(in_tune, flux, voice)
    return segment_notes(states, flux, measure_hard_onsets(flux, in_tune.loudness), voice), tuning


def estimate_tuning(analysis: Analysis, voice: VoiceModel = VoiceModel()) -> float:
    """Mean deviation of the pitches from concert pitch, semitones, -0.5 to 0.5."""
    loud = analysis.loudness > analysis.loudness.max(initial=-np.inf) - voice.quiet + 15
    pitches = analysis.pitch[(analysis.probability > 0.8) & loud[:, None]]
    if len(pitches) < _CLEAR:
        return 0.0
    return float(np.angle(np.exp(2j * np.pi * pitches).mean()) / (2 * np.pi))


def decode_states(analysis: Analysis, flux: Floats, voice: VoiceModel = VoiceModel()) -> States:
    """The Viterbi path, int64 ``(F,)``: semitones above ``LOWEST_PITCH``, or ``SILENCE``."""
    frames, states = len(analysis), PITCHES + 1
    semitones = np.arange(PITCHES)
    interval = np.zeros((states, states), np.float32)
    interval[:PITCHES, :PITCHES] = voice.interval_cost * np.maximum(
        np.abs(semitones[:, None] - semitones) - 7, 0
    )
    moving = 1 - np.eye(states, dtype=np.float32)
    everyone = np.arange(states)
    came_from = np.zeros((frames, states), np.int8)
    scores = np.zeros(states, np.float32)
    loudest = float(analysis.loudness.max(initial=-np.inf))
    for first in range(0, frames, _AT_ONCE):
        likely, cost = _compute_evidence(analysis, flux, first, loudest, voice)
        for number in range(len(likely)):
            if first + number:
                # To a state (row) from each state (column).
                arriving = scores - interval - moving * cost[number][:, None]
                best = arriving.argmax(1)
                came_from[first + number] = best
                scores = arriving[everyone, best]
            scores = scores + likely[number]
            scores -= scores.max()
    path = np.zeros(frames, np.int64)
    state = int(scores.argmax())
    for frame in range(frames - 1, -1, -1):
        path[frame] = state
        state = int(came_from[frame, state])
    return path


def _compute_evidence(
    analysis: Analysis, flux: Floats, first: int, loudest: float, voice: VoiceModel
) -> tuple[Floats, Floats]:
    """Log-likelihood of each state, and cost of a change to it, each ``(n, PITCHES + 1)``."""
    chosen = slice(first, first + _AT_ONCE)
    pitch = np.nan_to_num(analysis.pitch[chosen], nan=-99.0) - LOWEST_PITCH
    probability = analysis.probability[chosen]
    near = np.zeros((len(pitch), PITCHES), np.float32)
    for candidate in range(pitch.shape[1]):
        away = (pitch[:, candidate, None] - np.arange(PITCHES, dtype=np.float32)) / voice.spread
        near += np.exp(-0.5 * np.square(away)) * probability[:, candidate, None]
    supported = near.copy()
    for interval in _SUBHARMONICS:
        supported[:, interval:] += voice.subharmonic * near[:, :-interval]
    over = voice.flux_span
    around = np.arange(first - over, first + len(pitch) + over).clip(0, len(analysis) - 1)
    # Half decibels of a square root of the magnitude.
    strength = 10 ** ((analysis.harmonics[around].astype(np.float32) - 255) / 40)
    current = strength[over : len(strength) - over]
    supported *= (current / current.max(1, keepdims=True)) ** voice.partials
    likelihood = np.full((len(pitch), PITCHES + 1), voice.floor, np.float32)
    likelihood[:, :PITCHES] += supported
    likelihood[:, SILENCE] += voice.unvoiced * np.clip(1 - probability.sum(1), 0, 1)
    quiet = analysis.loudness[chosen] < loudest - voice.quiet
    likelihood[quiet, :PITCHES], likelihood[quiet, SILENCE] = voice.floor, 1
    increase = np.maximum(strength[2 * over :] - strength[: len(strength) - 2 * over], 0)
    increase /= increase.max(1, keepdims=True) + 1e-6
    onset = np.minimum(flux[chosen] / voice.full_flux, 1)[:, None]
    cost = np.full_like(likelihood, voice.change - voice.onset / 2)
    cost[:, :PITCHES] = voice.change - voice.onset * onset * (
        1 - voice.partial_share * (1 - increase)
    )
    return np.log(likelihood), cost


def segment_notes(
    states: States, flux: Floats, hard_onsets: Floats, voice: VoiceModel = VoiceModel()
) -> list[NoteEvent]:
    """Segment the states of frames ``(F,)`` into notes.

    A note begins at the onset shortly before its pitch is reached, and again at every hard onset.

    Args:
        states: see :func:`decode_states`.
        flux: see :func:`aeplug_audio.analysis.onsets.compute_flux`.
        hard_onsets: see :func:`aeplug_audio.analysis.onsets.measure_hard_onsets`.
        voice: parameters.
    """
    onsets = find_soft_onsets(flux)
    edges = [0, *(np.flatnonzero(np.diff(states)) + 1).tolist(), len(states)]
    runs: list[tuple[int, int, int]] = []
    for begin, end in pairwise(edges):
        if begin < end and states[begin] != SILENCE:
            earliest = max(begin - voice.lookback, runs[-1][0] + 4 if runs else 0)
            onset = _find_strongest(onsets, flux, earliest, begin + 2)
            runs.append((begin if onset is None else onset, end, int(states[begin])))
    notes: list[NoteEvent] = []
    for number, (begin, end, state) in enumerate(runs):
        if number + 1 < len(runs):
            end = min(end, runs[number + 1][0])
        if (end - begin) * STEP >= voice.min_duration:
            marks = [begin, *_find_strikes(hard_onsets, begin, end, voice), end]
            notes += [
                NoteEvent(a * STEP, b * STEP, state + LOWEST_PITCH) for a, b in pairwise(marks)
            ]
    return notes


def _find_strongest(onsets: FrameIndices, flux: Floats, first: int, last: int) -> int | None:
    within = onsets[np.searchsorted(onsets, first) : np.searchsorted(onsets, last, "right")]
    return int(within[np.argmax(flux[within])]) if len(within) else None


def _find_strikes(hard_onsets: Floats, begin: int, end: int, voice: VoiceModel) -> list[int]:
    apart = round(voice.min_gap / STEP)
    places = np.flatnonzero(hard_onsets[begin + 1 : max(end - 2, begin + 1)]) + begin + 1
    chosen: list[int] = []
    for place in places[np.argsort(-hard_onsets[places], kind="stable")].tolist():
        if all(abs(place - other) >= apart for other in (begin, end, *chosen)):
            chosen.append(place)
    return sorted(chosen)
