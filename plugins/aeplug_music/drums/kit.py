"""The drum representation: nine classes at four steps a quarter, specified to the last case.

**Classes.** 0 kick, 1 snare, 2 closed hi-hat, 3 open hi-hat, 4 low tom, 5 mid tom, 6 high tom,
7 crash, 8 ride. Which MIDI pitches each stands for says ``PITCHES``: those of General MIDI, and
those of the Roland TD-11 on which Groove MIDI was played (edges of hi-hats 22 and 26, rim of the
third tom 58). A class is written as the first of its pitches. Other percussion (cowbell, congas,
claves ...) is no hit; it is left out and counted.

**Which tracks.** Drums are the tracks on channel 10. In a file without one, those whose name says
so (``drum``, ``perc``, ``kit`` or ``beat`` in it). All drum tracks play together.

**Steps.** A quarter has 4 steps, counted from the bar line at which the present metre began. A hit
goes to the nearest step; one exactly between two goes to the later. How far it lies off is its
*offset*: a fraction of a step in [-0.5, 0.5), kept as int8 in units of 1/256 of a step, rounded
(0.28 ms at 104 quarters a minute; the few in 512 that would round to 0.5 stay at 127/256). Where a
class has two hits at a step, the louder stays, of equal ones the earlier. A hit less than half a
step before a change of metre is the first of the new metre.

**Velocity.** 1..127, and 0 where there is no hit. A window is two arrays ``(T, 9)``: ``velocity``
uint8 and ``offset`` int8, the latter 0 where there is no hit.

**Taps.** A file also has a *rhythm*: one voice, the loudest note at each step of all drum tracks
or, where there are none, of all tracks, whatever the pitches; of equally loud ones the earliest.
``taps`` int16 ``(T, 2)``: velocity and offset.

**Bars and metre.** As in :mod:`aeplug_music.score.tokens`: metres hold from their time
signature, an upbeat is the end of a whole bar, the last bar is filled up with rests. Only **4/4**
is learnt: passages in other metres belong to no window of the data set, which names the files left
out for it, and stand unchanged in what ``reconstruct`` writes.

**Windows.** N bars; one begins at every bar. A window with a bar without any hit is left out.
Windows that are equal are not counted once: how often a bar is played is part of playing.

**Combinations.** Hits alone are a number of 512 a step: class d counts ``2 ** d``.

**Written and read again**, at 1,024 ticks a quarter, a performance is the same to the last offset,
since 1/256 of a step is one tick. One exception: a hit before the file's beginning (a negative
offset at step 0) stands at its beginning. The tempo is that at the file's beginning, in whole
microseconds a quarter.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aeplug_music.score.metres import STEPS_PER_BAR

#: What can be hit, in the order of the classes; part of saved models.
CLASSES = (
    *("kick", "snare", "closed hi-hat", "open hi-hat"),
    *("low tom", "mid tom", "high tom", "crash", "ride"),
)
DRUMS = len(CLASSES)
COMBINATIONS = 2**DRUMS
KICK, SNARE, CLOSED_HAT, OPEN_HAT, LOW_TOM, MID_TOM, HIGH_TOM, CRASH, RIDE = range(DRUMS)
#: MIDI pitches of each class; the first is written.
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
#: Offsets are kept in units of a step divided by this.
OFFSETS = 256
MAX_VELOCITY = 127

Velocity = npt.NDArray[np.uint8]
Offset = npt.NDArray[np.int8]
Taps = npt.NDArray[np.int16]
Int = npt.NDArray[np.int64]

_CLASS_OF = np.full(128, -1, np.int64)
for _number, _pitches in enumerate(PITCHES):
    _CLASS_OF[list(_pitches)] = _number


def to_classes(pitch: npt.ArrayLike) -> Int:
    """Class of each MIDI pitch 0..127, -1 for what is none of the nine."""
    return _CLASS_OF[np.asarray(pitch)]


def combine_hits(velocity: Velocity) -> npt.NDArray[np.int64]:
    """Velocities ``(..., 9)`` -> number of the combination that is hit, 0..511, ``(...)``."""
    return (velocity > 0) @ (1 << np.arange(DRUMS))


def quantise_positions(position: npt.NDArray[np.float64]) -> tuple[Int, Int]:
    """Positions in steps ``(n,)``, from 0 -> step, and offset in 1/256 of a step, each ``(n,)``."""
    step = np.floor(position + 0.5).astype(np.int64)
    offset = np.floor((position - step) * OFFSETS + 0.5).astype(np.int64)
    return step, np.minimum(offset, OFFSETS // 2 - 1)


def find_loudest(
    cell: Int, position: npt.NDArray[np.float64], velocity: npt.NDArray[np.int64]
) -> Int:
    """Of hits in the same cell ``(n,)`` the loudest, of equal ones the earliest: their numbers."""
    order = np.lexsort((position, -velocity, cell))
    first = np.ones(len(order), bool)
    first[1:] = cell[order][1:] != cell[order][:-1]
    return order[first]
