"""Penalties on a plain code, against closed forms."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Bernoulli, kl_divergence

from aeplug.config import resolve
from aeplug.errors import ConfigError
from aeplug.interfaces import Batch, DataShape
from aeplug.latents.code_penalties import contraction, sparsity
from aeplug.model.task import Task


def test_sparsity_is_the_l1_norm():
    z = torch.randn(7, 3)
    assert sparsity(z, 0.0).item() == pytest.approx(z.abs().sum().item() / 7, rel=1e-6)


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5])
def test_sparsity_by_share_is_a_kl_of_bernoullis(share):
    z = torch.randn(50, 4) * 3
    means = torch.sigmoid(z).mean(0)
    expected = kl_divergence(Bernoulli(torch.full((4,), share)), Bernoulli(means)).sum()
    torch.testing.assert_close(sparsity(z, share), expected)
    # Where every item has it as asked for, nothing is left to pay; extremes stay finite.
    even = torch.full((5, 2), torch.logit(torch.tensor(share)).item())
    assert sparsity(even, share).item() == pytest.approx(0, abs=1e-5)
    assert torch.isfinite(sparsity(torch.full((5, 2), -500.0), share))


def test_contraction_is_the_jacobians_norm_in_the_mean():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3))
    items = torch.randn(2, 4)
    norms = [torch.autograd.functional.jacobian(net, item).square().sum() for item in items]
    x = items.requires_grad_()
    z = net(x)
    generator = torch.Generator().manual_seed(1)
    estimates = torch.stack([contraction(z, x, generator).detach() for _ in range(4000)])
    torch.testing.assert_close(estimates.mean(), torch.stack(norms).mean(), rtol=0.03, atol=0)
    contraction(z, x).backward()
    assert net[0].weight.grad.abs().sum() > 0


def tiny_task(plugins, **settings) -> Task:
    torch.manual_seed(0)
    chosen = {"encoder.dropout": 0.0, **{f"latent.{k}": v for k, v in settings.items()}}
    return Task(resolve(plugins.task("tiny"), plugins, chosen), DataShape((4,), (4,)))


def test_penalties_go_into_the_loss_of_training_and_evaluation(plugins):
    torch.manual_seed(1)
    items = torch.rand(6, 4)
    batch = Batch(items, items)
    plain = tiny_task(plugins)
    schedule_values = plain.new_schedule_values(torch.device("cpu"))
    base = plain(batch, schedule_values)["loss"].item()
    task = tiny_task(plugins, sparse=0.5, contractive=0.25)
    for training in (True, False):
        task.train(training)
        with torch.set_grad_enabled(training):
            terms = task(batch, schedule_values)
        expected = base + 0.5 * terms["sparsity"].item() + 0.25 * terms["contraction"].item()
        assert terms["loss"].item() == pytest.approx(expected, rel=1e-5)
        assert terms["contraction"] > 0
        assert terms["loss"].requires_grad == training
    assert items.requires_grad is False


def test_a_contractive_code_changes_less_with_its_input(make_training):
    settings = {"train.epochs": 10, "encoder.dropout": 0.0, "prepare.noise": 0.0}
    slopes = {}
    for weight in (0.0, 0.5):
        training = make_training({**settings, "latent.contractive": weight}, task="tiny")
        training.run()
        x = torch.rand(20, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
        z = training.task.eval().encode(x, None)[0].mode()
        slopes[weight] = contraction(z, x, torch.Generator().manual_seed(0)).item()
    assert slopes[0.5] < 0.5 * slopes[0.0]


def test_tokens_have_no_slope(plugins):
    config = resolve(plugins.task("tiny"), plugins, {"latent.contractive": 1.0})
    with pytest.raises(ConfigError, match="by the input, and tokens have no gradient"):
        Task(config, DataShape((4,), (4,), classes=3))
