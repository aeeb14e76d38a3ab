"""The melody representation: tokens at four steps a quarter, specified to the last case.

**Tokens.** 90 classes, as in MusicVAE: 0 *hold* (a note sounds on, silence stays silent),
1 *note-off* (the note ends), 2..89 *onset* of MIDI pitch 21..108 (inclusive; token = pitch - 19).

**Steps.** A quarter has 4 steps (6 in triplets, see below), counted from the bar line at which the
current metre began. An onset or end is rounded to the nearest step, halves up. A note has at least
one step. Notes outside 21..108, and those that end on the tick on which they began, are dropped
before anything else.

**One voice.** Of the notes at one step the highest is kept (of two of one pitch, the longer). It
ends at its own end or at the next onset, whichever comes first; its own end is a note-off, unless
an onset is at that step. Repeated notes that touch are onsets.

**Bars.** The metre holds from its time signature's tick; without one it is 4/4. Bars are counted
from there, so a change of metre, or a time signature restated off the bar line, begins a new
*segment*. A first segment of at most one bar, shorter than a bar of the next metre, is an upbeat
(notation programs write it as 1/8, then 6/8): it becomes the end of a whole bar that begins with
rests. An upbeat that the file does not mark in this way stays where it is. The last bar is padded
with rests; a bar cut short by a change of metre belongs to no window.

**Triplets.** Bars of 4/4, 2/2, 3/4 and 2/4 whose onsets lie on thirds of a quarter are read in
compound time, in 12/8, 12/8, 9/8 and 6/8: a quarter has then 6 steps, 2 for each note of a triplet.
They are passages of their own, decided bar by bar (:mod:`aeplug_music.score.triplets`); their time
signature stays what it was, and they are written as triplets of it. A model that has not learnt
12/8 takes a bar of it as two of 6/8, and one that has not learnt 9/8 takes it as three of 3/8.

**Windows.** A window is N bars (2 by default) of one metre; one begins at every bar. Each is
self-contained: a note that sounds over its left edge begins again at step 0, a note-off at step 0
ends nothing and becomes a hold, a note that sounds over its right edge lasts to the end. Leading
rests are kept: they are holds before the first onset, as models sample them. A window with a bar's
length of silent steps in a row is dropped. Equal windows of one metre are kept once in the whole
set. A window shorter than the longest is padded with 0; its length follows from its metre.

**Canonical form.** A model may sample any sequence. A note-off where nothing sounds, and anything
beyond the window's length, becomes 0 (:func:`canonicalise`); nothing else can go wrong, since a
hold before any onset is silence and an onset ends the note before it. Canonical tokens are
unchanged when written as MIDI and read again, except that a window without notes gives a file that
no reader accepts as music.

**Which tracks.** Drums are left out. A track is a melody if on average at most 1.25 of its notes
begin together, that is on one step and before the other's end (so occasional double stops do not
make a chord track); all melodies of a file are used for training. Where a single one is needed,
:mod:`aeplug_music.score.track_choice` chooses it, and the top notes of its chords are taken.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

HOLD, NOTE_OFF = 0, 1
#: Lowest and highest pitch, MIDI numbers, inclusive: the range of a piano.
LOWEST, HIGHEST = 21, 108
FIRST_ONSET = 2
CLASSES = FIRST_ONSET + HIGHEST - LOWEST + 1
#: token = pitch - PITCH_OFFSET
PITCH_OFFSET = LOWEST - FIRST_ONSET
#: Mean number of notes that begin together, above which a track is chords.
MOST_NOTES_PER_ONSET = 1.25

Tokens = npt.NDArray[np.uint8]
Steps = npt.NDArray[np.int64]


def fill_holds(tokens: Tokens) -> Tokens:
    """Replace holds by the event that they hold.

    Args:
        tokens: ``(..., S)``.

    Returns:
        At each step the onset token of the note that sounds, below 2 in silence; ``(..., S)``.
    """
    places = np.where(tokens != HOLD, np.arange(tokens.shape[-1]), 0)
    np.maximum.accumulate(places, axis=-1, out=places)
    return np.take_along_axis(tokens, places, axis=-1)


def canonicalise(tokens: Tokens, lengths: Steps | None = None) -> Tokens:
    """Bring tokens into canonical form: the one sequence with the same notes.

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
    """Tokens ``(S,)`` -> onset step, end step and MIDI pitch of every note, int64 ``(n,)`` each."""
    events = np.flatnonzero(tokens)
    ends = np.append(events[1:], len(tokens))
    begins = tokens[events] >= FIRST_ONSET
    onsets = events[begins]
    return onsets, ends[begins], tokens[onsets].astype(np.int64) + PITCH_OFFSET


def split_windows(tokens: Tokens, length: int, before: int = HOLD) -> Tokens:
    """Split tokens ``(S,)`` into consecutive windows, the last padded: ``(P, length)``.

    Every window is self-contained (see above). ``before`` is the onset token of a note that sounds
    over the first edge.
    """
    count = max(1, -(-len(tokens) // length))
    padded = np.zeros(count * length, np.uint8)
    padded[: len(tokens)] = tokens
    if len(tokens) and padded[0] == HOLD and before >= FIRST_ONSET:
        padded[0] = before
    filled = fill_holds(padded[: len(tokens)])
    if len(tokens) < len(padded) and len(filled) and filled[-1] >= FIRST_ONSET:
        padded[len(tokens)] = NOTE_OFF
    edges = np.arange(length, len(tokens), length)
    carried = filled[edges - 1]
    sounds_on = (padded[edges] == HOLD) & (carried >= FIRST_ONSET)
    padded[edges[sounds_on]] = carried[sounds_on]
    return canonicalise(padded.reshape(count, length))


def sounding_token(tokens: Tokens, before: int = HOLD) -> int:
    """Onset token of the note that sounds after the last step, below 2 in silence."""
    events = np.flatnonzero(tokens)
    return int(tokens[events[-1]]) if len(events) else before
