"""Several draws an item: the bound of importance weights, against likelihoods in closed form."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import MultivariateNormal

from aeplug.interfaces import Batch, Context
from aeplug.latents.gaussian import (
    GaussianConfig,
    GaussianLatent,
    GaussianPosterior,
    PointPosterior,
)
from aeplug.latents.importance import ImportanceSamples, importance_bound
from aeplug.latents.mixture_prior import MixtureConfig, MixtureLatent

SIGMA = 0.5


class Line:
    """x = W z + noise: its likelihood and its true posterior are Gaussians too."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        self.weight = torch.randn(3, 2, generator=generator)
        self.x = torch.randn(4, 3, generator=generator)
        self.latent = GaussianLatent(GaussianConfig(size=2), (3,))

    def log_likelihood(self) -> torch.Tensor:
        covariance = self.weight @ self.weight.T + SIGMA**2 * torch.eye(3)
        return MultivariateNormal(torch.zeros(3), covariance).log_prob(self.x)

    def nll(self, z: torch.Tensor, weight: torch.Tensor | None = None) -> torch.Tensor:
        """Of x given rows of z, those of an item in a row."""
        weight = self.weight if weight is None else weight
        x = self.x.repeat_interleave(len(z) // len(self.x), 0)
        squares = ((x - z @ weight.T) / SIGMA).square().sum(1)
        return 0.5 * squares + 3 * math.log(SIGMA * math.sqrt(2 * math.pi))

    def posterior(self, mean_off: float = 0.3, logvar: float = -1.0) -> GaussianPosterior:
        precision = self.weight.T @ self.weight / SIGMA**2 + torch.eye(2)
        mean = torch.linalg.solve(precision, self.weight.T @ self.x.T / SIGMA**2).T
        return GaussianPosterior(mean + mean_off, torch.full((4, 2), logvar))

    def bounds(self, count: int, times: int, seed: int = 0) -> torch.Tensor:
        """The bound of each item, ``times`` over, ``(4, times)``."""
        draws = ImportanceSamples(self.posterior().repeat_items(times), count, self.latent)
        z = draws.sample(torch.Generator().manual_seed(seed))
        return importance_bound(self.nll(z), draws).reshape(4, times)


def test_bound_rises_with_draws_to_the_likelihood():
    line = Line()
    exact = line.log_likelihood()
    means = [line.bounds(count, 2000).mean() for count in (1, 5, 50)]
    assert means[0] < means[1] < means[2] < exact.mean() + 0.01
    torch.testing.assert_close(line.bounds(100_000, 1)[:, 0], exact, atol=0.05, rtol=0)


def test_one_draw_is_the_evidence_lower_bound():
    line = Line()
    draws = ImportanceSamples(line.posterior(), 1, line.latent)
    z = draws.sample(torch.Generator().manual_seed(1))
    expected = -line.nll(z) + line.latent.log_prior(z) - line.posterior().log_prob(z)
    torch.testing.assert_close(importance_bound(line.nll(z), draws), expected)
    # With a KL that is taken at the draw it is that ELBO to the bit of arithmetic.
    part = MixtureLatent(MixtureConfig(size=2), (3,))
    draws = ImportanceSamples(part(line.x), 1, part)
    z = draws.sample()
    elbo = -line.nll(z) - draws.kl().sum(1)
    torch.testing.assert_close(importance_bound(line.nll(z), draws), elbo)
    # And with the closed form it agrees in the mean.
    many = line.posterior().repeat_items(50_000).sample(torch.Generator().manual_seed(2))
    expected = -line.nll(many).reshape(4, -1).mean(1) - line.posterior().kl().sum(1)
    torch.testing.assert_close(line.bounds(1, 50_000).mean(1), expected, atol=0.15, rtol=0)


def gradients(kind: str, count: int, times: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Of the encoder's moments, ``times`` over ``(4, times, 4)``, and of the decoder's weight."""
    line = Line()
    start = line.posterior(0.1, -2.0).repeat_items(times)
    mean, logvar = (x.clone().requires_grad_() for x in (start.mean, start.logvar))
    weight = line.weight.clone().requires_grad_()
    draws = ImportanceSamples(GaussianPosterior(mean, logvar), count, line.latent)
    z = draws.sample(torch.Generator().manual_seed(0))
    importance_bound(line.nll(z, weight), draws, kind).sum().backward()
    return torch.cat([mean.grad, logvar.grad], 1).reshape(4, times, 4), weight.grad


def test_doubly_reparameterised_gradient_has_the_same_mean_and_is_less_noisy():
    standard, of_weight = gradients("standard", 8, 20_000)
    doubly, of_weight_too = gradients("doubly-reparameterised", 8, 20_000)
    noise = standard.std(1) / math.sqrt(20_000)
    assert ((standard.mean(1) - doubly.mean(1)).abs() < 5 * noise).all()
    assert (doubly.std(1) < standard.std(1)).float().mean() > 0.7
    # The decoder's is one and the same.
    torch.testing.assert_close(of_weight, of_weight_too)


def test_rows_of_batch_and_context_stand_beside_their_draws():
    batch = Batch(
        torch.arange(6.0).reshape(3, 2),
        torch.arange(3.0).unsqueeze(1),
        {"digit": torch.tensor([4, 5, 6])},
        torch.tensor([7, 8, 9]),
    )
    many = batch.repeat_items(2)
    assert many.input[:, 0].tolist() == [0, 0, 2, 2, 4, 4]
    assert many.target.flatten().tolist() == [0, 0, 1, 1, 2, 2]
    assert many.cond["digit"].tolist() == [4, 4, 5, 5, 6, 6]
    assert many.lengths.tolist() == [7, 7, 8, 8, 9, 9]
    context = batch.context(with_target=True)
    context.skips = [torch.arange(3)]
    context = context.repeat_items(2)
    assert torch.equal(context.target, many.target) and torch.equal(context.input, many.input)
    assert context.cond["digit"].tolist() == [4, 4, 5, 5, 6, 6]
    assert context.skips[0].tolist() == [0, 0, 1, 1, 2, 2]
    assert Context().repeat_items(3).lengths is None


def test_draws_of_a_point_are_refused():
    with pytest.raises(ValueError, match="are all the same"):
        ImportanceSamples(PointPosterior(torch.zeros(2, 2)), 3, None)
