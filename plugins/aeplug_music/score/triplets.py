"""Bars in triplets: where notes lie on thirds of a quarter rather than on its quarters.

Such bars are read on the grid of compound time, six steps a quarter: 4/4 as 12/8, 3/4 as 9/8, 2/4
as 6/8. Models know that grid, and a jig's eighths are played like triplets. Which grid a bar is on
is decided by the smaller error of its onsets; to change the grid for a bar or two costs more than
one odd group, so that a stray triplet does not cut a tune into pieces.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from aeplug_music.score.grid import MetreSegment, NoteBatch, number_metre
from aeplug_music.score.metres import COMPOUND, STEPS_PER_BAR, STEPS_PER_TRIPLET_QUARTER
from aeplug_music.score.tune import NOTE, Track

Float = npt.NDArray[np.float64]

#: By how many quarters the onsets around a change of grid must lie nearer to the new one: those of
#: four eighths of triplets.
_CHANGE = 0.15
#: What half a step off the straight grid counts, quarters.
_HALF_STEP = 0.06
#: What a bar on the grid of triplets costs: bars that lie on both grids are straight.
_BAR = 0.04


def split_triplets(
    segments: Sequence[MetreSegment], track: Track, ticks_per_quarter: int
) -> Sequence[MetreSegment]:
    """Split segments where a track changes between straight bars and bars in triplets.

    Args:
        segments: metres of the tune.
        track: whose onsets decide.
        ticks_per_quarter: of the tune.

    Returns:
        The same segments where nothing is in triplets.
    """
    onsets = np.unique(track.onset).astype(np.int64)
    split: list[MetreSegment] = []
    for number, segment in enumerate(segments):
        end = segments[number + 1].tick if number + 1 < len(segments) else onsets[-1] + 1
        inside = onsets[(onsets >= segment.tick) & (onsets < end)]
        split += _split_segment(segment, inside, ticks_per_quarter)
    return split if len(split) > len(segments) or split != list(segments) else segments


def find_triplets(batch: NoteBatch) -> npt.NDArray[np.bool_]:
    """Which melodies of a batch may have triplets, among them all that have, bool ``(M,)``."""
    notes = np.frombuffer(b"".join(batch.notes), NOTE)
    sizes = [len(melody_notes) // NOTE.itemsize for melody_notes in batch.notes]
    owner = np.repeat(np.arange(len(batch)), sizes)
    quarter = np.array(batch.quarters, np.int64)[owner]
    nearer = np.maximum(_prefer_triplets(notes["onset"] % quarter / quarter), 0)
    return np.bincount(owner, nearer, minlength=len(batch)) > _CHANGE


def _prefer_triplets(position: Float) -> Float:
    """By how much onsets, in quarters, lie nearer to thirds than to quarters of a quarter."""
    fourths, eighths, thirds = (np.abs(position - np.rint(position * n) / n) for n in (4, 8, 3))
    # A note half a step off the straight grid is a short straight one rather than a triplet.
    return np.minimum(fourths, eighths + _HALF_STEP) - thirds


def _split_segment(
    segment: MetreSegment, onsets: npt.NDArray[np.int64], ticks_per_quarter: int
) -> list[MetreSegment]:
    numerator, denominator = segment.signature
    compound = COMPOUND.get(f"{numerator}/{denominator}")
    if compound is None or not len(onsets):
        return [segment]
    position = (onsets - segment.tick) / ticks_per_quarter
    bar = 4 * numerator / denominator
    # A note that comes a little early belongs to the bar that it begins.
    number = np.maximum(((position + 1 / 12) // bar).astype(np.int64), 0)
    nearer = np.asarray(np.bincount(number, _prefer_triplets(position)), np.float64)
    if nearer.max() <= 0:
        return [segment]
    in_triplets = _choose_grids(nearer)
    edges = np.flatnonzero(np.diff(in_triplets, prepend=-1))
    split = []
    for first in edges.tolist():
        tick = segment.tick + round(first * bar * ticks_per_quarter)
        part = segment._replace(tick=tick, first_bar=segment.first_bar + first)
        if in_triplets[first]:
            part = part._replace(
                metre=number_metre(compound),
                bar=STEPS_PER_BAR[compound],
                quarter=STEPS_PER_TRIPLET_QUARTER,
            )
        split.append(part)
    return split


def _choose_grids(nearer: Float) -> npt.NDArray[np.int64]:
    """The best grid of each bar, 1: triplets, by what each is worth less the changes, ``(B,)``."""
    # A tune begins straight unless there is as much that speaks against it as for a change.
    worth, came_from = np.array([0.0, -_CHANGE]), []
    for gain in nearer.tolist():
        stay_or_change = worth[:, None] - _CHANGE * (1 - np.eye(2))
        came_from.append(stay_or_change.argmax(axis=0))
        worth = stay_or_change.max(axis=0) + np.array([0.0, gain - _BAR])
    grid = int(worth.argmax())
    grids = []
    for source in reversed(came_from):
        grids.append(grid)
        grid = int(source[grid])
    return np.array(grids[::-1], np.int64)
