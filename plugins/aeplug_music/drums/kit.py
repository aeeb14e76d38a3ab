"""The drum representation: nine classes at four steps a quarter, specified to the last case.

**Classes.** 0 kick, 1 snare, 2 closed hi-hat, 3 open hi-hat, 4 low tom, 5 mid tom, 6 high tom,
7 crash, 8 ride. Which MIDI pitches each stands for says ``PITCHES``: those of General MIDI, and
those of the Roland TD-11 on which Groove MIDI was played (edges of hi-hats 22 and 26, rim of the
third tom 58). A class is written as the first of its pitches. Other percussion (cowbell, congas,
claves ...) is no hit; it is counted, and stays in the file.

**Which tracks.** Drums are the tracks on channel 10; in a file without one, those with ``drum``,
``perc``, ``kit`` or ``beat`` in their names. All drum tracks are merged, since kits are often
written a track a drum; what is changed goes back into each (:mod:`aeplug_music.drums.rewriting`).

**Steps.** A quarter has 4 steps, counted from the bar line at which the current metre began; in
12/8 and 6/8, whose beats are dotted quarters, a beat has 4. Triplets, and the eighths of dotted
beats, lie on the steps 0, 1 and 3 with offsets of a third (:mod:`aeplug_music.drums.feel`). A hit
is rounded to the nearest step, halves up. Its deviation is its *offset*: a fraction of a step in
[-0.5, 0.5), stored as int8 in units of 1/256 of a step, rounded (0.28 ms at 104 BPM; the few that
would round to 0.5 become 127/256). Of two hits of a class at a step the louder is kept, of equally
loud ones the earlier. A hit less than half a step before a change of metre is the first of the new
metre.

**Velocity.** 1..127, and 0 where there is no hit. A window is two arrays ``(T, 9)``: ``velocity``
uint8 and ``offset`` int8; offsets are 0 where there is no hit.

**Taps.** A file also has a *rhythm*: one voice, the loudest note at each step of all drum tracks,
or of all tracks if there are none, whatever the pitches; of equally loud ones the earliest.
``taps`` int16 ``(T, 2)``: velocity and offset.

**Bars and metre.** As in :mod:`aeplug_music.score.tokens`: metres hold from their time
signature, an upbeat is the end of a whole bar, the last bar is padded with rests. Only **4/4** is
learnt: passages in other metres belong to no window of the data set, which reports files skipped
for it. Verbs take **12/8** as four beats of triplets, and two bars of **6/8** as one of 12/8, and
leave passages in other metres unchanged.

**Windows.** N bars; one begins at every bar. A window with a bar without any hit is dropped. Equal
windows are all kept: how often a bar is played is part of playing.

**Combinations.** The hits of a step are a number in 0..511: class d counts ``2 ** d``.

**Written and read again**, at 1,024 ticks per quarter, a performance is unchanged, since 1/256 of a
step is a tick. One exception: a hit before the file's beginning (a negative offset at step 0) is
moved to it. The tempo is that at the file's beginning, in whole microseconds per quarter.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from aeplug_music.score.metres import STEPS_PER_BAR, STEPS_PER_QUARTER

#: Names of the classes; their order is part of saved models.
CLASSES = (
    *("kick", "snare", "closed hi-hat", "open hi-hat"),
    *("low tom", "mid tom", "high tom", "crash", "ride"),
)
DRUMS = len(CLASSES)
COMBINATIONS = 2**DRUMS
KICK, SNARE, CLOSED_HAT, OPEN_HAT, LOW_TOM, MID_TOM, HIGH_TOM, CRASH, RIDE = range(DRUMS)
#: MIDI pitches of each class; the first is the one written.
PITCHES = (
    (36, 35),  # bass drums
    (38, 40, 37, 39),  # head, rim (GM: electric snare), side stick, hand clap
    (42, 22, 44),  # bow, edge, pedal
    (46, 26),  # bow, edge
    (43, 41, 58),  # floor toms; 58 is the rim of the TD-11's third (GM: vibraslap)
    (47, 45),  # low and low-mid tom: the TD-11's second
    (50, 48),  # high and hi-mid tom: the TD-11's first
    (49, 57, 55, 52),  # crashes, splash, china: the TD-11's edges of crashes
    (51, 59, 53),  # bow, edge, bell
)
#: The metre that is learnt, and steps of its bar.
METRE = "4/4"
BAR = STEPS_PER_BAR[METRE]
#: Metres whose beats are dotted quarters; a beat has four steps in these too.
COMPOUND = ("12/8", "6/8")
#: Units of an offset per step.
OFFSETS = 256
MAX_VELOCITY = 127

Velocity = npt.NDArray[np.uint8]
Offset = npt.NDArray[np.int8]
Taps = npt.NDArray[np.int16]
Int = npt.NDArray[np.int64]

_CLASS_OF = np.full(128, -1, np.int64)
for _number, _pitches in enumerate(PITCHES):
    _CLASS_OF[list(_pitches)] = _number


def count_steps(metre: str) -> Fraction:
    """Steps that a quarter has in a metre: four, and eight thirds where beats are dotted."""
    return STEPS_PER_QUARTER * (Fraction(2, 3) if metre in COMPOUND else Fraction(1))


def to_classes(pitch: npt.ArrayLike) -> Int:
    """Class of each MIDI pitch 0..127; -1: none of the nine."""
    return _CLASS_OF[np.asarray(pitch)]


def combine_hits(velocity: Velocity) -> npt.NDArray[np.int64]:
    """Velocities ``(..., 9)`` -> number of the combination of hits, 0..511, ``(...)``."""
    return (velocity > 0) @ (1 << np.arange(DRUMS))


def quantise_positions(position: npt.NDArray[np.float64]) -> tuple[Int, Int]:
    """Positions in steps ``(n,)`` -> step, and offset in 1/256 of a step, each int64 ``(n,)``."""
    step = np.floor(position + 0.5).astype(np.int64)
    offset = np.floor((position - step) * OFFSETS + 0.5).astype(np.int64)
    return step, np.minimum(offset, OFFSETS // 2 - 1)


def find_loudest(
    cell: Int, position: npt.NDArray[np.float64], velocity: npt.NDArray[np.int64]
) -> Int:
    """Numbers of the loudest hit in each cell ``(n,)``, of equally loud ones the earliest."""
    order = np.lexsort((position, -velocity, cell))
    first = np.ones(len(order), bool)
    first[1:] = cell[order][1:] != cell[order][:-1]
    return order[first]
