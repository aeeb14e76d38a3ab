"""Windows relative to a reference pitch: what is the same tune in every key looks the same.

The reference is the tonic that fits the window's pitch classes best, in the octave below the
melody's middle. It is a function of the window alone, and a window is given by its reference and
its relative tokens, so nothing is lost: a model that codes both codes the window. Estimating a
wrong tonic costs nothing but a little of the likeness.
"""

from __future__ import annotations

import torch
from torch import Tensor

from aeplug_music.score.tokens import CLASSES, FIRST_ONSET, PITCH_OFFSET

#: How well a pitch class fits a tonic, by semitones above it: found by trial on folk tunes, in
#: the spirit of the key profiles of Krumhansl (1990); major and minor share one.
PROFILE = (1.25, -0.2, 1.0, -0.1, 1.1, 0.85, -0.15, 1.2, -0.15, 1.0, 0.05, 0.7)
#: Reference pitches are MIDI pitches below this.
REFERENCES = 128
#: Onset class that a note at the reference pitch gets.
CENTRE = 60

_FIT = torch.tensor([[PROFILE[(pc - tonic) % 12] for tonic in range(12)] for pc in range(12)])


def estimate_reference(tokens: Tensor) -> Tensor:
    """Tonic of each window in the octave below its mean: int64 ``(B,)`` MIDI pitches.

    Args:
        tokens: int64 ``(B, T)`` of the vocabulary.
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
    """Onset classes moved so that the reference becomes ``CENTRE``; the rest as it is."""
    return _shift_onsets(tokens, CENTRE - reference)


def to_absolute(tokens: Tensor, reference: Tensor) -> Tensor:
    """The inverse of :func:`to_relative`; pitches beyond the vocabulary become its ends."""
    return _shift_onsets(tokens, reference - CENTRE)


def _shift_onsets(tokens: Tensor, by: Tensor) -> Tensor:
    onsets = tokens >= FIRST_ONSET
    shifted = (tokens + by.unsqueeze(1)).clamp(FIRST_ONSET, CLASSES - 1)
    return torch.where(onsets, shifted, tokens)
