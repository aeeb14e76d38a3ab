"""How far two windows of melody are apart, as a musician hears it: their notes, then lengths."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from aeplug_music.score.tokens import FIRST_ONSET, Steps, Tokens, canonicalise

#: Share of a note that is its length; the rest is its onset and pitch.
LENGTH_SHARE = 0.05


def measure_distance(
    tokens: Tokens, others: Tokens, lengths: Steps | None = None
) -> npt.NDArray[np.float32]:
    """1 - F1 of the notes by onset and pitch, of which a small share is their length.

    A note of another pitch, or at another step, counts fully. Of a note that both have, the longer
    one's surplus costs a part of ``LENGTH_SHARE``.

    Args:
        tokens: ``(P, T)``.
        others: ``(P, T)``.
        lengths: valid steps of each row, ``(P,)``; None: all.

    Returns:
        ``(P,)``: 0 for the same notes, 1 where none is in both; two empty windows are equal.

    Example:
        >>> import numpy as np
        >>> from aeplug_music.score.distance import measure_distance
        >>> measure_distance(*np.array([[[41, 0, 43, 0]], [[41, 0, 44, 0]]], np.uint8))
        array([0.5], dtype=float32)
    """
    durations, other_durations = (_note_durations(rows, lengths) for rows in (tokens, others))
    counts = (durations > 0).sum(1) + (other_durations > 0).sum(1)
    shared = (durations > 0) & (other_durations > 0) & (tokens == others)
    shorter = np.minimum(durations, other_durations)
    longer = np.maximum(np.maximum(durations, other_durations), 1)
    alike = shared * (1 - LENGTH_SHARE * (1 - shorter / longer))
    similarity = np.where(counts > 0, 2 * alike.sum(1) / np.maximum(counts, 1), 1.0)
    return (1 - similarity).clip(0, 1).astype(np.float32)


def has_no_onset(tokens: Tokens, lengths: Steps | None = None) -> npt.NDArray[np.bool_]:
    """Rows ``(P, T)`` without any note, ``(P,)``."""
    return (_note_durations(tokens, lengths) == 0).all(1)


def _note_durations(tokens: Tokens, lengths: Steps | None) -> Steps:
    """Steps that the note beginning at each step lasts, 0 where none does, ``(P, T)``."""
    count, width = tokens.shape
    ends = np.full(count, width) if lengths is None else lengths
    events = canonicalise(tokens, lengths)
    places = np.where(events != 0, np.arange(width), width)
    # The next event behind each step, at most the window's end.
    following = np.full((count, width + 1), width)
    following[:, :width] = np.minimum.accumulate(places[:, ::-1], axis=1)[:, ::-1]
    following = np.minimum(following[:, 1:], ends[:, None])
    return np.where(events >= FIRST_ONSET, following - np.arange(width), 0)
