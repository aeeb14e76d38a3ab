"""Windows relative to a reference pitch, so that a tune looks the same in every key.

The reference is the tonic that fits the window's pitch classes best, in the octave below the
melody's middle. It is a function of the window alone, and reference and relative tokens together
determine the window: a model of both is a model of the window. A wrongly estimated tonic only makes
equal tunes look less alike.
"""

from __future__ import annotations

import math

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

#: Shares of intervals above the reference among the notes of folk tunes: by pitch class, times a
#: bell of this middle and deviation, semitones. For how well a reference suits constraints.
SHARES = (0.235, 0.002, 0.143, 0.001, 0.182, 0.096, 0.002, 0.166, 0.001, 0.101, 0.003, 0.068)
_MIDDLE, _DEVIATION = 3.0, 4.8

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


def shift_bias(bias: Tensor, reference: Tensor) -> Tensor:
    """Bias on absolute tokens ``(1 or B, T, classes)`` -> on those relative to references ``(B,)``.

    A relative token has the bias of the absolute one that it becomes: ``(B, T, classes)``.
    """
    tokens = torch.arange(bias.shape[2], device=bias.device).expand(len(reference), -1)
    absolute = to_absolute(tokens, reference).unsqueeze(1)
    bias = bias.expand(len(reference), -1, -1)
    return bias.gather(2, absolute.expand(-1, bias.shape[1], -1))


def bias_reference(bias: Tensor, notes: int) -> Tensor:
    """Bias on reference pitches that follows from one on absolute tokens: ``(1 or B, 128)``.

    The log-probability that ``notes`` independent notes, at the usual intervals above a reference,
    are all allowed; a bias that is neither 0 nor -inf counts as the share of them that are. So a
    window is moved as a whole into its key and range where that is enough, rather than bent there.

    Args:
        bias: ``(1 or B, T, classes)``, an onset that is not forbidden at every step.
        notes: of a window.
    """
    onsets = bias[..., FIRST_ONSET:]
    allowed = (onsets - onsets.amax((1, 2), keepdim=True)).exp().mean(1)
    pitches = torch.arange(allowed.shape[1], device=bias.device) + FIRST_ONSET + PITCH_OFFSET
    interval = pitches - torch.arange(REFERENCES, device=bias.device).unsqueeze(1)  # (128, pitches)
    share = torch.tensor(SHARES, device=bias.device)[interval % 12]
    share = share * torch.exp(-0.5 * ((interval - _MIDDLE) / _DEVIATION).square())
    # Beyond the lowest and highest pitch there is nothing: a reference there counts for less.
    whole = torch.tensor(SHARES).sum() * _DEVIATION * math.sqrt(2 * math.pi) / 12
    return notes * (allowed @ share.T / float(whole)).clamp(max=1).log()


def _shift_onsets(tokens: Tensor, by: Tensor) -> Tensor:
    onsets = tokens >= FIRST_ONSET
    shifted = (tokens + by.unsqueeze(1)).clamp(FIRST_ONSET, CLASSES - 1)
    return torch.where(onsets, shifted, tokens)
