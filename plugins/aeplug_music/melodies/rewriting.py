"""What a model made of a melody, put into the file that the melody was read from.

Notes that the result has in common with the melody (the same pitch on the same step) stay as they
are: tick, length, velocity. Notes that are gone are removed. New ones begin on the grid, as loud
and as short or long as the notes around them. Chords under the voice and all else of the file stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from aeplug_music.midi.editing import Changes, NewNote, rewrite
from aeplug_music.score.grid import Int
from aeplug_music.score.melody import Melody
from aeplug_music.score.origin import Origin
from aeplug_music.score.tokens import Tokens, tokens_to_notes

#: Notes of the melody that a new note takes after.
_NEIGHBOURS = 4
#: Above all pitches, so that (step, pitch) is a single number.
_STEP = 128


def rewrite_file(melody: Melody, options: Mapping[str, Any]) -> bytes:
    """The file that a melody was read from, with its notes as they are now.

    Args:
        melody: with its origin, as its ``others`` have theirs.
        options: those of :func:`aeplug_music.midi.editing.rewrite`, and ``velocity``: of new notes.
    """
    origin = melody.origin
    assert origin is not None
    changes = {}
    for each in (melody, *melody.others):
        assert each.origin is not None
        changes[each.origin.number] = plan_changes(
            each.origin, each.tokens, options.get("velocity")
        )
    return rewrite(origin.tune, changes, _later_metres(melody, origin), options)


def _later_metres(melody: Melody, origin: Origin) -> list[tuple[int, str]]:
    """Tick and metre of passages that were added behind the melody in another metre."""
    changes, step, before = [], 0, ""
    for passage in melody.passages:
        if step >= len(origin.tokens) and passage.signature != before:
            changes.append((int(origin.to_ticks(np.array([step]))[0]), passage.signature))
        step, before = step + len(passage.tokens), passage.signature
    return changes


def plan_changes(origin: Origin, tokens: Tokens, velocity: int | None = None) -> Changes:
    """What has to change in the origin's track for its voice to be ``tokens``.

    Args:
        origin: of the melody.
        tokens: uint8 ``(S,)``; where they are fewer than the origin's, the rest stays.
        velocity: of new notes, 1..127; None: as around them.
    """
    track = origin.track
    old_onset, _, old_pitch = tokens_to_notes(origin.tokens)
    numbers = origin.voice_notes()
    onset, end, pitch = tokens_to_notes(tokens)
    old_keys, keys = old_onset * _STEP + old_pitch, onset * _STEP + pitch
    is_gone = ~np.isin(old_keys, keys) & (old_onset < len(tokens))
    stays = np.isin(keys, old_keys)
    # The number in the track of each note that stays, and ticks of all that there will be.
    number = np.where(stays, numbers[np.searchsorted(old_keys, keys) % len(numbers)], -1)
    ticks = np.where(stays, track.onset[number], origin.to_ticks(onset))
    following = np.append(ticks[1:], np.iinfo(np.int64).max)
    lengths = _NewLengths(origin, numbers)
    added, ends = [], {}
    for note in range(len(keys)):
        if stays[note]:
            is_followed_by_new = note + 1 < len(keys) and not stays[note + 1]
            if is_followed_by_new and track.end[number[note]] > following[note]:
                ends[int(number[note])] = int(following[note])
        elif ticks[note] >= 0:
            steps = np.array([onset[note], end[note], *onset[note + 1 : note + 2]])
            length, loudness = lengths.shape_note(origin.to_ticks(steps))
            stop = min(int(ticks[note]) + length, int(following[note]))
            added.append(NewNote(int(ticks[note]), stop, int(pitch[note]), velocity or loudness))
    removed = _with_ornaments(origin, numbers[is_gone])
    return Changes(removed, {n: tick for n, tick in ends.items() if n not in removed}, added)


def _with_ornaments(origin: Origin, numbers: Int) -> list[int]:
    """Notes of the voice, and what belongs to them on their step: graces before or after, unisons.

    Notes that sound together with one of them are chords, and are not among these.
    """
    track, steps = origin.track, origin.note_steps()
    onset, end, pitch = track.onset, track.end, track.pitch
    chosen: set[int] = set()
    for number in numbers.tolist():
        same = np.flatnonzero(steps == steps[number])
        apart = (end[same] <= onset[number]) | (onset[same] >= end[number])
        chosen.update(same[apart | (pitch[same] == pitch[number])].tolist())
    return sorted(chosen)


class _NewLengths:
    """Lengths and velocities of new notes, after those of the melody around them."""

    def __init__(self, origin: Origin, numbers: Int) -> None:
        track = origin.track
        self.onset = track.onset[numbers].astype(np.int64)
        self.length = track.end[numbers] - self.onset
        self.velocity = track.velocity[numbers]
        onset, end, _ = tokens_to_notes(origin.tokens)
        on_grid = origin.to_ticks(np.concatenate([onset, end])).reshape(2, -1)
        self.grid_length = np.maximum(on_grid[1] - on_grid[0], 1)
        # Of the last one it is not known how long it might have been.
        self.space = np.append(np.diff(on_grid[0]), on_grid[1, -1:] - on_grid[0, -1:])

    def shape_note(self, ticks: Int) -> tuple[int, int]:
        """Length and velocity of a note.

        Args:
            ticks: of its beginning and end on the grid, and of the beginning of the next, if any.
        """
        count = len(self.onset)
        first = int(np.searchsorted(self.onset, ticks[0])) - _NEIGHBOURS // 2
        first = max(min(first, count - _NEIGHBOURS), 0)
        near = slice(first, first + _NEIGHBOURS)
        length, space = self.length[near], self.space[near]
        whole = int(ticks[1] - ticks[0])
        as_written = whole * min(float(np.median(length / self.grid_length[near])), 1.0)
        # Where notes are short for the space that they have, new ones are short too.
        room = int(ticks[-1] - ticks[0]) if len(ticks) > 2 else whole
        as_spaced = room * min(float(np.median(length / np.maximum(space, 1))), 1.0)
        shortest = min(as_written, float(length.min()))
        return (
            max(round(max(min(as_written, as_spaced), shortest)), 1),
            int(np.median(self.velocity[near])),
        )
