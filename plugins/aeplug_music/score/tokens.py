"""The melody representation: tokens at four steps a quarter, specified to the last case.

**Tokens.** 90 classes, as MusicVAE has them: 0 *hold* (what sounds goes on sounding, silence
stays silent), 1 *note-off* (what sounds ends here), 2..89 *onset* of MIDI pitch 21..108
(inclusive; token = pitch - 19).

**Steps.** A quarter has 4 steps, counted from the bar line at which the present metre began. An
onset or end goes to the nearest step; one exactly between two goes to the later. A note has at
least one step. Notes outside 21..108, and those that end on the tick on which they began, are left
out before anything else.

**One voice.** Of the notes at one step the highest sounds (of two of one pitch, the longer). It
ends at its own end or at the next onset, whichever comes first; at its own end stands a
note-off, unless an onset stands there. Repeated notes that touch are onsets.

**Bars.** The metre holds from its time signature's tick; without one it is 4/4. Bars are counted
from there, so a change of metre, or a time signature restated off the bar line, begins a new
*stretch*. A first stretch of at most one bar, shorter than a bar of the metre after it, is an
upbeat (notation programs write it as 1/8, then 6/8): it becomes the end of a whole bar that begins
with rests. An upbeat that the file does not mark so stands where the file has it. The last bar is
filled up with rests, a bar cut short by a change of metre belongs to no window.

**Windows.** A window is N bars (2 by default) of one metre, one window begins at every bar (the
slide is one bar), and each stands on its own: a note that sounds over its left edge begins anew
at step 0, a note-off at step 0 ends nothing and becomes a hold, a note that sounds over its right
edge simply goes on to the end. Leading rests are kept: they are holds before the first onset, as
models sample them. A window with as many silent steps in a row as a bar has is left out. Equal
windows of one metre are counted once, over the whole set. A window shorter than the longest is
filled up with 0; its length follows from its metre.

**Canonical form.** A model may sample any sequence. A note-off where nothing sounds, and anything
beyond the window's length, becomes 0 (:func:`canonicalise`); nothing else can go wrong, since a
hold before any onset is silence and an onset ends what sounded. Canonical tokens survive writing as
MIDI and reading again unchanged, except that a window without any note makes a file that no
reader takes for music.

**Which tracks.** Drums are left out. A track is a melody if on average at most 1.25 of its notes
begin together, that is on one step and before the other's end (so a double stop now and then
makes no chord track); all melodies of a file are used for training. Where one is wanted, it is the
highest on average of those that have at least half as many notes as the busiest; without a melody,
the same among all tracks, whose top notes are then the tune.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

HOLD, NOTE_OFF = 0, 1
#: Lowest and highest pitch, MIDI numbers, inclusive: the piano's.
LOWEST, HIGHEST = 21, 108
FIRST_ONSET = 2
CLASSES = FIRST_ONSET + HIGHEST - LOWEST + 1
#: token = pitch - PITCH_OFFSET
PITCH_OFFSET = LOWEST - FIRST_ONSET
#: Notes that begin together, on average, above which a track is taken for chords.
MOST_NOTES_PER_ONSET = 1.25

Tokens = npt.NDArray[np.uint8]
Steps = npt.NDArray[np.int64]


def fill_holds(tokens: Tokens) -> Tokens:
    """What sounds after each step's event.

    Args:
        tokens: ``(..., S)``.

    Returns:
        The onset token of the note that sounds at each step, below 2 in silence; ``(..., S)``.
    """
    places = np.where(tokens != HOLD, np.arange(tokens.shape[-1]), 0)
    np.maximum.accumulate(places, axis=-1, out=places)
    return np.take_along_axis(tokens, places, axis=-1)


def canonicalise(tokens: Tokens, lengths: Steps | None = None) -> Tokens:
    """Tokens a model sampled -> the one sequence that means the same.

    Args:
        tokens: ``(P, T)``.
        lengths: valid steps of each row, ``(P,)``; None: all.
    """
    tokens = tokens.copy()
    if lengths is not None:
        tokens[np.arange(tokens.shape[-1]) >= lengths[:, None]] = HOLD
    before = np.zeros_like(tokens)
    before[:, 1:] = fill_holds(tokens)[:, :-1]
    tokens[(tokens == NOTE_OFF) & (before < FIRST_ONSET)] = HOLD
    return tokens


def tokens_to_notes(tokens: Tokens) -> tuple[Steps, Steps, Steps]:
    """Tokens ``(S,)`` -> onset step, end step and pitch of every note, each ``(n,)``."""
    events = np.flatnonzero(tokens)
    ends = np.append(events[1:], len(tokens))
    begins = tokens[events] >= FIRST_ONSET
    onsets = events[begins]
    return onsets, ends[begins], tokens[onsets].astype(np.int64) + PITCH_OFFSET


def split_windows(tokens: Tokens, length: int, before: int = HOLD) -> Tokens:
    """Tokens ``(S,)`` cut into consecutive windows, the last filled up: ``(P, length)``.

    Every window stands on its own, as the representation wants it. ``before`` is the onset token
    of a note that sounds over the first edge.
    """
    count = max(1, -(-len(tokens) // length))
    padded = np.zeros(count * length, np.uint8)
    padded[: len(tokens)] = tokens
    if len(tokens) and padded[0] == HOLD and before >= FIRST_ONSET:
        padded[0] = before
    held = fill_holds(padded[: len(tokens)])
    if len(tokens) < len(padded) and len(held) and held[-1] >= FIRST_ONSET:
        padded[len(tokens)] = NOTE_OFF
    edges = np.arange(length, len(tokens), length)
    carried = held[edges - 1]
    sounds_on = (padded[edges] == HOLD) & (carried >= FIRST_ONSET)
    padded[edges[sounds_on]] = carried[sounds_on]
    return canonicalise(padded.reshape(count, length))


def sounding_token(tokens: Tokens, before: int = HOLD) -> int:
    """The onset token of the note that sounds on behind ``(S,)``, below 2 in silence."""
    events = np.flatnonzero(tokens)
    return int(tokens[events[-1]]) if len(events) else before
