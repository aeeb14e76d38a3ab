"""A model whose marginal likelihood is known exactly."""

from __future__ import annotations

import math

import torch
from torch import nn

from aeplug.latents.gaussian import GaussianPosterior

#: Columns at right angles: the posterior of z then has a diagonal covariance.
MIX = torch.tensor([[1.0, 1.0], [1.0, -1.0], [0.5, 0.5], [-0.5, 0.5]])
SIGMA = 0.6


class LinearGaussian(nn.Module):
    """p(z) = N(0, 1), p(x|z) = N(MIX z, SIGMA^2), and q the posterior, moved and widened."""

    latent_shape = (2,)
    has_prior = True

    def __init__(self, off: float = 0.0, wider: float = 1.0) -> None:
        super().__init__()
        self.off, self.wider = off, wider
        self.precision = 1 + MIX.square().sum(0) / SIGMA**2

    def forward(self, x: torch.Tensor) -> GaussianPosterior:
        mean = x @ MIX / SIGMA**2 / self.precision
        logvar = (-self.precision.log() + 2 * math.log(self.wider)).expand_as(mean)
        return GaussianPosterior(mean + self.off, logvar)

    def log_prior(self, z: torch.Tensor) -> torch.Tensor:
        return torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)

    def prior(self, count, scale, generator):
        return torch.randn(count, 2, generator=generator) * scale

    def divergence(self) -> float:
        """KL from q to the true posterior."""
        moved = self.off**2 * self.precision
        per = 0.5 * (self.wider**2 + moved - 1 - 2 * math.log(self.wider))
        return float(per.sum())


class LinearDecoder(nn.Module):
    def forward(self, z, context, schedule_values):
        assert len(context.input) == len(context.target) == len(z)
        return z @ MIX.T

    def generate(self, z, context, sampling):
        return z @ MIX.T


class NormalLoss(nn.Module):
    def nll(self, output, batch):
        normal = torch.distributions.Normal(output, SIGMA)
        return -normal.log_prob(batch.target).sum(1)

    def distribution(self, batch):
        return "normal numbers"


class Same(nn.Module):
    def forward(self, input, context=None):
        return input
