"""Mixtures of Gaussians against what is known in closed form."""

from __future__ import annotations

import math

import pytest
import torch

from aeplug.priors.gaussian_mixture import GaussianMixture, fit_gaussian_mixture


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def known() -> GaussianMixture:
    scales = torch.tensor([[[0.5, 0.0], [0.3, 0.2]], [[1.0, 0.0], [-0.6, 0.4]]])
    weights = torch.tensor([[0.3, 0.7]]).log()
    return GaussianMixture(weights, torch.tensor([[-3.0, 1.0], [2.0, 0.0]]), scales)


def test_density_is_that_of_torchs_distributions(known):
    from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

    z = torch.randn(50, 2, generator=generator()) * 3
    theirs = MixtureSameFamily(
        Categorical(logits=known.log_weights[0]),
        MultivariateNormal(known.means, scale_tril=known.scales),
    )
    torch.testing.assert_close(known.log_prob(z), theirs.log_prob(z))


def test_density_integrates_to_one(known):
    side = torch.linspace(-9, 9, 600)
    grid = torch.cartesian_prod(side, side)
    step = float(side[1] - side[0])
    assert float(known.log_prob(grid).exp().sum()) * step**2 == pytest.approx(1, abs=1e-3)


def test_a_mixture_is_recovered_from_its_draws(known):
    z = known.sample(20_000, 1.0, generator())
    found = fit_gaussian_mixture(z, 2)
    order = found.means[:, 0].argsort()
    torch.testing.assert_close(found.means[order], known.means, atol=0.05, rtol=0)
    torch.testing.assert_close(found.log_weights[0, order].exp(), torch.tensor([0.3, 0.7]),
                               atol=0.02, rtol=0)  # fmt: skip
    covariances = found.scales[order] @ found.scales[order].transpose(1, 2)
    torch.testing.assert_close(
        covariances, known.scales @ known.scales.transpose(1, 2), atol=0.06, rtol=0.05
    )
    # As likely as the truth makes new draws.
    new = known.sample(5000, 1.0, generator(1))
    assert float(found.log_prob(new).mean() - known.log_prob(new).mean()) == pytest.approx(
        0, abs=0.01
    )


def test_one_component_has_the_moments_of_the_data():
    z = torch.randn(4000, 3, generator=generator()) @ torch.randn(3, 3, generator=generator(1)) + 5
    found = fit_gaussian_mixture(z, 1)
    torch.testing.assert_close(found.means[0], z.mean(0), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(found.scales[0] @ found.scales[0].T, z.T.cov(), atol=0.05, rtol=0.02)


def test_more_components_never_explain_what_they_are_fitted_to_worse():
    angle = torch.rand(3000, generator=generator()) * 2 * math.pi
    ring = torch.stack([angle.cos(), angle.sin()], 1)
    ring += 0.05 * torch.randn(3000, 2, generator=generator(1))
    few, more = (
        float(fit_gaussian_mixture(ring, count).log_prob(ring).mean()) for count in (1, 12)
    )
    assert more > few + 1


def test_same_seed_same_mixture():
    z = torch.randn(500, 4, generator=generator())
    assert torch.equal(
        fit_gaussian_mixture(z, 5, seed=3).means, fit_gaussian_mixture(z, 5, seed=3).means
    )


@pytest.mark.parametrize(
    "z",
    [
        torch.zeros(30, 3),
        torch.cat([torch.randn(30, 2), torch.full((30, 1), 7.0)], 1),
        torch.randn(5, 3).repeat(6, 1),
    ],
    ids=["all alike", "a dimension that never moves", "few different ones"],
)
def test_degenerate_data_gives_a_sound_mixture(z):
    found = fit_gaussian_mixture(z, 4)
    assert torch.isfinite(found.log_prob(z)).all()
    drawn = found.sample(100, 1.0, generator())
    assert torch.isfinite(drawn).all()
    assert float((drawn.mean(0) - z.mean(0)).abs().max()) < 1


def test_scale_multiplies_the_distance_from_the_components(known):
    tight = known.sample(500, 1e-4, generator())
    to_means = torch.cdist(tight, known.means).min(1).values
    assert float(to_means.max()) < 1e-2
    wide = known.sample(4000, 2.0, generator())
    assert float(wide.var(0).sum()) > float(known.sample(4000, 1.0, generator()).var(0).sum()) + 1


class TestClasses:
    @pytest.fixture
    def found(self) -> GaussianMixture:
        """Class 0 lies left, class 1 right, class 2 has no items."""
        left = torch.randn(900, 2, generator=generator()) * 0.3 - 4
        right = torch.randn(100, 2, generator=generator(1)) * 0.3 + 4
        classes = torch.tensor([0] * 900 + [1] * 100)
        return fit_gaussian_mixture(torch.cat([left, right]), 2, classes, 3)

    @pytest.mark.parametrize(("row", "share_left"), [(0, 0.9), (1, 0.99), (2, 0.08), (3, 0.9)])
    def test_each_has_its_own_weights(self, found, row, share_left):
        z = found.sample(2000, 1.0, generator(), torch.full((2000,), row))
        assert float((z[:, 0] < 0).float().mean()) == pytest.approx(share_left, abs=0.03)

    def test_density_knows_the_class(self, found):
        left = torch.tensor([[-4.0, -4.0]])
        of = {row: float(found.log_prob(left, torch.tensor([row]))) for row in (0, 1, 2)}
        assert of[1] > of[0] > of[2]
        torch.testing.assert_close(found.log_prob(left), found.log_prob(left, torch.tensor([0])))
