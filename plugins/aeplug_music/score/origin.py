"""The track that a melody was read from, and where its steps lie in that track's ticks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from aeplug_music.score.grid import Int, MetreSegment
from aeplug_music.score.tokens import HIGHEST, LOWEST, Tokens, tokens_to_notes
from aeplug_music.score.tune import Track, Tune

#: Above all pitches, so that (step, pitch) is a single sortable number.
_STEP = 128


@dataclass(frozen=True)
class Origin:
    """Where a melody was read.

    Attributes:
        tune: all of the file.
        number: of the melody's track in ``tune.tracks``.
        segments: the tune's metres, and where its bars are in triplets.
        lengths: steps of each.
        tokens: the voice as read, uint8 ``(S,)``.
    """

    tune: Tune
    number: int
    segments: Sequence[MetreSegment]
    lengths: tuple[int, ...]
    tokens: Tokens

    @property
    def track(self) -> Track:
        """The melody's."""
        return self.tune.tracks[self.number]

    @cached_property
    def _starts(self) -> Int:
        """First step of each segment, ``(K,)``."""
        return np.cumsum([0, *self.lengths[:-1]])

    @property
    def _ticks(self) -> Int:
        return np.array([segment.tick for segment in self.segments], np.int64)

    @property
    def _divisions(self) -> Int:
        return np.array([segment.quarter for segment in self.segments], np.int64)

    def to_ticks(self, steps: Int) -> Int:
        """Ticks of steps ``(n,)``; those beyond the end go on as the last segment.

        They are below 0 in rests before an upbeat.
        """
        number = np.searchsorted(self._starts, steps, "right") - 1
        quarter = self.tune.ticks_per_quarter
        local = (steps - self._starts[number]) * quarter
        division = self._divisions[number]
        return self._ticks[number] + (2 * local + division) // (2 * division)

    def note_steps(self) -> Int:
        """Steps at which the track's notes begin, ``(n,)``; -1: they are out of the range."""
        track = self.track
        onset = track.onset.astype(np.int64)
        number = np.searchsorted(self._ticks, onset, "right") - 1
        quarter = self.tune.ticks_per_quarter
        halves = 2 * self._divisions[number] * (onset - self._ticks[number])
        steps = self._starts[number] + (halves + quarter) // (2 * quarter)
        audible = (track.pitch >= LOWEST) & (track.pitch <= HIGHEST) & (track.end > onset)
        return np.where(audible, steps, -1)

    def voice_notes(self) -> Int:
        """Number in the track of each note of the voice, in order, ``(m,)``."""
        onsets, _, pitches = tokens_to_notes(self.tokens)
        keys = self.note_steps() * _STEP + self.track.pitch
        # Of several at one step and pitch the longest is the voice's.
        order = np.lexsort((self.track.end, keys))
        last = np.searchsorted(keys[order], onsets * _STEP + pitches, "right") - 1
        return order[last]
