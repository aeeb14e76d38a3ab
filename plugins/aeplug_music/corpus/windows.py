"""Windows of many tunes at once, by array operations: without Python code per note.

So a file costs hardly more than its parsing. In :mod:`aeplug_music.score.grid` a ``NoteBatch``
collects melodies, in ticks, and ``quantise`` lays them on one long grid of steps, one behind the
other; :func:`cut_windows` takes the windows out of it. What becomes of every note is specified in
:mod:`aeplug_music.score.tokens`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aeplug_music.score.grid import NO_METRE, Int, StepStreams
from aeplug_music.score.tokens import (
    HOLD,
    NOTE_OFF,
    Tokens,
)


@dataclass
class Windows:
    """Windows of a batch, in order of melody and bar.

    Attributes:
        tokens: uint8 ``(W, T)``.
        melody: number of the melody, ``(W,)``.
        bar: first bar in the tune, from 0, ``(W,)``.
        metre: number in ``METRES``, ``(W,)``.
        silent: number of windows of each melody dropped for silence, ``(M,)``.
    """

    tokens: Tokens
    melody: Int
    bar: Int
    metre: Int
    silent: Int


def cut_windows(streams: StepStreams, bars: int, width: int) -> Windows:
    """Cut a window at every bar of every melody.

    Args:
        streams: quantised melodies.
        bars: per window.
        width: columns of the result, at least the longest window's steps.
    """
    usable = (streams.metre != NO_METRE) & streams.is_melody[streams.melody]
    possible = streams.steps // np.maximum(streams.bar, 1) - bars + 1
    counts: Int = np.where(usable, np.maximum(possible, 0), 0).astype(np.int64)
    segment = np.repeat(np.arange(len(counts)), counts)
    number: Int = np.arange(len(segment)) - (np.cumsum(counts) - counts)[segment]
    starts: Int = streams.start[segment] + number * streams.bar[segment]
    is_silent = _find_silent(streams, starts, streams.bar[segment], bars)
    silent = np.bincount(streams.melody[segment[is_silent]], minlength=len(streams.notes))
    if is_silent.any():
        segment, number, starts = segment[~is_silent], number[~is_silent], starts[~is_silent]
    return Windows(
        _take_rows(streams, starts, streams.bar[segment] * bars, width),
        streams.melody[segment],
        streams.first_bar[segment] + number,
        streams.metre[segment],
        silent,
    )


def _take_rows(streams: StepStreams, starts: Int, lengths: Int, width: int) -> Tokens:
    stream = np.concatenate([streams.tokens, np.zeros(width, np.uint8)])
    rows: Tokens = np.lib.stride_tricks.sliding_window_view(stream, width)[starts]
    if not len(rows):
        return rows
    # At the left edge a sounding note begins again, and a note-off ends nothing.
    edge = rows[:, 0]
    holds = np.flatnonzero(edge == HOLD)
    edge[edge == NOTE_OFF] = HOLD
    edge[holds] = _find_sounding(streams, starts[holds])
    # Steps beyond a window's length are holds, which are 0.
    inside = np.arange(width) < np.arange(width + 1)[:, None]
    rows *= inside.view(np.uint8)[lengths]
    return rows


def _find_sounding(streams: StepStreams, places: Int) -> Tokens:
    """Onset token of the note that sounds across each position, 0: none does."""
    note = np.searchsorted(streams.onsets, places) - 1
    over = (note >= 0) & (streams.ends[note] > places)
    return np.where(over, streams.tokens[streams.onsets[note]], HOLD).astype(np.uint8)


def _find_silent(
    streams: StepStreams, starts: Int, bars_steps: Int, bars: int
) -> npt.NDArray[np.bool_]:
    """Find windows with a bar's length of silent steps in a row, bool ``(W,)``."""
    silent = np.zeros(len(starts), bool)
    lengths = np.flatnonzero(np.bincount(bars_steps))
    if not len(lengths):
        return silent
    gap_start = np.concatenate([[0], streams.ends])
    gap_end = np.concatenate([streams.onsets, [len(streams.tokens)]])
    gaps = gap_end - gap_start
    # Few are as long as any bar.
    long = np.flatnonzero(gaps >= lengths[0])
    gap_start, gap_end, gaps = gap_start[long], gap_end[long], gaps[long]
    for bar in lengths:
        mine = np.flatnonzero(bars_steps == bar)
        place = starts[mine]
        long = gaps >= bar
        # A window [a, a + L) overlaps a gap [g, h) by a bar B: g + B - L <= a <= h - B.
        since = np.searchsorted(place, gap_start[long] + bar - bars * bar)
        until = np.searchsorted(place, gap_end[long] - bar, "right")
        marks = np.zeros(len(place) + 1, np.int64)
        np.add.at(marks, since, 1)
        np.add.at(marks, until, -1)
        silent[mine] = np.cumsum(marks[:-1]) > 0
    return silent
