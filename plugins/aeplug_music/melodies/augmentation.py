"""Augmentation of melodies: transposition, change of mode, altered notes, other continuations.

Sampled for every window and epoch, on the device. The result is both input and target: nothing is
corrupted, the data set is enlarged.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from aeplug_music.nets.reference_pitch import estimate_reference, to_absolute, to_relative
from aeplug_music.score.tokens import CLASSES, FIRST_ONSET, PITCH_OFFSET

_MAJOR = (0, 2, 4, 5, 7, 9, 11)
_LARGEST_DEGREES = 3

#: Share of the notes that move in an altered window.
ALTERED_NOTES = 0.15


@dataclass(frozen=True)
class Chances:
    """Probability of each augmentation, per window.

    Attributes:
        chromatic: transposed by -6 to 5 semitones.
        diatonic: moved by -3 to 3 degrees of its scale, which changes the mode.
        altered: each note moved by 1 or 2 degrees with probability ``ALTERED_NOTES``.
        recombined: continued after one of its bars with another window of its metre, in its key.
    """

    chromatic: float
    diatonic: float
    altered: float
    recombined: float


def augment(
    tokens: Tensor,
    metre: Tensor,
    bar: Tensor,
    bars: int,
    chances: Chances,
    generator: torch.Generator,
) -> Tensor:
    """Apply random augmentations to windows.

    Args:
        tokens: int64 ``(B, T)``.
        metre: number of each window's metre, int64 ``(B,)``.
        bar: steps of each window's bar, int64 ``(B,)``.
        bars: per window.
        chances: probabilities.
        generator: on the tokens' device.
    """
    count, device = len(tokens), tokens.device

    def happens(probability: float) -> Tensor:
        return torch.rand(count, device=device, generator=generator) < probability

    def integers(low: int, high: int, shape: tuple[int, ...]) -> Tensor:
        return torch.randint(low, high, shape, device=device, generator=generator)

    if chances.recombined:
        shuffle = torch.rand(count, device=device, generator=generator)
        own_steps = bar * (1 + integers(0, max(bars - 1, 1), (count,)))
        tokens = recombine(tokens, metre, own_steps, happens(chances.recombined), shuffle)
    if chances.altered:
        shape = (count, tokens.shape[1])
        which = torch.rand(shape, device=device, generator=generator) < ALTERED_NOTES
        which &= happens(chances.altered).unsqueeze(1)
        by = integers(1, 3, shape) * (2 * integers(0, 2, shape) - 1)
        tokens = move_by_degrees(tokens, by * which)
    if chances.diatonic:
        degrees = integers(-_LARGEST_DEGREES, _LARGEST_DEGREES + 1, (count,))
        tokens = move_by_degrees(tokens, (degrees * happens(chances.diatonic)).unsqueeze(1))
    if chances.chromatic:
        tokens = transpose(tokens, integers(-6, 6, (count,)) * happens(chances.chromatic))
    return tokens


def transpose(tokens: Tensor, semitones: Tensor) -> Tensor:
    """Transpose each window by its number of semitones, unless a note would leave the vocabulary.

    Args:
        tokens: int64 ``(B, T)``.
        semitones: int64 ``(B,)``.
    """
    onsets = tokens >= FIRST_ONSET
    return _keep_inside(tokens, torch.where(onsets, tokens + semitones.unsqueeze(1), tokens))


def move_by_degrees(tokens: Tensor, degrees: Tensor) -> Tensor:
    """Move notes along the scale of the window's tonic, unless one would leave the vocabulary.

    Args:
        tokens: int64 ``(B, T)``.
        degrees: int64 in -3..3, ``(B, 1)`` for all notes of a window or ``(B, T)`` for each.
    """
    onsets = tokens >= FIRST_ONSET
    tonic = estimate_reference(tokens).unsqueeze(1)
    intervals = torch.where(onsets, tokens + PITCH_OFFSET - tonic, 0)
    moved = _DEGREES.to(tokens.device)[degrees + _LARGEST_DEGREES, intervals + 128]
    return _keep_inside(tokens, torch.where(onsets, moved + tonic - PITCH_OFFSET, tokens))


def recombine(
    tokens: Tensor, metre: Tensor, own_steps: Tensor, chosen: Tensor, shuffle: Tensor
) -> Tensor:
    """Continue chosen windows, after their first steps, with another window of the same metre.

    Args:
        tokens: int64 ``(B, T)``.
        metre: int64 ``(B,)``.
        own_steps: steps that a window keeps of its own, int64 ``(B,)``.
        chosen: bool ``(B,)``.
        shuffle: random numbers in 0..1, ``(B,)``, that determine the pairs.
    """
    order = (metre + shuffle).argsort()
    partner = torch.empty_like(order).scatter_(0, order, order.roll(1))
    reference = estimate_reference(tokens)
    other = to_absolute(to_relative(tokens[partner], reference[partner]), reference)
    later = torch.arange(tokens.shape[1], device=tokens.device) >= own_steps.unsqueeze(1)
    use = (chosen & (metre[partner] == metre)).unsqueeze(1) & later
    return torch.where(use, other, tokens)


def _keep_inside(before: Tensor, after: Tensor) -> Tensor:
    onsets = before >= FIRST_ONSET
    outside = (onsets & ((after < FIRST_ONSET) | (after >= CLASSES))).any(1, keepdim=True)
    return torch.where(outside, before, after)


def _make_degree_table() -> Tensor:
    """``[degrees + 3, interval + 128]`` -> interval moved by degrees within the major scale.

    A note between two degrees keeps its distance from the lower degree.
    """
    table = torch.zeros(2 * _LARGEST_DEGREES + 1, 256, dtype=torch.long)
    for row in range(len(table)):
        for column in range(256):
            octave, above = divmod(column - 128, 12)
            degree = max(number for number, pitch in enumerate(_MAJOR) if pitch <= above)
            octaves, new_degree = divmod(degree + row - _LARGEST_DEGREES, 7)
            table[row, column] = (
                12 * (octave + octaves) + _MAJOR[new_degree] + above - _MAJOR[degree]
            )
    return table


_DEGREES = _make_degree_table()
