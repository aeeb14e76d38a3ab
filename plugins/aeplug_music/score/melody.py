"""A tune as one voice on a grid: content of the MIDI codec's documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from aeplug_music.score.grid import MetreSegment, NoteBatch, StepStreams, metre_segments, quantise
from aeplug_music.score.metres import (
    METRES,
    STEPS_PER_BAR,
    STEPS_PER_QUARTER,
    STEPS_PER_TRIPLET_QUARTER,
)
from aeplug_music.score.origin import Origin
from aeplug_music.score.tokens import Tokens
from aeplug_music.score.track_choice import choose_tracks
from aeplug_music.score.triplets import split_triplets
from aeplug_music.score.tune import DEFAULT_BPM, Tune


@dataclass(frozen=True)
class Passage:
    """Consecutive bars in one metre.

    Attributes:
        metre: ``"6/8"``; any time signature, in the table of metres or not.
        tokens: uint8 ``(S,)``; the last bar may be cut short by the next passage.
        written: the time signature where the passage is in triplets and the metre is compound
            time; empty: the metre.
    """

    metre: str
    tokens: Tokens
    written: str = ""

    @property
    def signature(self) -> str:
        """The time signature that files have."""
        return self.written or self.metre

    @property
    def quarter(self) -> int:
        """Steps a quarter."""
        return STEPS_PER_TRIPLET_QUARTER if self.written else STEPS_PER_QUARTER

    @property
    def bar(self) -> int:
        """Steps per bar; 0 in a metre outside the table."""
        return STEPS_PER_BAR.get(self.metre, 0)


@dataclass(frozen=True)
class Melody:
    """One voice from beginning to end.

    Attributes:
        passages: in order.
        bpm: quarters a minute.
        continued_at: step from which on it was added by a model, below 0 where that is before its
            beginning; None: it was not.
        origin: the track that it was read from; None: there is none, as where it was sampled.
        others: melodies of other tracks of the same file that go through a model beside it.
    """

    passages: tuple[Passage, ...]
    bpm: float = DEFAULT_BPM
    continued_at: int | None = None
    origin: Origin | None = field(default=None, compare=False, repr=False)
    others: tuple[Melody, ...] = ()

    @property
    def steps(self) -> int:
        """Length in steps."""
        return sum(len(passage.tokens) for passage in self.passages)

    @property
    def times(self) -> npt.NDArray[np.float64]:
        """When each step begins and the last ends, quarters, float64 ``(steps + 1,)``."""
        # Counted in the time that divides both kinds of step, so that it is exact.
        unit = STEPS_PER_QUARTER * STEPS_PER_TRIPLET_QUARTER // 2
        steps = [unit // passage.quarter for passage in self.passages]
        lengths = [len(passage.tokens) for passage in self.passages]
        return np.concatenate([[0], np.cumsum(np.repeat(steps, lengths))]) / unit

    @property
    def tokens(self) -> Tokens:
        """All passages' tokens, uint8 ``(steps,)``."""
        return np.concatenate([passage.tokens for passage in self.passages])


def extract_melody(tune: Tune, number: int | None = None) -> Melody:
    """Extract a track's top voice.

    Args:
        tune: the file's content.
        number: of the track in ``tune.tracks``; None: the likeliest, as
            :mod:`aeplug_music.score.track_choice` says.

    Raises:
        FileError: there are only drums, or no note within the range.
    """
    if number is None:
        (number,) = choose_tracks(tune).numbers
    track, batch = tune.tracks[number], NoteBatch()
    segments = split_triplets(metre_segments(tune), track, tune.ticks_per_quarter)
    batch.add(track, segments, tune.ticks_per_quarter)
    return _to_melody(tune, number, segments, quantise(batch))


def _to_melody(
    tune: Tune, number: int, segments: Sequence[MetreSegment], streams: StepStreams
) -> Melody:
    passages: list[Passage] = []
    lengths = [int(steps) for steps in streams.steps]
    for segment, start, steps in zip(segments, streams.start.tolist(), lengths, strict=True):
        if steps > 0:
            name = "{}/{}".format(*segment.signature)
            tokens = streams.tokens[start : start + steps]
            if segment.quarter == STEPS_PER_QUARTER:
                passages.append(Passage(name, tokens))
            else:
                passages.append(Passage(METRES[segment.metre], tokens, name))
    melody = Melody(tuple(passages), tune.bpm)
    origin = Origin(tune, number, segments, tuple(lengths), melody.tokens)
    return replace(melody, origin=origin)
