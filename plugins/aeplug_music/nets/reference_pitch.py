"""Windows relative to a reference pitch, so that a tune looks the same in every key.

The reference is the tonic that fits the window's pitch classes best, in the octave below the
melody's middle. It is a function of the window alone, and reference and relative tokens together
determine the window: a model of both is a model of the window. A wrongly estimated tonic only makes
equal tunes look less alike.
"""

from __future__ import annotations

import torch
from torch import Tensor

from aeplug_music.score.tokens import CLASSES, FIRST_ONSET, PITCH_OFFSET

#: Key profile by semitones above the tonic, for major and minor alike: tuned on folk tunes, in the
#: spirit of Krumhansl (1990).
PROFILE = (1.25, -0.2, 1.0, -0.1, 1.1, 0.85, -0.15, 1.2, -0.15, 1.0, 0.05, 0.7)
#: Number of reference pitches, MIDI numbers from 0.
REFERENCES = 128
#: Onset token of a note at the reference pitch.
CENTRE = 60

_FIT = torch.tensor([[PROFILE[(pc - tonic) % 12] for tonic in range(12)] for pc in range(12)])


def estimate_reference(tokens: Tensor) -> Tensor:
    """Estimate each window's tonic, in the octave below its mean: MIDI pitches, int64 ``(B,)``.

    Args:
        tokens: int64 ``(B, T)``.
    """
    onsets = tokens >= FIRST_ONSET
    pitches = torch.where(onsets, tokens + PITCH_OFFSET, 0)
    histogram = torch.zeros(len(tokens), 12, device=tokens.device)
    histogram.scatter_add_(1, pitches % 12, onsets.float())
    tonic = (histogram @ _FIT.to(tokens.device)).argmax(1)
    mean = (pitches * onsets).sum(1) / onsets.sum(1).clamp(min=1)
    octave = torch.floor((mean + 3 - tonic) / 12).long()
    return (tonic + 12 * octave).clamp(0, REFERENCES - 1)


def to_relative(tokens: Tensor, reference: Tensor) -> Tensor:
    """Shift onset tokens so that the reference becomes ``CENTRE``."""
    return _shift_onsets(tokens, CENTRE - reference)


def to_absolute(tokens: Tensor, reference: Tensor) -> Tensor:
    """Invert :func:`to_relative`; pitches beyond the vocabulary are clamped to it."""
    return _shift_onsets(tokens, reference - CENTRE)


def _shift_onsets(tokens: Tensor, by: Tensor) -> Tensor:
    onsets = tokens >= FIRST_ONSET
    shifted = (tokens + by.unsqueeze(1)).clamp(FIRST_ONSET, CLASSES - 1)
    return torch.where(onsets, shifted, tokens)
