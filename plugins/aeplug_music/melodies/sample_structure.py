"""Whether samples repeat themselves as real windows do.

Distance of their bar-level self-similarity profiles (:mod:`aeplug_music.melodies.structure`) from
those of held-out windows, with a ceiling (other real windows) and a floor (what a model of two bars
can reach: two-bar pieces of held-out windows in random order, transposed to the key of the row).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from aeplug.interfaces import DataShape
from aeplug_music.melodies.structure import MEASURES, profile_distance, self_similarities
from aeplug_music.nets.reference_pitch import estimate_reference, to_absolute, to_relative
from aeplug_music.nets.window_shape import count_bars, lengths_by_metre

#: Bars of a piece in the floor.
PIECE = 2
SEED = 11

Array = npt.NDArray[Any]


def compare_structure(
    samples: Tensor, held_out: Tensor, other: Tensor, metre: Tensor, shape: DataShape
) -> dict[str, dict[str, float]]:
    """Distances of profiles from those of held-out windows; 0: equal.

    Args:
        samples: in the metres of the held-out windows, int64 ``(N, T)``.
        held_out: ``(N, T)``.
        other: further real windows in these metres, ``(N, T)``.
        metre: ``(N,)``.
        shape: of the windows.

    Returns:
        Measure -> ``samples``, ``ceiling``, ``floor``.
    """
    bars = count_bars(shape)
    lengths = lengths_by_metre(shape)[metre]
    sets = {
        "held_out": held_out,
        "samples": samples,
        "ceiling": other,
        "floor": shuffle_pieces(held_out, metre, lengths // bars, bars),
    }
    profiles = {
        name: self_similarities(
            tokens.to(torch.uint8).numpy(), (lengths // bars).numpy(), lengths.numpy(), bars - 1
        )
        for name, tokens in sets.items()
    }
    real = profiles.pop("held_out")
    return {
        measure: {
            name: profile_distance(profile[measure], real[measure])
            for name, profile in profiles.items()
        }
        for measure in MEASURES
    }


def shuffle_pieces(tokens: Tensor, metre: Tensor, bar: Tensor, bars: int) -> Tensor:
    """Compose windows of two-bar pieces of random windows of the metre, in the row's key."""
    generator = np.random.default_rng(SEED)
    reference = estimate_reference(tokens)
    plain = to_relative(tokens, reference)
    steps = torch.arange(tokens.shape[1])
    shuffled = torch.zeros_like(tokens)
    for number in metre.unique().tolist():
        rows = np.flatnonzero((metre == number).numpy())
        piece = PIECE * int(bar[rows[0]])
        for place in range(-(-bars // PIECE)):
            own = (steps >= place * piece) & (steps < (place + 1) * piece)
            source = torch.from_numpy(generator.permutation(rows))
            shuffled[rows] = torch.where(own, plain[source], shuffled[rows])
    return to_absolute(shuffled, reference)
