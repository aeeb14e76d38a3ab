"""Comparison of samples with real tunes: features, known sequences, copies.

For each feature the overlap of the histograms of samples and held-out windows, with a ceiling
(other real windows instead of samples: the validation split) and a floor (the held-out windows with
the tokens of each step permuted among all windows of the metre, which destroys pitch and rhythm
patterns).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from aeplug.interfaces import DataShape
from aeplug_music.nets.window_shape import lengths_by_metre
from aeplug_music.score.tokens import FIRST_ONSET, HOLD

Array = npt.NDArray[Any]

#: Notes of the sequences that are looked up in the training set, as intervals and steps.
SEQUENCE = 8
SEED = 7


def compare_samples(
    samples: Tensor,
    held_out: Tensor,
    metre: Tensor,
    training: Tensor,
    training_metre: Tensor,
    other: Tensor,
    other_metre: Tensor,
    shape: DataShape,
) -> dict[str, Any]:
    """Compare samples ``(N, T)`` in the metres ``(N,)`` of held-out windows with these.

    ``other`` are further real windows, for the ceiling.

    Returns:
        ``known_sequences``: share of the samples' sequences of 8 notes that are in the training
        set, in any key; ``copies``: share of samples that are windows of it, in any key; the same
        for held-out windows; ``overlap``: feature -> samples, ceiling, floor.
    """
    lengths = lengths_by_metre(shape).numpy()
    sets = {"samples": _to_array(samples), "held_out": _to_array(held_out)}
    known = set(_list_sequences(_to_array(training)))
    windows = set(_fingerprint(_to_array(training), _to_array(training_metre)))
    report: dict[str, Any] = {"count": len(samples)}
    for name, suffix in (("samples", ""), ("held_out", "_held_out")):
        sequences = _list_sequences(sets[name])
        prints = _fingerprint(sets[name], _to_array(metre))
        report[f"known_sequences{suffix}"] = _compute_share(sequences, known)
        report[f"copies{suffix}"] = _compute_share(prints, windows)
    generator = np.random.default_rng(SEED)
    ceiling = draw_in_metres(_to_array(other), _to_array(other_metre), _to_array(metre), generator)
    real = _compute_features(sets["held_out"], lengths[_to_array(metre)])
    compared = {
        "samples": _compute_features(sets["samples"], lengths[_to_array(metre)]),
        "ceiling": _compute_features(ceiling, lengths[_to_array(metre)]),
        "floor": _compute_features(
            _shuffle_steps(sets["held_out"], _to_array(metre), generator), lengths[_to_array(metre)]
        ),
    }
    report["overlap"] = {
        feature: {
            name: _compute_overlap(values[feature], real[feature])
            for name, values in compared.items()
        }
        for feature in real
    }
    return report


def feature_overlaps(
    tokens: Tensor,
    metre: Tensor,
    real_tokens: Tensor,
    real_metre: Tensor,
    shape: DataShape,
) -> dict[str, float]:
    """Overlap, 0..1, of windows ``(N, T)`` in metres ``(N,)`` with real ones, by feature."""
    lengths = lengths_by_metre(shape).numpy()
    ours, real = (
        _compute_features(_to_array(windows), lengths[_to_array(classes)])
        for windows, classes in ((tokens, metre), (real_tokens, real_metre))
    )
    return {feature: _compute_overlap(ours[feature], real[feature]) for feature in real}


def _to_array(tensor: Tensor) -> Array:
    return tensor.to(torch.int64).numpy()


def _list_sequences(tokens: Array) -> list[bytes]:
    """All sequences of ``SEQUENCE`` notes, as intervals in semitones and steps between onsets."""
    sequences: list[bytes] = []
    for row in tokens:
        places = np.flatnonzero(row >= FIRST_ONSET)
        moves = np.stack([np.diff(row[places]), np.diff(places)], 1).astype(np.int8)
        last = len(moves) - SEQUENCE + 2
        sequences += [moves[start : start + SEQUENCE - 1].tobytes() for start in range(last)]
    return sequences


def _fingerprint(tokens: Array, metre: Array) -> list[bytes]:
    """Bytes of each window, relative to its first onset, after its metre."""
    onsets = tokens >= FIRST_ONSET
    first = np.where(onsets.any(1), tokens[np.arange(len(tokens)), onsets.argmax(1)], 0)
    relative = np.where(onsets, tokens - first[:, None] + 128, tokens).astype(np.uint8)
    return [bytes([number]) + row.tobytes() for number, row in zip(metre, relative, strict=True)]


def _compute_share(items: list[bytes], known: set[bytes]) -> float:
    return sum(item in known for item in items) / max(len(items), 1)


def draw_in_metres(
    tokens: Array, metre: Array, target_metres: Array, generator: np.random.Generator
) -> Array:
    """Sample windows from a set, in the target metres."""
    rows = np.zeros(len(target_metres), np.int64)
    for number in np.unique(target_metres):
        places = np.flatnonzero(metre == number)
        needed = target_metres == number
        if len(places):
            rows[needed] = generator.choice(places, int(needed.sum()), replace=True)
    return tokens[rows]


def _shuffle_steps(tokens: Array, metre: Array, generator: np.random.Generator) -> Array:
    dealt = tokens.copy()
    for number in np.unique(metre):
        rows = np.flatnonzero(metre == number)
        dealt[rows] = generator.permuted(tokens[rows], axis=0)
    return dealt


def _compute_features(tokens: Array, lengths: Array) -> dict[str, Array]:
    """Values of each feature, one per window with two notes or more."""
    names = (
        "notes",
        "pitch_range",
        "different_pitches",
        "mean_interval",
        "largest_leap",
        "steps_share",
        "repeats_share",
        "off_beat_share",
        "mean_duration",
    )
    rows = []
    for row, length in zip(tokens, lengths, strict=True):
        places = np.flatnonzero(row[:length] >= FIRST_ONSET)
        if len(places) < 2:
            continue
        pitches = row[places]
        leaps = np.abs(np.diff(pitches))
        events = np.append(np.flatnonzero(row[:length] != HOLD), length)
        durations = events[np.searchsorted(events, places, side="right")] - places
        rows.append(
            (
                len(places),
                int(np.ptp(pitches)),
                len(np.unique(pitches)),
                leaps.mean(),
                leaps.max(),
                (np.isin(leaps, (1, 2))).mean(),
                (leaps == 0).mean(),
                (places % 4 != 0).mean(),
                durations.mean(),
            )
        )
    columns = np.array(rows, np.float64).reshape(-1, len(names)).T
    return dict(zip(names, columns, strict=True))


def _compute_overlap(a: Array, b: Array) -> float:
    """Common area of two histograms of 20 equal bins, 0..1."""
    if not len(a) or not len(b):
        return 0.0
    low, high = min(a.min(), b.min()), max(a.max(), b.max())
    edges = np.linspace(low, high + 1e-9, 21)
    first, second = (np.histogram(values, edges)[0] / len(values) for values in (a, b))
    return float(np.minimum(first, second).sum())
