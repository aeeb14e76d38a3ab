"""What knows nothing of the pieces before, fitted to the same documents, to compare with."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from aeplug.priors import fit_gaussian_mixture
from aeplug_priors.sequence.documents import LONGEST, NOISE, Sequences
from aeplug_priors.sequence.network import SequenceNetwork

#: Most components of the order-free mixture that the density is compared with.
BASELINE_COMPONENTS = 16


def measure_baselines(
    network: SequenceNetwork, data: list[Sequences], held_out: Sequences, seed: int
) -> dict[str, float]:
    """What knows nothing of the pieces before, fitted to the same: how far back, and a mixture.

    Returns:
        ``lag_choice_nats``, ``lag_choice_right``: of the share of pieces that return, and how far
        back they were last; ``mixture_density_nats``: of Gaussians with full covariances.
    """
    share, lags = _count_lags(network, data[0])
    nats, right, pieces = 0.0, 0, 0
    best = int(lags.argmax())
    for again, equal in _iter_returns(network, held_out):
        place = torch.arange(len(again))
        for t in place.tolist():
            pieces += 1
            chances = lags[1 : t + 1].flip(0) / lags[1 : t + 1].sum() if t else lags[:0]
            if again[t]:
                nats -= math.log(max(share * float(chances[equal[t, :t]].sum()), 1e-9))
                right += share > 0.5 and t >= best and bool(equal[t, t - best])
            else:
                nats -= math.log(1 - share if t else 1.0)
                right += share <= 0.5 or t < best
    generator = torch.Generator().manual_seed(seed)
    fresh, judged = (
        _draw_new_pieces(network, sequences, generator) for sequences in (data[0], held_out)
    )
    components = max(1, min(BASELINE_COMPONENTS, len(fresh) // (20 * fresh.shape[1])))
    mixture = fit_gaussian_mixture(fresh, components, seed=seed)
    return {
        "lag_choice_nats": nats / max(pieces, 1),
        "lag_choice_right": right / max(pieces, 1),
        "mixture_density_nats": float(mixture.log_prob(judged).mean()),
    }


def _iter_returns(
    network: SequenceNetwork, sequences: Sequences
) -> Iterator[tuple[Tensor, Tensor]]:
    """Of each document which pieces were there before, ``(L,)``, and as which, ``(L, L)``."""
    for number in range(len(sequences)):
        documents = sequences.pad(torch.tensor([number], device=sequences.counts.device))
        equal = network.find_equal_pieces(documents.mean)[0].cpu().tril(-1)
        yield equal.any(-1), equal


def _count_lags(network: SequenceNetwork, sequences: Sequences) -> tuple[float, Tensor]:
    """Share of pieces that return, and of how many back they were last; place 0 is none."""
    length = LONGEST + 1
    counts, pieces, returns = torch.full((length,), 0.01), 0, 0
    for again, equal in _iter_returns(network, sequences):
        pieces, returns = pieces + len(again), returns + int(again.sum())
        places = torch.arange(len(again))
        last = (equal * (1 + places)).max(-1).values - 1
        counts += torch.bincount((places - last)[again], minlength=length)
    counts[0] = 0.0
    return min(max(returns / max(pieces, 1), 1e-3), 1 - 1e-3), counts / counts.sum()


def _draw_new_pieces(
    network: SequenceNetwork, sequences: Sequences, generator: torch.Generator
) -> Tensor:
    """Pieces that were not there before, with the noise that the density is of, ``(n, D)``."""
    new = torch.cat([~again for again, _ in _iter_returns(network, sequences)])
    mean, noise = sequences.mean[new].cpu(), sequences.noise[new].cpu()
    return mean + NOISE * noise * torch.empty_like(mean).normal_(generator=generator)
