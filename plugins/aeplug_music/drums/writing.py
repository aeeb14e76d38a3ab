"""A performance -> a Standard MIDI File, to the tick at which it is kept."""

from __future__ import annotations

import numpy as np
import pretty_midi

from aeplug_music.drums.kit import DRUMS, OFFSETS, PITCHES
from aeplug_music.drums.performance import Performance
from aeplug_music.score.metres import STEPS_PER_QUARTER, parse_metre

#: An offset's unit is one tick.
TICKS_PER_QUARTER = OFFSETS * STEPS_PER_QUARTER
#: A hit's length in ticks, where the next of its drum does not come before: a quarter of a step.
_LENGTH = OFFSETS // 4
_NAME = "Drums"


def hit_ticks(performance: Performance) -> tuple[list[int], list[int], list[int]]:
    """Tick, class and velocity of every hit, in order of the ticks."""
    step, drum = np.nonzero(performance.velocity)
    offset = performance.offset[step, drum].astype(np.int64)
    # What would begin before the file begins with it.
    tick = np.maximum(step * OFFSETS + offset, 0)
    order = np.argsort(tick, kind="stable")
    velocity = performance.velocity[step, drum].astype(np.int64)
    return tick[order].tolist(), drum[order].tolist(), velocity[order].tolist()


def to_pretty_midi(performance: Performance, name: str, bpm: float) -> pretty_midi.PrettyMIDI:
    """The performance as an object that can be looked at and written, on channel 10.

    Args:
        performance: what to play.
        name: of the track.
        bpm: quarters a minute.
    """
    # The file holds whole microseconds a quarter; the writer cuts what is behind the point, so a
    # little more is said, and seconds are counted at what is said.
    bpm = 60e6 / (round(60e6 / bpm) + 0.25)
    midi = pretty_midi.PrettyMIDI(resolution=TICKS_PER_QUARTER, initial_tempo=bpm)
    seconds = 60.0 / bpm / TICKS_PER_QUARTER
    start = 0
    for passage in performance.passages:
        numerator, denominator = parse_metre(passage.metre)
        midi.time_signature_changes.append(
            pretty_midi.TimeSignature(numerator, denominator, start * OFFSETS * seconds)
        )
        start += passage.steps
    # Text in a Standard MIDI File is Latin-1; a name in another script loses what does not fit.
    name = (name or _NAME).encode("latin-1", "replace").decode("latin-1")
    instrument = pretty_midi.Instrument(0, is_drum=True, name=name)
    ticks, drums, velocities = hit_ticks(performance)
    after = [2**40] * DRUMS
    for tick, drum, velocity in reversed(list(zip(ticks, drums, velocities, strict=True))):
        end = min(tick + _LENGTH, after[drum])
        note = pretty_midi.Note(velocity, PITCHES[drum][0], tick * seconds, end * seconds)
        instrument.notes.append(note)
        after[drum] = tick
    instrument.notes.reverse()
    midi.instruments.append(instrument)
    return midi
