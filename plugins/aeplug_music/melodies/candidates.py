"""How windows of melody go on and end: weights of candidates, matched to real tunes.

A decoder sees one window, and a prior over windows their latents: neither hears by what interval a
window follows the one before, nor whether the last ends where the tune is at home. Real tunes leap
by more than nine semitones over 8 % of the edges of two-bar windows, and 74 % end on their tonic
(``benchmarks/tune_form.py``). So a share of tunes is drawn under the condition that they end on it;
the others, and all that is not concerned, stay as the model has them. Nothing is forced: where the
model gives no candidate that ends so, it ends otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from aeplug_music.score.keys import estimate_tonics, weigh_pitch_classes
from aeplug_music.score.tokens import FIRST_ONSET, PITCH_OFFSET, Steps, Tokens

#: Semitones, above which a move over an edge is a leap, and how often one is kept.
LEAP, LEAPS_KEPT = 9, 0.45
#: Share of tunes, and of windows that stand alone, drawn under the condition that they end on the
#: tonic: as many as make samples end so as often as real tunes do.
ENDING_TUNES, ENDING_WINDOWS = 0.5, 0.65
#: Bars, from which on a window that stands alone is a tune that ends; candidates drawn for one.
LEAST_BARS, ITEM_CANDIDATES = 8, 6

Floats = npt.NDArray[np.float32]
#: Below this share of the candidates there is nothing to draw from.
_NOTHING = 1e-4


class CandidateWindows:
    """How windows are weighed, for the codec of melodies; see
    :class:`aeplug.interfaces.CandidateCodec`.

    Attributes:
        bars: of a window.
    """

    bars: int

    def _lengths_of(self, pieces: Tensor, cond: Mapping[str, Tensor]) -> Steps:
        raise NotImplementedError

    @property
    def item_candidates(self) -> int:
        """Windows that are drawn where one alone is a tune that ends; else 1."""
        return ITEM_CANDIDATES if self.bars >= LEAST_BARS else 1

    def weigh_candidates(
        self,
        before: Tensor,
        candidates: Tensor,
        logits: Tensor,
        cond: Mapping[str, Tensor],
        last: bool,
    ) -> Tensor:
        """Log-weights of windows by how they go on and end, float32 ``(C,)``."""
        rows, choices = (each.cpu().to(torch.uint8).numpy() for each in (before, candidates))
        lengths = self._lengths_of(torch.zeros(len(rows) + 1), cond)
        tune = [row[:length] for row, length in zip(rows, lengths[:-1], strict=True)]
        so_far = np.concatenate([np.zeros(0, np.uint8), *tune])
        choices = choices[:, : lengths[-1]]
        weights = weigh_leaps(so_far, choices, logits.float().cpu().numpy())
        if last and (len(before) or self.bars >= LEAST_BARS):
            share = ENDING_TUNES if len(before) else ENDING_WINDOWS
            weights = weigh_endings(so_far, choices, weights, share)
        return torch.from_numpy(weights).to(logits.device)


def weigh_leaps(before: Tokens, candidates: Tokens, logits: Floats) -> Floats:
    """Log-weights ``(C,)`` with large leaps from what is there to a candidate made rarer.

    Args:
        before: tokens so far, ``(S,)``.
        candidates: ``(C, T)``.
        logits: the model's own log-weights, ``(C,)``.
    """
    onsets = before[before >= FIRST_ONSET]
    if not len(onsets):
        return logits
    first = np.take_along_axis(candidates, (candidates >= FIRST_ONSET).argmax(1)[:, None], axis=1)[
        :, 0
    ].astype(np.int64)
    leaps = (first >= FIRST_ONSET) & (np.abs(first - int(onsets[-1])) > LEAP)
    return (logits + np.where(leaps, np.log(LEAPS_KEPT), 0)).astype(np.float32)


def weigh_endings(before: Tokens, candidates: Tokens, logits: Floats, share: float) -> Floats:
    """Log-weights ``(C,)``, by which the tune ends on its tonic in a share of draws at least.

    The tonic is that of the tune with the candidate, so that it is estimated of what will be heard.

    Args:
        before: tokens so far, ``(S,)``.
        candidates: of windows with all of their steps, ``(C, T)``.
        logits: the model's own log-weights, ``(C,)``.
        share: of draws under the condition; the others are the model's own.
    """
    weights = np.stack([weigh_pitch_classes(np.append(before, tokens)) for tokens in candidates])
    sounding = np.where(candidates >= FIRST_ONSET, np.arange(candidates.shape[1]), -1).max(1)
    final = candidates[np.arange(len(candidates)), sounding.clip(0)].astype(np.int64)
    home = (sounding >= 0) & ((final + PITCH_OFFSET) % 12 == estimate_tonics(weights))
    chances = np.exp(logits - logits.max())
    chances = chances / chances.sum()
    there = float(chances[home].sum())
    if not _NOTHING < there < 1 - _NOTHING:
        return logits
    wanted = share + (1 - share) * there
    factors = np.where(home, wanted / there, (1 - wanted) / (1 - there))
    return (logits + np.log(factors)).astype(np.float32)
