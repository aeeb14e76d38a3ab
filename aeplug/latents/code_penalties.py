"""Penalties on a plain code: sparse, or contractive (slow to change with the input)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from aeplug.config import PartConfig, setting


class CodePenaltyConfig(PartConfig):
    """Settings of the penalties; weights of 0 are off."""

    sparse: float = setting(
        0.0, "weight of the code's sparsity penalty: L1 norm, or see sparse_share", ge=0
    )
    sparse_share: float = setting(
        0.0,
        "0: L1 norm; else the target share of items for which a dimension's sigmoid is on (Ng, "
        "CS294A, 2011)",
        ge=0,
        lt=1,
    )
    contractive: float = setting(
        0.0,
        "weight of the squared Frobenius norm of the code's Jacobian by the input (Rifai et al., "
        "ICML 2011), by one random projection; not with train.compile",
        ge=0,
    )


def sparsity(z: Tensor, share: float) -> Tensor:
    """Of codes ``(B, D)``, 0-d: the mean L1 norm; with a share rho the KL of rho to each dimension.

    The KL is that of Bernoulli variables, from rho to the batch's mean of ``sigmoid(z)``, in nats,
    summed over dimensions.
    """
    if share == 0:
        return z.abs().flatten(1).sum(1).mean()
    z = z.float()
    log_on = torch.logsumexp(functional.logsigmoid(z), 0)
    log_off = torch.logsumexp(functional.logsigmoid(-z), 0)
    count = torch.tensor(float(len(z)), device=z.device).log()
    rho = torch.tensor(share, device=z.device)
    kl = rho * (rho.log() - log_on + count) + (1 - rho) * ((1 - rho).log() - log_off + count)
    return kl.sum()


def contraction(z: Tensor, input: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """An unbiased estimate of the mean squared Frobenius norm of dz/dinput, 0-d.

    For v of N(0, I) the expectation of ``|v J|^2`` is ``|J|^2``: one product per batch, whatever
    the number of dimensions. Items must not look at each other (no batch normalisation).

    Args:
        z: codes ``(B, D)``, with a graph to the input.
        input: ``(B, ...)``.
        generator: source of v.
    """
    with torch.enable_grad():
        direction = torch.empty_like(z).normal_(generator=generator)
        (slope,) = torch.autograd.grad(z, input, direction, create_graph=True)
        return slope.float().flatten(1).square().sum(1).mean()
