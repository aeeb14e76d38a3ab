"""A tune as one voice on a grid: content of the MIDI codec's documents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aeplug.errors import FileError
from aeplug_music.score.grid import NoteBatch, StepStreams, metre_segments, quantise
from aeplug_music.score.metres import STEPS_PER_BAR
from aeplug_music.score.tokens import MOST_NOTES_PER_ONSET, Tokens
from aeplug_music.score.tune import Track, Tune


@dataclass(frozen=True)
class Passage:
    """Consecutive bars in one metre.

    Attributes:
        metre: ``"6/8"``; any time signature, in the table of metres or not.
        tokens: uint8 ``(S,)``; the last bar may be cut short by the next passage.
    """

    metre: str
    tokens: Tokens

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
    """

    passages: tuple[Passage, ...]
    bpm: float = 120.0
    continued_at: int | None = None

    @property
    def steps(self) -> int:
        """Length in steps."""
        return sum(len(passage.tokens) for passage in self.passages)

    @property
    def tokens(self) -> Tokens:
        """All passages' tokens, uint8 ``(steps,)``."""
        return np.concatenate([passage.tokens for passage in self.passages])


def extract_melody(tune: Tune) -> Melody:
    """Extract the tune's melody, from the track that :mod:`aeplug_music.score.tokens` specifies.

    Raises:
        FileError: there are only drums, or no note within the range.
    """
    voices = [track for track in tune.tracks if not track.is_drum]
    if not voices:
        raise FileError("only drums, no melody")
    streams = [_quantise_track(tune, track) for track in voices]
    audible = [number for number, stream in enumerate(streams) if stream.notes[0] > 0]
    if not audible:
        raise FileError("no notes within the range of a piano (MIDI 21 to 108)")
    single = [n for n in audible if streams[n].voices[0] <= MOST_NOTES_PER_ONSET]
    candidates = single or audible
    busiest = max(int(streams[n].notes[0]) for n in candidates)
    leading = [n for n in candidates if 2 * int(streams[n].notes[0]) >= busiest]
    best = max(leading, key=lambda n: float(_mean_pitch(streams[n])))
    return Melody(_to_passages(tune, streams[best]), tune.bpm)


def describe_omissions(tune: Tune) -> str:
    """Describe the tracks other than the melody; empty: there are none."""
    drums = sum(track.is_drum for track in tune.tracks)
    others = len(tune.tracks) - drums - 1
    omissions = []
    if others > 0:
        omissions.append(f"{others} other track{'s' if others > 1 else ''}")
    if drums:
        omissions.append("the drums")
    return " and ".join(omissions)


def _quantise_track(tune: Tune, track: Track) -> StepStreams:
    batch = NoteBatch()
    batch.add(track, metre_segments(tune), tune.ticks_per_quarter)
    return quantise(batch)


def _mean_pitch(streams: StepStreams) -> np.floating:
    return streams.tokens[streams.onsets].astype(np.float64).mean()


def _to_passages(tune: Tune, streams: StepStreams) -> tuple[Passage, ...]:
    passages: list[Passage] = []
    for number, segment in enumerate(metre_segments(tune)):
        start, steps = int(streams.start[number]), int(streams.steps[number])
        if steps > 0:
            name = "{}/{}".format(*segment.signature)
            passages.append(Passage(name, streams.tokens[start : start + steps]))
    return tuple(passages)
