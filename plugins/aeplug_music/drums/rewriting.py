"""What a model made of drums, put into the file that they were read from.

Hits that the result has in common with the performance stay as they are: tick, length, pitch and
velocity, and so does a softer one beside them on the same step. Where a hit is played otherwise its
notes are moved and made louder or softer together. What is gone is removed. New hits go to the
track in which the file has most of that drum, at the pitch it has there. Other percussion, other
tracks and all else of the file stay.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from aeplug_music.drums.kit import DRUMS, MAX_VELOCITY, PITCHES, Int
from aeplug_music.drums.origin import DrumOrigin
from aeplug_music.drums.performance import Performance
from aeplug_music.midi.editing import Changes, NewNote, rewrite


def rewrite_file(performance: Performance, options: Mapping[str, Any]) -> bytes:
    """The file that a performance was read from, with its drums as they are now.

    Args:
        performance: with its origin.
        options: those of :func:`aeplug_music.midi.editing.rewrite`.
    """
    origin = performance.origin
    assert origin is not None
    metres = [
        (int(origin.ticks[place]), origin.metres[place])
        for place in range(1, len(origin.starts))
        if origin.starts[place] >= origin.steps and origin.metres[place] != origin.metres[place - 1]
    ]
    return rewrite(origin.tune, plan_changes(origin, performance), metres, options)


def plan_changes(origin: DrumOrigin, performance: Performance) -> dict[int, Changes]:
    """What has to change in each of the origin's tracks, by its number in the tune.

    Args:
        origin: of the performance.
        performance: as it is now; where it is shorter than the origin, the rest stays.
    """
    velocity, offset = performance.velocity, performance.offset
    common = min(origin.steps, len(velocity))
    before, after = origin.velocity[:common] > 0, velocity[:common] > 0
    differs = (velocity[:common] != origin.velocity[:common]) | (
        offset[:common] != origin.offset[:common]
    )
    # The last is for notes of no hit.
    is_changed = np.zeros(origin.steps * DRUMS + 1, bool)
    is_changed[: common * DRUMS] = (before & (~after | differs)).reshape(-1)
    notes = origin.notes
    is_removed = (origin.cell >= 0) & is_changed[origin.cell]
    added = defaultdict(list)
    for track, note in _replay(origin, performance, np.argwhere(before & after & differs)):
        added[track].append(note)
    is_new = velocity > 0
    is_new[:common] &= ~before
    for track, note in _add_hits(origin, performance, *np.nonzero(is_new)):
        added[track].append(note)
    changes = {}
    for track in np.unique(notes.track).tolist():
        own = notes.track == track
        staying = own & ~is_removed
        begins = list(zip(notes.pitch[staying].tolist(), notes.tick[staying].tolist(), strict=True))
        removed = notes.number[own & is_removed].tolist()
        changes[track] = Changes(removed, {}, _shorten(added[track], begins))
    return changes


def _replay(
    origin: DrumOrigin, performance: Performance, cells: Int
) -> Iterator[tuple[int, NewNote]]:
    """The notes of hits that are played otherwise, ``(n, 2)`` steps and drums, and their tracks."""
    notes, loudest = origin.notes, origin.loudest()
    order = np.argsort(origin.cell, kind="stable")
    ordered = origin.cell[order]
    for step, drum in cells.tolist():
        main = int(loudest[step, drum])
        loud, off = int(performance.velocity[step, drum]), int(performance.offset[step, drum])
        moved = 0
        if off != origin.offset[step, drum]:
            tick = origin.to_ticks(np.array([step]), [off])[0]
            moved = int(tick - notes.tick[main])
        first, last = np.searchsorted(ordered, [step * DRUMS + drum, step * DRUMS + drum + 1])
        for note in order[first:last].tolist():
            onset = max(int(notes.tick[note]) + moved, 0)
            velocity = round(int(notes.velocity[note]) * loud / int(notes.velocity[main]))
            end = onset + int(notes.end[note] - notes.tick[note])
            pitch = int(notes.pitch[note])
            yield (
                int(notes.track[note]),
                NewNote(onset, end, pitch, min(max(velocity, 1), MAX_VELOCITY)),
            )


def _add_hits(
    origin: DrumOrigin, performance: Performance, step: Int, drum: Int
) -> Iterator[tuple[int, NewNote]]:
    """Notes of new hits, ``(n,)`` steps and drums, and their tracks; as long as others mostly."""
    ticks = origin.to_ticks(step, performance.offset[step, drum])
    homes = [_find_home(origin, number) for number in range(DRUMS)]
    length = max(int(np.median(origin.notes.end - origin.notes.tick)), 1)
    velocity = performance.velocity[step, drum]
    for onset, number, loud in zip(ticks.tolist(), drum.tolist(), velocity.tolist(), strict=True):
        track, pitch = homes[number]
        yield track, NewNote(onset, onset + length, pitch, loud)


def _find_home(origin: DrumOrigin, drum: int) -> tuple[int, int]:
    """The track in which the file has most of a drum, and its commonest pitch there."""
    notes = origin.notes
    own = np.isin(notes.pitch, PITCHES[drum])
    track = int(np.bincount(notes.track[own] if own.any() else notes.track).argmax())
    pitches = notes.pitch[own & (notes.track == track)]
    return track, int(np.bincount(pitches).argmax()) if len(pitches) else PITCHES[drum][0]


def _shorten(added: list[NewNote], begins: Iterable[tuple[int, int]]) -> list[NewNote]:
    """End each new note where the next of its pitch begins.

    Args:
        added: what is new in a track.
        begins: pitch and tick of the notes that stay.
    """
    onsets: dict[int, list[int]] = defaultdict(list)
    for pitch, tick in (*begins, *((note.pitch, note.onset) for note in added)):
        onsets[pitch].append(tick)
    for ticks in onsets.values():
        ticks.sort()
    shortened = []
    for note in added:
        later = onsets[note.pitch]
        place = bisect_right(later, note.onset)
        end = min([note.end, *later[place : place + 1]])
        shortened.append(note._replace(end=max(end, note.onset + 1)))
    return shortened
