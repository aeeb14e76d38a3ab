"""Notes in seconds -> notes on the grid of four steps a quarter: tempo, steps, bar lines.

The estimated tempo is the one under which the onsets are likeliest: most of them on quarters, fewer
on eighths, few on the sixteenths between, each off by some hundredths of a second. Onsets alone
cannot distinguish tempi that differ by a factor of two; of these the one nearer to a usual walking
tempo is taken. The grid then follows the player from onset to onset.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from aeplug_audio.analysis.voice import NoteEvent
from aeplug_music.score.metres import STEPS_PER_QUARTER

#: Slowest and fastest tempo that is tried, and the usual one that breaks ties; BPM.
SLOWEST, FASTEST, USUAL = 45.0, 240.0, 115.0
#: Number of tempi that are tried, and of places of the beat.
TEMPI, PHASES = 400, 48
#: Probability of an onset on a quarter, an eighth between two, and each of the sixteenths.
_CLASSES = np.array([0.6, 0.05, 0.3, 0.05])
#: Standard deviation of onsets, seconds, and the share of onsets that may be anywhere.
_JITTER, _STRAY = 0.025, 0.05
#: Nats per note against a tempo of half or twice the usual.
_LEANING = 0.6
#: Seconds of onsets that are fitted together, and most such segments, evenly spread.
_SEGMENT, _SEGMENTS = 10.0, 40
#: Another tempo is named beside a set one if it is better by so many nats per note, and differs by
#: more than this share.
_FITS_BETTER, _DIFFERS = 0.75, 0.05
#: How far grid and step follow what an onset is off; a set tempo is kept.
_FOLLOW, _FOLLOW_STEP = 0.3, 0.05
#: Nats per note that must speak for it if the first note is to be an upbeat between beats.
_UPBEAT = 0.15
#: Least length of a step, seconds, where the times of two are taken from the notes between them.
_LEAST_STEP = 0.01
#: A shorter gap between two notes, in steps, is no rest.
_LEGATO = 0.7

Floats64 = npt.NDArray[np.float64]


class BeatGrid(NamedTuple):
    """Where the beats lie.

    Attributes:
        bpm: quarters a minute, the mean over the recording.
        estimated: whether the tempo was estimated, not set.
        first_beat: second of the first bar line at or before the first note, below 0 where the
            recording begins within that bar.
        better_bpm: a tempo that fits the onsets far better than the one that was set; None: none.
    """

    bpm: float
    estimated: bool
    first_beat: float
    better_bpm: float | None = None


class QuantisedNotes(NamedTuple):
    """Notes on the grid, counted in steps from the first bar line.

    Attributes:
        onset, end: steps, int64 ``(n,)``; ascending, no two onsets alike.
        pitch: MIDI numbers, int64 ``(n,)``.
        grid: where that lies in time.
        times: seconds of the steps on which the notes begin, as the beat was followed, ``(n,)``.
        step: length of a step before the first of them, and behind the last, seconds.
    """

    onset: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    pitch: npt.NDArray[np.int64]
    grid: BeatGrid
    times: Floats64
    step: tuple[float, float]

    def to_seconds(self, steps: npt.NDArray[np.int64]) -> Floats64:
        """Where steps lie in the recording, seconds, ``(m,)``; they ascend with the steps."""
        # Of quick notes the beat that follows them may fall behind itself.
        times = np.maximum.accumulate(self.times + _LEAST_STEP * -self.onset)
        times = times + _LEAST_STEP * self.onset
        before = np.minimum(steps - self.onset[0], 0) * self.step[0]
        behind = np.maximum(steps - self.onset[-1], 0) * self.step[1]
        return np.interp(steps, self.onset, times) + before + behind


def quantise(
    notes: Sequence[NoteEvent], metre: tuple[int, int] = (4, 4), bpm: float | None = None
) -> QuantisedNotes:
    """Quantise notes to the grid.

    Args:
        notes: at least one, ordered by onset.
        metre: numerator and denominator of the time signature.
        bpm: quarters a minute; None: estimated.
    """
    onsets = np.array([note.onset for note in notes])
    ends = np.array([note.end for note in notes])
    estimate = estimate_bpm(onsets)
    tempo = bpm or estimate
    step = 60 / tempo / STEPS_PER_QUARTER
    beat = _find_beat(onsets[onsets <= onsets[0] + _SEGMENT], 60 / tempo)
    places, times, steps = _follow_beat(onsets, beat, step, adapts=bpm is None)
    # Of several notes on a step the last is kept.
    last_on_step = np.append(np.diff(places) > 0, True)
    places, times, steps = places[last_on_step], times[last_on_step], steps[last_on_step]
    ends, pitches = ends[last_on_step], np.array([note.pitch for note in notes])[last_on_step]
    until = places + np.maximum(np.round((ends - times) / steps).astype(np.int64), 1)
    until[:-1] = np.minimum(until[:-1], places[1:])
    legato = onsets[last_on_step][1:] - ends[:-1] < _LEGATO * steps[:-1]
    until[:-1] = np.where(legato, places[1:], until[:-1])
    start = _find_bar_line(int(places[0]), metre)
    better = None
    if bpm is None:
        tempo = float(60 / STEPS_PER_QUARTER / _mean_step(places, times, step))
    elif abs(estimate / bpm - 1) > _DIFFERS and (
        score_tempo(onsets, estimate) - score_tempo(onsets, bpm) > _FITS_BETTER
    ):
        better = estimate
    first = float(times[0] - (places[0] - start) * steps[0])
    grid = BeatGrid(tempo, bpm is None, first, better)
    ends_of_grid = float(steps[0]), float(steps[-1])
    return QuantisedNotes(places - start, until - start, pitches, grid, times, ends_of_grid)


def estimate_bpm(onsets: Floats64) -> float:
    """The likeliest tempo of onsets in seconds, ascending, ``(n,)``; the usual one of a single."""
    tempi = np.geomspace(SLOWEST, FASTEST, TEMPI)
    segments = _split_onsets(onsets)
    if not segments:
        return USUAL
    likely = np.zeros(TEMPI)
    for segment in segments:
        likely += [_score_phases(segment, 60 / bpm).max() for bpm in tempi]
        likely -= _LEANING * len(segment) * np.square(np.log2(tempi / USUAL))
    return float(tempi[likely.argmax()])


def score_tempo(onsets: Floats64, bpm: float) -> float:
    """Log-likelihood of a tempo, nats per onset; 0 with fewer than two onsets."""
    segments = _split_onsets(onsets)
    total = sum(float(_score_phases(segment, 60 / bpm).max()) for segment in segments)
    return total / max(sum(map(len, segments)), 1)


def _split_onsets(onsets: Floats64) -> list[Floats64]:
    """Split onsets into segments of some seconds, each with at least three onsets."""
    edges = np.arange(onsets[0], onsets[-1] + _SEGMENT, _SEGMENT)
    parts = [part for part in np.split(onsets, np.searchsorted(onsets, edges)) if len(part) > 2]
    if not parts and len(onsets) > 1:
        parts = [onsets]
    return parts[:: -(-len(parts) // _SEGMENTS)] if parts else []


def _score_phases(onsets: Floats64, beat: float) -> Floats64:
    """Log-likelihood of onsets given a beat of so many seconds, for each of its phases, nats."""
    place = (onsets / beat - np.arange(PHASES)[:, None] / PHASES) % 1 * 4
    # A density over the beat, else longer beats would be likelier by their length alone.
    number = np.round(place).astype(int)
    off = (place - number) * beat / 4
    peak = beat / (_JITTER * np.sqrt(2 * np.pi))
    density = _CLASSES[number % 4] * peak * np.exp(-0.5 * np.square(off / _JITTER))
    return np.log((1 - _STRAY) * density + _STRAY).sum(1)


def _find_beat(onsets: Floats64, beat: float) -> float:
    """Find the beat next to the first onset, seconds; at it, unless the other onsets contradict."""
    likely = _score_phases(onsets, beat)
    phases = np.arange(PHASES) / PHASES
    off = np.abs((onsets[0] / beat - phases + 0.5) % 1 - 0.5)
    likely[off > 1 / 8] -= _UPBEAT * len(onsets)
    phase = phases[likely.argmax()]
    return float((round(onsets[0] / beat - phase) + phase) * beat)


def _follow_beat(
    onsets: Floats64, beat: float, step: float, adapts: bool
) -> tuple[npt.NDArray[np.int64], Floats64, Floats64]:
    """Step of each onset from the beat; time and length of that step, seconds; ``(n,)`` each."""
    places = np.zeros(len(onsets), np.int64)
    times, steps = np.zeros(len(onsets)), np.zeros(len(onsets))
    place, time, usual = 0, beat, step
    for number, onset in enumerate(onsets.tolist()):
        steps_on = round((onset - time) / step)
        off = onset - (time + steps_on * step)
        place, time = place + steps_on, time + steps_on * step + _FOLLOW * off
        if adapts and steps_on > 0:
            step = float(np.clip(step + _FOLLOW_STEP * off / steps_on, usual / 1.25, usual * 1.25))
        places[number], times[number], steps[number] = place, time, step
    return places, times, steps


def _mean_step(places: npt.NDArray[np.int64], times: Floats64, step: float) -> float:
    """Mean length of a step over the recording, seconds."""
    if len(places) < 2 or places[-1] == places[0]:
        return step
    return float(np.polyfit(places, times, 1)[0])


def _find_bar_line(first: int, metre: tuple[int, int]) -> int:
    """Find the bar line at or before the first onset, which is at step ``first``.

    A melody is assumed to begin on a bar line, or between two beats as an upbeat: the lengths of
    notes do not show where bars begin (tried on 400 tunes of four bars and more).
    """
    numerator, denominator = metre
    bar, unit = max(16 * numerator // denominator, 1), max(16 // denominator, 1)
    beyond = first % unit
    return first if beyond == 0 else first - beyond + unit - bar
