"""Labels of windows of melody: collection, key, notes per bar, title."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

import numpy as np
import numpy.typing as npt

from aeplug_music.score.grid import StepStreams
from aeplug_music.score.keys import estimate_shifts
from aeplug_music.score.tokens import FIRST_ONSET, Tokens

#: Major keys by tonic, each with its relative minor.
KEYS = (
    *("C/Am", "Db/Bbm", "D/Bm", "Eb/Cm", "E/C#m", "F/Dm"),
    *("F#/D#m", "G/Em", "Ab/Fm", "A/F#m", "Bb/Gm", "B/G#m"),
)


def estimate_keys(windows: Tokens) -> npt.NDArray[np.str_]:
    """Estimate the key of each window ``(W, T)``: names of ``KEYS``, ``(W,)``."""
    shifts = estimate_shifts(_to_streams(windows))
    return np.array(KEYS)[-shifts % 12]


def count_notes_per_bar(windows: Tokens, bars: int) -> npt.NDArray[np.float64]:
    """Onsets per bar of each window ``(W, T)``, ``(W,)``."""
    return (windows >= FIRST_ONSET).sum(1) / bars


def collection_name(source: str) -> str:
    """Name of the folder that a tune's file is in, on disk or in its zip, or of the zip."""
    outer, bang, inner = source.rpartition("!")
    return PurePath(inner).parent.name or (PurePath(outer).stem if bang else "")


def make_titles(sources: Sequence[str], bars: npt.NDArray[np.int64]) -> npt.NDArray[np.str_]:
    """Titles of windows: file and first bar, counted from 1."""
    pairs = zip(sources, bars.tolist(), strict=True)
    return np.array([f"{PurePath(source).stem}, bar {bar + 1}" for source, bar in pairs], dtype=str)


def _to_streams(windows: Tokens) -> StepStreams:
    count, width = windows.shape
    flat = windows.reshape(-1)
    events = np.flatnonzero(flat)
    owner = events // width
    # A note ends at the next event or at the window's end.
    ends = np.minimum(np.append(events[1:], len(flat)), (owner + 1) * width)
    onset = flat[events] >= FIRST_ONSET
    alone: dict[str, Any] = dict.fromkeys(("metre", "bar", "first_bar"), np.zeros(count, np.int64))
    return StepStreams(
        tokens=flat,
        onsets=events[onset],
        ends=ends[onset],
        owner=owner[onset],
        melody=np.arange(count),
        start=np.arange(count) * width,
        steps=np.full(count, width),
        notes=np.bincount(owner[onset], minlength=count),
        voices=np.ones(count),
        **alone,
    )
