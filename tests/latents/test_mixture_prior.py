"""Priors that are learnt: against torch's own distributions, and against the plain Gaussian."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from aeplug.config import resolve
from aeplug.errors import ConfigError
from aeplug.interfaces import DataShape, LatentDensity, PosteriorDensity
from aeplug.latents.gaussian import GaussianLatent
from aeplug.latents.mixture_prior import MixtureConfig, MixtureLatent
from aeplug.model.task import Task

SHAPE = DataShape((4,), (4,))


def mixture(components: int = 3, size: int = 2, seed: int = 0) -> MixtureLatent:
    torch.manual_seed(seed)
    part = MixtureLatent(MixtureConfig(size=size, components=components), (5,))
    torch.nn.init.normal_(part.weights)
    torch.nn.init.normal_(part.logvars.weight)
    return part


def by_torch(part) -> MixtureSameFamily:
    log_weights, means, logvars = part.components()
    each = Independent(Normal(means, torch.exp(0.5 * logvars)), 1)
    return MixtureSameFamily(Categorical(logits=log_weights), each)


@pytest.fixture
def vamp_task(plugins) -> Task:
    torch.manual_seed(0)
    chosen = {"latent": "vamp", "latent.size": 2, "latent.components": 4}
    return Task(resolve(plugins.task("tiny-vae"), plugins, chosen), SHAPE).eval()


def test_density_is_that_of_torch(vamp_task):
    z = torch.randn(50, 2) * 2
    for part in (mixture(), vamp_task.latent):
        assert isinstance(part, LatentDensity)
        torch.testing.assert_close(part.log_prior(z), by_torch(part).log_prob(z))


def test_one_component_of_the_standard_normal_is_the_gaussian():
    part = mixture(components=1)
    torch.nn.init.zeros_(part.means.weight)
    torch.nn.init.zeros_(part.logvars.weight)
    plain = GaussianLatent(GaussianLatent.Config(size=2), (5,))
    plain.moments = part.moments
    z = torch.randn(20, 2)
    torch.testing.assert_close(part.log_prior(z), plain.log_prior(z))
    features = torch.randn(3, 5)
    ours, theirs = part(features), plain(features)
    torch.testing.assert_close(ours.log_prob(z[:3]), theirs.log_prob(z[:3]))
    many = ours.repeat_items(100_000)
    many.sample(torch.Generator().manual_seed(1))
    estimate = many.kl().reshape(3, -1).mean(1)
    torch.testing.assert_close(estimate, theirs.kl().sum(1), atol=0.02, rtol=0.01)


def test_kl_is_taken_at_what_was_drawn():
    part = mixture()
    posterior = part(torch.randn(4, 5))
    assert isinstance(posterior, PosteriorDensity)
    z = posterior.sample(torch.Generator().manual_seed(3))
    expected = Independent(Normal(posterior.mean, (posterior.logvar / 2).exp()), 1).log_prob(z)
    expected = expected - by_torch(part).log_prob(z)
    assert posterior.kl().shape == (4, 1)
    torch.testing.assert_close(posterior.kl().squeeze(1), expected)
    # Of what was never drawn it is the same each time.
    torch.testing.assert_close(part(torch.ones(1, 5)).kl(), part(torch.ones(1, 5)).kl())


def test_draws_are_of_the_mixture():
    part = mixture()
    expected = by_torch(part)
    draws = part.prior(200_000, 1.0, torch.Generator().manual_seed(0))
    torch.testing.assert_close(draws.mean(0), expected.mean, atol=0.02, rtol=0)
    torch.testing.assert_close(draws.var(0), expected.variance, atol=0.05, rtol=0.02)
    # No spread leaves the means of components.
    middle = part.prior(100, 0.0, torch.Generator().manual_seed(0))
    assert torch.cdist(middle, part.means.weight).amin(1).max() < 1e-6


def test_the_prior_learns_and_the_posterior_is_drawn_to_it():
    part = mixture()
    posterior = part(torch.randn(4, 5))
    posterior.sample()
    posterior.kl().sum().backward()
    for name, parameter in part.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


class TestVamp:
    def test_components_are_the_posteriors_of_pseudo_inputs(self, vamp_task):
        part = vamp_task.latent
        log_weights, means, logvars = part.components()
        features = vamp_task.encoder(part.inputs.weight.reshape(4, 4))
        posterior = GaussianLatent.forward(part, features)
        torch.testing.assert_close(means, posterior.mean)
        torch.testing.assert_close(logvars, posterior.logvar)
        torch.testing.assert_close(log_weights.exp().sum(), torch.tensor(1.0))

    def test_pseudo_inputs_learn_and_the_encoder_is_kept_once(self, vamp_task):
        names = list(vamp_task.state_dict())
        assert len([name for name in names if "hidden" in name]) == 2
        assert "latent.inputs.weight" in names
        posterior, _ = vamp_task.encode(torch.rand(3, 4), None)
        posterior.sample()
        posterior.kl().sum().backward()
        assert vamp_task.latent.inputs.weight.grad.abs().sum() > 0

    def test_a_copy_takes_its_own_encoder(self, vamp_task):
        import copy

        other = copy.deepcopy(vamp_task)
        torch.nn.init.zeros_(vamp_task.encoder.hidden.weight)
        assert other.latent._parts[0] is other.encoder
        assert not torch.equal(other.latent.components()[1], vamp_task.latent.components()[1])

    def test_tokens_are_refused(self, plugins):
        config = resolve(plugins.task("tiny-vae"), plugins, {"latent": "vamp"})
        with pytest.raises(ConfigError, match="'vamp' learns inputs, which cannot be tokens"):
            Task(config, DataShape((4,), (4,), classes=5))
