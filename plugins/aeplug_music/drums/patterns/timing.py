"""When each hit of a written pattern is played: swing and feel as its header states them.

Nothing is drawn: the same text is the same playing. First pairs are swung: the first half of a
pair is stretched to ``swing`` percent of it and the second takes the rest. Then each drum comes as
many milliseconds late as its feel says. What would begin before the file begins with it. From
there on a pattern is a tune like one of a MIDI file: a hit goes to the nearest of four steps a
quarter, and how far it lies off is its offset (:mod:`aeplug_music.drums.kit`).
"""

from __future__ import annotations

import numpy as np

from aeplug_music.drums.kit import DRUMS, PITCHES
from aeplug_music.drums.patterns.header import PAIRS
from aeplug_music.drums.patterns.pattern import Pattern
from aeplug_music.score.metres import parse_metre
from aeplug_music.score.tune import Track, Tune

#: Of the tunes: three of the ticks at which drums are stored, so that triplets are whole numbers.
TICKS_PER_QUARTER = 3072
#: Length of a hit, in ticks.
_LENGTH = TICKS_PER_QUARTER // 16


def pattern_to_tune(pattern: Pattern) -> Tune:
    """The pattern as it is played, on channel 10.

    Raises:
        FileError: it has no hit.
    """
    header = pattern.header
    velocity = pattern.velocity
    column, drum = np.nonzero(velocity)
    bar, place = np.divmod(column, header.bar_columns)
    # Bars are counted in whole numbers of columns, so that no rounding adds up over a long song.
    quarters = bar * float(header.bar) + apply_swing(
        place / header.columns, header.swing / 100, float(PAIRS[header.pair])
    )
    late = np.array([header.late.get(number, 0.0) for number in range(DRUMS)])
    quarters = quarters + late[drum] * header.bpm / 60_000
    tick = np.maximum(np.round(quarters * TICKS_PER_QUARTER).astype(np.int64), 0)
    order = np.argsort(tick, kind="stable")
    pitch = np.array([pitches[0] for pitches in PITCHES])[drum[order]]
    onset = tick[order]
    track = Track.of(
        pitch, onset, onset + _LENGTH, velocity[column, drum][order], is_drum=True, name=header.name
    )
    numerator, denominator = parse_metre(header.metre)
    return Tune(
        TICKS_PER_QUARTER,
        [track] if len(track) else [],
        time_signatures=[(0, numerator, denominator)],
        tempos=[(0, round(60e6 / header.bpm))],
        name=header.name,
    )


def apply_swing(
    quarters: np.typing.NDArray[np.float64], share: float, pair: float
) -> np.typing.NDArray[np.float64]:
    """Places in a bar, in quarters ``(n,)``, where the second of a pair falls at ``share`` of it.

    Args:
        quarters: straight.
        share: 0.5: as they are; 2/3: as triplets.
        pair: its length in quarters.
    """
    count, within = np.divmod(quarters / pair, 1.0)
    first = within < 0.5
    swung = np.where(first, within * 2 * share, share + (within - 0.5) * 2 * (1 - share))
    return (count + swung) * pair
