"""Bounds of the likelihood against a model whose marginal likelihood is known exactly."""

from __future__ import annotations

import math

import pytest
import torch
from linear_gaussian import MIX, SIGMA, LinearDecoder, LinearGaussian, NormalLoss, Same

from aeplug.api import load
from aeplug.data.splits import TensorSplit
from aeplug.errors import ConfigError
from aeplug.evaluation.likelihood import estimate_likelihood


@pytest.fixture
def linear(model):
    def make(**off):
        task = model.task
        task.encoder, task.latent = Same(), LinearGaussian(**off)
        task.decoder, task.loss = LinearDecoder(), NormalLoss()
        return model

    return make


@pytest.fixture
def split() -> TensorSplit:
    generator = torch.Generator().manual_seed(0)
    return TensorSplit({"x": torch.randint(0, 256, (300, 4), generator=generator).byte()})


@pytest.fixture
def exact(split) -> torch.Tensor:
    covariance = MIX @ MIX.T + SIGMA**2 * torch.eye(4)
    marginal = torch.distributions.MultivariateNormal(torch.zeros(4), covariance)
    return marginal.log_prob(split.columns["x"].float() / 255)


def test_with_the_true_posterior_one_draw_is_exact(linear, split, exact):
    report = estimate_likelihood(linear(), split, 1)
    assert report["elbo_nats"] == pytest.approx(float(exact.mean()), abs=1e-4)
    assert report["log_likelihood_nats"] == pytest.approx(float(exact.mean()), abs=1e-4)
    error = float(exact.std()) / math.sqrt(len(split))
    assert report["log_likelihood_se_nats"] == pytest.approx(error, rel=1e-3)
    assert report["effective_draws"] == pytest.approx(1)


def test_with_another_posterior_draws_make_up_for_it(linear, split, exact):
    model = linear(off=0.25, wider=1.4)
    report = estimate_likelihood(model, split, 1000)
    truth = float(exact.mean())
    assert report["elbo_nats"] == pytest.approx(truth - model.task.latent.divergence(), abs=0.03)
    assert report["elbo_nats"] < truth - 0.3
    assert report["log_likelihood_nats"] == pytest.approx(truth, abs=0.01)
    assert 100 < report["effective_draws"] < 900
    # From below in the mean, and the nearer the more draws.
    fewer = estimate_likelihood(model, split, 5)["log_likelihood_nats"]
    assert report["elbo_nats"] < fewer < truth - 0.02


@pytest.mark.parametrize("rows", [1, 7, 64])
def test_how_many_are_decoded_at_once_does_not_matter(linear, split, exact, monkeypatch, rows):
    monkeypatch.setattr("aeplug.evaluation.likelihood.ROWS", rows)
    some = TensorSplit({"x": split.columns["x"][:10]})
    report = estimate_likelihood(linear(wider=1.2), some, 150)
    assert report["log_likelihood_nats"] == pytest.approx(float(exact[:10].mean()), abs=0.05)


def test_same_figures_every_time_and_torchs_randomness_stays(linear, split):
    before = torch.get_rng_state()
    model = linear(wider=1.3)
    assert estimate_likelihood(model, split, 20) == estimate_likelihood(model, split, 20)
    assert torch.equal(torch.get_rng_state(), before)


def test_names_what_it_is_of(linear, split):
    model = linear()
    model.prepare.facts = {"binarisation": "static"}
    report = estimate_likelihood(model, split, 3)
    assert report["likelihood_of"] == "normal numbers"
    assert report["binarisation"] == "static"
    assert (report["importance_draws"], report["prior"]) == (3, "own")


def test_under_another_prior(linear, split):
    """N(0, 1) by its name is the model's own here; one of another place makes data less likely."""
    from aeplug.priors.gaussian_mixture import GaussianMixture
    from aeplug.priors.mixture import MixturePrior

    model = linear()
    own = estimate_likelihood(model, split, 50)["log_likelihood_nats"]
    assert estimate_likelihood(model, split, 50, "standard")[
        "log_likelihood_nats"
    ] == pytest.approx(own)
    far = GaussianMixture(torch.zeros(1, 1), torch.full((1, 2), 4.0), torch.eye(2)[None])
    model.priors.add(MixturePrior("gmm", far, {}, {}))
    assert estimate_likelihood(model, split, 50, "gmm")["log_likelihood_nats"] < own - 3


class TestRefused:
    def test_loss_that_is_of_no_distribution(self, model, split):
        with pytest.raises(ConfigError, match="'tiny-vae' has no likelihood: its loss 'tiny'"):
            estimate_likelihood(model, split, 2)

    def test_codes_without_a_density(self, trained_plain, plugins, split):
        model = load(trained_plain, device="cpu", plugins=plugins)
        with pytest.raises(ConfigError, match=r"has no likelihood.*points without a density"):
            estimate_likelihood(model, split, 2)

    def test_grey_pixels_under_bernoulli_say_what_to_set(self):
        from aeplug_image.nets.losses import bernoulli_pixels

        with pytest.raises(ConfigError, match=r"prepare\.binarise=dynamic or =static"):
            bernoulli_pixels(torch.tensor([0.0, 0.5, 1.0]))
        assert bernoulli_pixels(torch.tensor([0.0, 1.0])) == "Bernoulli pixels"

    def test_from_the_command_line_it_is_one_line(self, invoke, trained):
        result = invoke("evaluate", trained, "--likelihood")
        assert result.code == 1
        assert "its loss 'tiny' is none" in result.err
        assert invoke("evaluate", trained, "--importance", 5).code == 2
