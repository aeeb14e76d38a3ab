"""What a step of a decoder sees of its past: how long it has repeated itself, and noise in it.

**Agreement.** A decoder that sees the token of a bar ago knows what a repetition would put next,
but not whether the music is repeating. The length of the agreement tells it: a step or two mean
nothing, a bar says that a section has returned.

**Noise.** With teacher forcing a decoder learns to trust the steps before its own more than its
latent; when it generates from its own steps, one error brings the next. So in training a share of
the past is taken from other windows: word dropout (Bowman et al., CoNLL 2016) with a plausible
token in place of a blank.
"""

from __future__ import annotations

import torch
from torch import Tensor

#: Bars back that a step looks: distances at which music repeats.
BARS_BACK = (1, 2, 4, 8)
#: Classes of agreement: 0, 1-2, 3-6, 7-14, 15-30, more steps; and one before the beginning.
AGREEMENTS = 7
_LONGEST = 31


def bars_back(bars: int) -> tuple[int, ...]:
    """Bars back that a step in a window of ``bars`` bars looks, of ``BARS_BACK``."""
    return tuple(by for by in BARS_BACK if by < bars) or (1,)


def agreement(before: Tensor, lags: Tensor) -> Tensor:
    """Classes of how long the past of each step has equalled that of L lags: int64 ``(B, S, L)``.

    Args:
        before: int64 ``(B, S)``; at s the token of step s - 1, at 0 any value.
        lags: in steps, int64 ``(B, L)``.
    """
    count, steps = before.shape
    places = torch.arange(steps, device=before.device)
    classes = []
    for lag in lags.unbind(1):
        ago = (places.unsqueeze(0) - lag.unsqueeze(1)).expand(count, steps)
        exists = ago >= 1
        same = exists & (before == before.gather(1, ago.clamp(min=0)))
        # Steps since the last difference.
        run = places - torch.where(same, -1, places).cummax(1).values
        classes.append(torch.where(exists, _class_of(run), AGREEMENTS - 1))
    return torch.stack(classes, 2)


class Agreement:
    """The last row of :func:`agreement`, updated step by step.

    Args:
        lags: in steps, int64 ``(B, L)``.
    """

    def __init__(self, lags: Tensor) -> None:
        self._lags = lags
        self._run = torch.zeros_like(lags)
        self._steps = 0

    def classes(self) -> Tensor:
        """Classes of agreement for the next step, int64 ``(B, 1, L)``."""
        exists = self._steps > self._lags
        return torch.where(exists, _class_of(self._run), AGREEMENTS - 1).unsqueeze(1)

    def add(self, same: Tensor) -> None:
        """Add whether the next token equals that of each lag, bool ``(B, L)``."""
        same = same & (self._steps >= self._lags)
        self._run = torch.where(same, self._run + 1, 0)
        self._steps += 1


def _class_of(run: Tensor) -> Tensor:
    return (run.clamp(max=_LONGEST) + 1).float().log2().floor().long()


def corrupt_history(past: Tensor, share: float) -> Tensor:
    """Replace a share of the values by those of another window of the batch at the same step.

    Args:
        past: ``(B, T)``, or ``(B, T, parts, ...)`` whose parts are replaced as a whole; any dtype.
        share: of the parts, on average; each window's own share is drawn from 0 to twice as much.
    """
    parts = past.shape[:3]
    rate = 2 * share * torch.rand(len(past), *(1,) * (len(parts) - 1), device=past.device)
    wrong = torch.rand(parts, device=past.device) < rate
    wrong = wrong.reshape(*parts, *(1,) * (past.dim() - len(parts)))
    return torch.where(wrong, past[torch.randperm(len(past), device=past.device)], past)
