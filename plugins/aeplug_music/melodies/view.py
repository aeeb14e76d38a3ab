"""How a model sees a melody: moved by octaves into its register, and short notes at full length.

Models know the register and the held notes of the tunes that they were trained on. A melody that
lies elsewhere is moved by whole octaves, all of it alike; one of short notes with rests between is
seen with the notes as long as they stand for. What comes back is moved and shortened again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from aeplug_music.score.melody import Melody
from aeplug_music.score.tokens import (
    CLASSES,
    FIRST_ONSET,
    HIGHEST,
    LOWEST,
    NOTE_OFF,
    PITCH_OFFSET,
    Steps,
    Tokens,
    tokens_to_notes,
)

OCTAVE = 12
#: Steps to the next note beyond which there is a rest, however long the note.
_LONGEST = 16


@dataclass(frozen=True)
class View:
    """How a melody is changed before a model sees it.

    Attributes:
        octaves: by which it is moved up.
        length: what its notes sound of the time that they stand for, above 0 to 1; 1: they are as
            long as they are.
    """

    octaves: int = 0
    length: float = 1.0

    def show(self, melody: Melody) -> Melody:
        """The melody as the model sees it."""
        if self == View():
            return melody
        tokens = _move(melody.tokens, self.octaves)
        if self.length < 1:
            onsets, ends, pitches = tokens_to_notes(tokens)
            full = onsets + np.rint((ends - onsets) / self.length).astype(np.int64)
            tokens = _to_tokens(onsets, np.maximum(full, ends), pitches, len(tokens))
        return _with_tokens(melody, tokens)

    @property
    def as_it_is(self) -> Steps:
        """Token without the view of each token that a model may give, ``(classes,)``."""
        return _move(np.arange(CLASSES, dtype=np.uint8), -self.octaves).astype(np.int64)

    def undo(self, melody: Melody, original: Melody | None = None) -> Melody:
        """What a model made, as it would be without the view.

        Args:
            melody: what it made.
            original: what it was made of, whose notes keep their length.
        """
        if self == View():
            return melody
        tokens = _move(melody.tokens, -self.octaves)
        if self.length < 1:
            onsets, ends, pitches = tokens_to_notes(tokens)
            short = np.maximum(np.rint((ends - onsets) * self.length), 1).astype(np.int64)
            ends = onsets + short
            if original is not None:
                ends = _keep_ends(onsets, ends, pitches, original.tokens)
            tokens = _to_tokens(onsets, ends, pitches, len(tokens))
        return _with_tokens(melody, tokens)


def choose_view(melody: Melody, lowest: int, highest: int, short: float) -> View:
    """The view of a melody for a model.

    Args:
        melody: what it is to see.
        lowest: pitch that it knows.
        highest: likewise.
        short: share of the time to the next note up to which notes are short, 0..1.
    """
    onsets, ends, pitches = tokens_to_notes(melody.tokens)
    if not len(onsets):
        return View()
    space = np.diff(onsets)
    counted = space <= _LONGEST
    length = 1.0
    if counted.any():
        share = float(np.median((ends - onsets)[:-1][counted] / space[counted]))
        length = share if share <= short else 1.0
    return View(_choose_octaves(pitches, lowest, highest), length)


def _choose_octaves(pitches: Steps, lowest: int, highest: int) -> int:
    """Octaves that bring most notes into the range; 0 where all are in it.

    No note leaves the piano, so that all come back as they were.
    """
    if pitches.min() >= lowest and pitches.max() <= highest:
        return 0
    possible = range(
        -((int(pitches.min()) - LOWEST) // OCTAVE), (HIGHEST - int(pitches.max())) // OCTAVE + 1
    )

    def badness(octaves: int) -> tuple[int, float, int]:
        moved = pitches + octaves * OCTAVE
        outside = int(((moved < lowest) | (moved > highest)).sum())
        return outside, abs(float(moved.mean()) - (lowest + highest) / 2), abs(octaves)

    return min(possible, key=badness)


def _move(tokens: Tokens, octaves: int) -> Tokens:
    """Move notes by octaves; those that would leave the piano by fewer."""
    moved = tokens.astype(np.int64) + OCTAVE * octaves
    lowest, highest = LOWEST - PITCH_OFFSET, HIGHEST - PITCH_OFFSET
    moved = np.where(moved < lowest, lowest + (moved - lowest) % OCTAVE, moved)
    above = (moved - highest - 1) % OCTAVE - OCTAVE + 1
    moved = np.where(moved > highest, highest + above, moved)
    return np.where(tokens >= FIRST_ONSET, moved, tokens).astype(np.uint8)


def _keep_ends(onsets: Steps, ends: Steps, pitches: Steps, original: Tokens) -> Steps:
    old_onsets, old_ends, old_pitches = tokens_to_notes(original)
    known = dict(
        zip(zip(old_onsets.tolist(), old_pitches.tolist(), strict=True), old_ends, strict=True)
    )
    notes = zip(onsets.tolist(), pitches.tolist(), ends.tolist(), strict=True)
    return np.array([known.get((onset, pitch), end) for onset, pitch, end in notes], np.int64)


def _to_tokens(onsets: Steps, ends: Steps, pitches: Steps, steps: int) -> Tokens:
    tokens = np.zeros(steps + 1, np.uint8)
    tokens[np.minimum(ends, np.append(onsets[1:], steps))] = NOTE_OFF
    tokens[onsets] = pitches - PITCH_OFFSET
    return tokens[:steps]


def _with_tokens(melody: Melody, tokens: Tokens) -> Melody:
    edges = np.cumsum([len(passage.tokens) for passage in melody.passages])[:-1]
    parts = zip(melody.passages, np.split(tokens, edges), strict=True)
    return replace(melody, passages=tuple(replace(passage, tokens=part) for passage, part in parts))
