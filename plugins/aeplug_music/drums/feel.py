"""How new hits are played: as loud, and as far off the grid, as the hits around them.

Models know four steps of a beat. In triplets the hits of a beat lie on its steps 0, 1 and 3, off by
a third of a step, and so the models have learnt them; but what is new there would be played on
sixteenths (by `groove` three in five of those between the beats). Where a file plays triplets a new
hit is therefore put where the file's own lie: on the second of three, if it is on step 1, on the
third, on step 2 or 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aeplug_music.drums.kit import (
    BAR,
    COMPOUND,
    DRUMS,
    METRE,
    OFFSETS,
    Int,
    Offset,
    Velocity,
    quantise_positions,
)
from aeplug_music.drums.performance import Passage, Performance
from aeplug_music.score.metres import STEPS_PER_QUARTER

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

#: Hits that a new one takes after.
_NEIGHBOURS = 4
#: Hits between the beats from which on a bar shows by itself whether it is in triplets.
_TELLING = 3
#: Most beats by which a hit on a beat is off.
_ON_BEAT = 1 / 8
_STRAIGHT, _TRIPLETS = np.array([1 / 4, 2 / 4, 3 / 4]), np.array([1 / 3, 2 / 3])


@dataclass(frozen=True)
class Grid:
    """What the steps of a performance are.

    Attributes:
        in_bar: step within its bar, 0..15, int64 ``(S,)``.
        in_triplets: whether its bar is in triplets, bool ``(S,)``.
    """

    in_bar: Int
    in_triplets: Bools

    @property
    def place(self) -> Int:
        """Step within its beat, 0..3, int64 ``(S,)``."""
        return self.in_bar % STEPS_PER_QUARTER

    @classmethod
    def of(cls, performance: Performance) -> Grid:
        """Its beats, and which of its bars are played in triplets."""
        passages = performance.passages
        empty = np.zeros(0, np.int64)
        in_bar = [np.arange(passage.steps) % BAR for passage in passages]
        triplets = [_find_triplets(passage) for passage in passages]
        return cls(np.concatenate([empty, *in_bar]), np.concatenate([empty > 0, *triplets]))

    def extend(self, steps: int) -> Grid:
        """The same, and so many steps more behind it, as its last bar is played."""
        more = np.arange(steps) % BAR
        last = self.in_triplets[-1:] if len(self.in_triplets) else np.zeros(1, bool)
        return Grid(
            np.concatenate([self.in_bar, more]),
            np.concatenate([self.in_triplets, np.repeat(last, steps)]),
        )


def _find_triplets(passage: Passage) -> Bools:
    """Steps of a passage in bars whose hits between the beats are nearer to triplets, ``(S,)``."""
    if passage.metre in COMPOUND:
        return np.ones(passage.steps, bool)
    if passage.metre != METRE:
        return np.zeros(passage.steps, bool)
    step, drum = np.nonzero(passage.velocity)
    beats = (step + _steps_off(passage.offset[step, drum])) / STEPS_PER_QUARTER
    off_beat = beats - np.rint(beats)
    is_on_beat = np.abs(off_beat) < _ON_BEAT
    if is_on_beat.any():  # a player may be ahead, or behind, throughout
        beats = beats - np.median(off_beat[is_on_beat])
    phase = beats - np.floor(beats)
    straight, triplet = (np.abs(phase[:, None] - grid).min(1) for grid in (_STRAIGHT, _TRIPLETS))
    is_between = np.minimum(phase, 1 - phase) > np.minimum(straight, triplet)
    bar = step[is_between] // BAR
    bars = -(-passage.steps // BAR)
    count = np.bincount(bar, minlength=bars)
    triplets = np.bincount(bar[(triplet < straight)[is_between]], minlength=bars)
    is_mostly = 2 * triplets.sum() > count.sum()
    is_triplet = np.where(count >= _TELLING, 2 * triplets > count, is_mostly)
    return np.repeat(is_triplet, BAR)[: passage.steps]


def play_like(
    velocity: Velocity,
    offset: Offset,
    original: Performance,
    grid: Grid,
    first: int = 0,
    *,
    played: bool,
) -> tuple[Velocity, Offset]:
    """Velocities and offsets of hits that a model made, after those of a file.

    Args:
        velocity: as it made them, ``(S, 9)``.
        offset: the same.
        original: what they take after; it has at least one hit.
        grid: of the original's steps, and of those that were added behind it.
        first: step of the original at which the hits begin.
        played: they are a model's that knows velocity and timing: then only the timing of new hits
            in triplets is the file's. Else that of all is, and all velocities.

    Returns:
        ``(S, 9)`` each, uint8 and int8. In triplets a new hit may come to lie on the next step.
    """
    steps = slice(first, first + len(velocity))
    own_velocity, own_offset = (
        np.concatenate([values, np.zeros((len(grid.in_bar) - len(values), DRUMS), values.dtype)])
        for values in (original.velocity, original.offset)
    )
    reference = _Reference(own_velocity, own_offset, grid)
    hits = velocity > 0
    is_new = hits & (own_velocity[steps] == 0)
    if played:
        is_new &= grid.in_triplets[steps, None]
    loud, off = (velocity, offset) if played else (own_velocity[steps], own_offset[steps])
    loud, off = loud * (hits & ~is_new), off * (hits & ~is_new)
    for step, drum in np.argwhere(is_new).tolist():
        position = reference.place_hit(first + step, drum) - first
        cells, offsets = quantise_positions(np.array([position]))
        cell = min(max(int(cells[0]), 0), len(hits) - 1)
        if not loud[cell, drum]:
            own = int(velocity[step, drum])
            loud[cell, drum] = own if played else reference.loudness(first + cell, drum)
            off[cell, drum] = offsets[0]
    return loud, off


class _Reference:
    """The hits that new ones take after."""

    def __init__(self, velocity: Velocity, offset: Offset, grid: Grid) -> None:
        self.grid = grid
        self.place = grid.place
        self.step, self.drum = np.nonzero(velocity)
        self.velocity = velocity[self.step, self.drum]
        self.phase = self.place[self.step] + _steps_off(offset[self.step, self.drum])
        self.kind = _kind(self.phase, grid.in_triplets[self.step])

    def loudness(self, step: int, drum: int) -> int:
        """Velocity of a new hit: as accents and ghost notes of the nearest bars have it.

        Of the hits of its drum at its place in the bar; or at its place in the beat, or anywhere,
        where there is none; or of all hits.
        """
        own = self.drum == drum
        in_bar = self.grid.in_bar[self.step] == self.grid.in_bar[step]
        in_beat = self.place[self.step] == self.place[step]
        choices = (own & in_bar, own & in_beat, own, np.ones_like(own))
        chosen = next(choice for choice in choices if choice.any())
        nearest = self._nearest(np.flatnonzero(chosen), step)
        return round(float(np.median(self.velocity[nearest])))

    def place_hit(self, step: int, drum: int) -> float:
        """Position of a new hit, in steps: off the grid as the nearest at such a place are.

        Those of its drum, or of all where the drum has none there.
        """
        place, in_triplets = int(self.place[step]), bool(self.grid.in_triplets[step])
        kind = int(_kind(np.array([float(place)]), np.array([in_triplets]))[0])
        is_alike = self.kind == kind
        own = is_alike & (self.drum == drum)
        chosen = np.flatnonzero(own if own.any() else is_alike)
        if len(chosen):
            phase = float(np.median(self.phase[self._nearest(chosen, step)]))
        else:
            phase = (kind - STEPS_PER_QUARTER) * STEPS_PER_QUARTER / 3 if in_triplets else place
        return step - place + phase

    def _nearest(self, chosen: Int, step: int) -> Int:
        order = np.argsort(np.abs(self.step[chosen] - step), kind="stable")
        return chosen[order[:_NEIGHBOURS]]


def _kind(phase: Floats, in_triplets: Bools) -> Int:
    """Places of a beat that are played alike: 0..3 its steps; 4..6 its triplets, ``(n,)``."""
    # Between two triplets, as on step 2, it is the later: of two swung notes the second.
    triplet = np.floor(phase * 3 / STEPS_PER_QUARTER + 0.5).astype(np.int64)
    straight = np.floor(phase + 0.5).astype(np.int64)
    # A hit ahead of the next beat is of its own.
    return np.where(in_triplets, STEPS_PER_QUARTER + np.minimum(triplet, 2), straight)


def _steps_off(offset: Offset) -> Floats:
    return offset.astype(np.float64) / OFFSETS
