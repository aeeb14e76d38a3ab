"""How far two windows of drums are apart: their hits, and in performances how they are played."""

from __future__ import annotations

import torch
from torch import Tensor

from aeplug_music.drums.kit import DRUMS, MAX_VELOCITY, OFFSETS, SNARE
from aeplug_music.drums.prepare import scale_values
from aeplug_music.drums.window_shape import (
    RHYTHM,
    VALUES,
    bits_to_combination,
    combination_to_bits,
)

#: What a difference of the whole range of velocities costs of a hit, and one of a step in time.
VELOCITY_SHARE, TIMING_SHARE = 0.5, 0.5


def measure_distance(pieces: Tensor, others: Tensor) -> Tensor:
    """1 - F1 of the hits; in performances a hit in both counts less, the less alike it is played.

    A difference of the whole range of velocities costs half of a hit, one of a whole step half.

    Args:
        pieces: combinations int64 ``(P, T)``, or values ``(P, T, 27)``.
        others: the same.

    Returns:
        float32 ``(P,)``: 0 for equal windows, 1 without a common hit; two silent ones are equal.
    """
    hits, other_hits = (read_hits(each) for each in (pieces, others))
    alike = hits * other_hits
    if pieces.is_floating_point():
        difference = (pieces - others)[..., DRUMS:VALUES].float().abs().clamp(max=1)
        velocity, offset = difference.split(DRUMS, -1)
        alike = alike * (1 - VELOCITY_SHARE * velocity - TIMING_SHARE * offset)
    counts = (hits + other_hits).flatten(1).sum(1)
    similarity = 2 * alike.flatten(1).sum(1) / counts.clamp(min=1)
    return torch.where(counts > 0, 1 - similarity, 0.0).clamp(0, 1).float()


def read_hits(pieces: Tensor) -> Tensor:
    """Hits of combinations ``(P, T)`` or values ``(P, T, 27)``: float32 ``(P, T, 9)``, 0 or 1."""
    if pieces.is_floating_point():
        return (pieces[..., :DRUMS] > 0.5).float()
    return combination_to_bits(pieces)


def stored_to_pieces(raw: dict[str, Tensor], form: str, *, played: bool) -> Tensor:
    """Columns of a file's windows in the form that decoders give.

    Args:
        raw: ``velocity`` and ``offset`` ``(P, T, 9)``, and ``taps`` ``(P, T, 2)``.
        form: what of the file is taken; of a rhythm the taps are hits of the snare.
        played: values with velocity and timing ``(P, T, 27)``, else combinations ``(P, T)``.
    """
    velocity, offset = raw["velocity"].float(), raw["offset"].float()
    if form == RHYTHM:
        tapped = torch.arange(DRUMS, device=velocity.device) == SNARE
        velocity, offset = (tap[..., None] * tapped for tap in raw["taps"].float().unbind(-1))
    hits = (velocity > 0).float()
    if not played:
        return bits_to_combination(hits)
    velocity = velocity.clamp(max=MAX_VELOCITY)
    offset = offset.clamp(-OFFSETS // 2, OFFSETS // 2 - 1) * hits
    return scale_values(torch.stack([hits, velocity, offset], -1))
