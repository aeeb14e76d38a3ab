"""A long tune in systems: the lines of a page, of so many bars each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from aeplug_music.score.melody import Melody, Passage
from aeplug_music.score.tokens import FIRST_ONSET, HOLD, sounding_token, split_windows


@dataclass(frozen=True)
class System:
    """A line of a page.

    Attributes:
        melody: its bars; a note that sounds over its left edge begins in it.
        first: number of its first bar in the tune, from 0.
        earlier: for each bar the number of the first equal bar of the tune, which may be itself;
            -1 for a silent bar.
    """

    melody: Melody
    first: int
    earlier: tuple[int, ...]


def split_systems(melody: Melody, bars: int) -> list[System]:
    """Split a tune into lines of ``bars`` bars; a passage without bars counts as a bar."""
    lines: list[System] = []
    seen: dict[tuple[str, bytes], int] = {}
    line: list[Passage] = []
    earlier: list[int] = []
    all_bars = list(_iter_bars(melody))
    seam = melody.continued_at
    for number, bar in enumerate(all_bars):
        content = (bar.metre, split_windows(bar.tokens, max(len(bar.tokens), 1))[0].tobytes())
        silent = not (bar.tokens >= FIRST_ONSET).any()
        earlier.append(-1 if silent else seen.setdefault(content, number))
        line.append(bar)
        if len(line) == bars or number + 1 == len(all_bars):
            part = _join_bars(line, melody.bpm)
            if seam is not None:
                part = replace(part, continued_at=max(seam, -1) if seam < part.steps else None)
                seam -= part.steps
            lines.append(System(part, number + 1 - len(line), tuple(earlier)))
            line, earlier = [], []
    return lines


def _iter_bars(melody: Melody) -> Iterator[Passage]:
    """Yield self-contained bars: a note held into a bar begins in it."""
    before = HOLD
    for passage in melody.passages:
        steps = passage.bar or len(passage.tokens) or 1
        for start in range(0, len(passage.tokens), steps):
            tokens = passage.tokens[start : start + steps]
            alone = tokens.copy()
            if alone[0] == HOLD and before >= FIRST_ONSET:
                alone[0] = before
            yield replace(passage, tokens=alone)
            before = sounding_token(tokens, before)


def _join_bars(bars: list[Passage], bpm: float) -> Melody:
    passages: list[Passage] = []
    for bar in bars:
        last = passages[-1] if passages else None
        if last is not None and (last.metre, last.written) == (bar.metre, bar.written):
            passages[-1] = replace(bar, tokens=np.concatenate([last.tokens, bar.tokens]))
        else:
            passages.append(bar)
    return Melody(tuple(passages), bpm)
