"""A performance -> a Standard MIDI File, without loss of timing."""

from __future__ import annotations

import numpy as np
import pretty_midi

from aeplug_music.drums.kit import DRUMS, OFFSETS, PITCHES, count_steps
from aeplug_music.drums.performance import Performance
from aeplug_music.score.metres import STEPS_PER_QUARTER, parse_metre

#: An offset's unit is one tick where beats are quarters.
TICKS_PER_QUARTER = OFFSETS * STEPS_PER_QUARTER
#: Length of a hit in ticks, a quarter of a step, unless the next of its drum comes earlier.
_LENGTH = OFFSETS // 4
_NAME = "Drums"


def hit_ticks(performance: Performance) -> tuple[list[int], list[int], list[int]]:
    """Tick, class and velocity of every hit, ordered by tick."""
    step, drum = np.nonzero(performance.velocity)
    position = step + performance.offset[step, drum] / OFFSETS
    lengths = [
        np.full(passage.steps, float(TICKS_PER_QUARTER / count_steps(passage.metre)))
        for passage in performance.passages
    ]
    length = np.concatenate([np.zeros(0), *lengths])
    begin = np.cumsum(length) - length
    # A hit before the file's beginning is moved to it.
    tick = np.maximum(np.rint(begin[step] + (position - step) * length[step]).astype(np.int64), 0)
    order = np.argsort(tick, kind="stable")
    velocity = performance.velocity[step, drum].astype(np.int64)
    return tick[order].tolist(), drum[order].tolist(), velocity[order].tolist()


def to_pretty_midi(performance: Performance, name: str, bpm: float) -> pretty_midi.PrettyMIDI:
    """Convert a performance into an object that can be written and rendered, on channel 10.

    Args:
        performance: to convert.
        name: of the track.
        bpm: quarters a minute.
    """
    # The file holds whole microseconds per quarter, truncated by the writer: a quarter of one is
    # added, and seconds are counted at that tempo.
    bpm = 60e6 / (round(60e6 / bpm) + 0.25)
    midi = pretty_midi.PrettyMIDI(resolution=TICKS_PER_QUARTER, initial_tempo=bpm)
    seconds = 60.0 / bpm / TICKS_PER_QUARTER
    start = 0.0
    for passage in performance.passages:
        numerator, denominator = parse_metre(passage.metre)
        midi.time_signature_changes.append(
            pretty_midi.TimeSignature(numerator, denominator, start * seconds)
        )
        start += passage.steps * float(TICKS_PER_QUARTER / count_steps(passage.metre))
    # Text in a Standard MIDI File is Latin-1; other characters are replaced.
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
