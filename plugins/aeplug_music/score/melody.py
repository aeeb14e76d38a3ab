"""A tune as one voice on a grid: content of the MIDI codec's documents."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from aeplug.errors import FileError
from aeplug_music.score.grid import (
    NoteBatch,
    StepStreams,
    explain_no_notes,
    metre_segments,
    quantise,
)
from aeplug_music.score.metres import STEPS_PER_BAR
from aeplug_music.score.origin import Origin
from aeplug_music.score.tokens import MOST_NOTES_PER_ONSET, Tokens
from aeplug_music.score.tune import DEFAULT_BPM, Track, Tune


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
        origin: the track that it was read from; None: there is none, as where it was sampled.
    """

    passages: tuple[Passage, ...]
    bpm: float = DEFAULT_BPM
    continued_at: int | None = None
    origin: Origin | None = field(default=None, compare=False, repr=False)

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
        reason, detail = explain_no_notes(b"".join(track.notes for track in voices))
        raise FileError(f"{reason} ({detail})" if detail else reason)
    single = [n for n in audible if streams[n].voices[0] <= MOST_NOTES_PER_ONSET]
    candidates = single or audible
    busiest = max(int(streams[n].notes[0]) for n in candidates)
    leading = [n for n in candidates if 2 * int(streams[n].notes[0]) >= busiest]
    best = max(leading, key=lambda n: float(_mean_pitch(streams[n])))
    return _to_melody(tune, tune.tracks.index(voices[best]), streams[best])


def _quantise_track(tune: Tune, track: Track) -> StepStreams:
    batch = NoteBatch()
    batch.add(track, metre_segments(tune), tune.ticks_per_quarter)
    return quantise(batch)


def _mean_pitch(streams: StepStreams) -> np.floating:
    return streams.tokens[streams.onsets].astype(np.float64).mean()


def _to_melody(tune: Tune, number: int, streams: StepStreams) -> Melody:
    segments = metre_segments(tune)
    passages: list[Passage] = []
    lengths = [int(steps) for steps in streams.steps]
    for segment, start, steps in zip(segments, streams.start.tolist(), lengths, strict=True):
        if steps > 0:
            name = "{}/{}".format(*segment.signature)
            passages.append(Passage(name, streams.tokens[start : start + steps]))
    melody = Melody(tuple(passages), tune.bpm)
    origin = Origin(tune, number, segments, tuple(lengths), melody.tokens)
    return replace(melody, origin=origin)
