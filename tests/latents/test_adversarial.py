"""Two sides of one step: what a critic learns, and what it costs the encoder."""

from __future__ import annotations

import pytest
import torch

from aeplug.config import resolve
from aeplug.interfaces import Batch, DataShape
from aeplug.model.task import Task, objective
from aeplug.training.optimizers import ADVERSARY, MAIN, build_optimizer_groups

SETTINGS = {"latent": "adversarial", "latent.size": 2, "latent.critic": [8], "encoder.dropout": 0.0}


@pytest.fixture
def task(plugins) -> Task:
    torch.manual_seed(0)
    chosen = {**SETTINGS, "latent.generator_weight": 0.3}
    return Task(resolve(plugins.task("tiny-vae"), plugins, chosen), DataShape((4,), (4,)))


@pytest.fixture
def batch() -> Batch:
    items = torch.rand(16, 4, generator=torch.Generator().manual_seed(5))
    return Batch(items, items)


def measured(task: Task, batch: Batch) -> dict[str, torch.Tensor]:
    schedule_values = task.new_schedule_values(torch.device("cpu"))
    task.update_schedules(schedule_values, 0, 1)
    return task(batch, schedule_values, torch.Generator().manual_seed(1))


def named(task: Task) -> tuple[dict, dict]:
    """The critic's parameters, and the others."""
    everything = dict(task.named_parameters())
    critic = {name: p for name, p in everything.items() if "adversary" in name}
    return critic, {name: p for name, p in everything.items() if name not in critic}


def test_neither_term_reaches_the_other_sides_weights(task, batch):
    critic, others = named(task)
    assert len(critic) == 4
    terms = measured(task, batch)
    for term, mine, theirs in (("adversary", critic, others), ("loss", others, critic)):
        grads = torch.autograd.grad(
            terms[term], [*theirs.values()], retain_graph=True, allow_unused=True
        )
        assert all(one is None or not one.any() for one in grads), term
        own = torch.autograd.grad(terms[term], [*mine.values()], retain_graph=True)
        assert all(one.any() for one in own), term


def test_one_pass_gives_each_side_the_gradient_of_its_own_term(task, batch):
    critic, others = named(task)
    terms = measured(task, batch)
    apart = [
        *torch.autograd.grad(terms["adversary"], [*critic.values()], retain_graph=True),
        *torch.autograd.grad(terms["loss"], [*others.values()], retain_graph=True),
    ]
    objective(terms).backward()
    for parameter, expected in zip([*critic.values(), *others.values()], apart, strict=True):
        torch.testing.assert_close(parameter.grad, expected)


def test_terms_are_cross_entropies(task, batch):
    terms = measured(task, batch)
    part = task.latent
    z = task.encode(batch.input, batch.context(with_target=True))[0].mode()
    draws = part.prior(16, 1.0, torch.Generator().manual_seed(1))
    entropy = torch.nn.functional.binary_cross_entropy_with_logits
    of_codes, of_draws = part.adversary(z), part.adversary(draws)
    zeros, ones = torch.zeros(16, 1), torch.ones(16, 1)
    expected = (entropy(of_codes, zeros) + entropy(of_draws, ones)) / 2
    torch.testing.assert_close(terms["adversary"], expected)
    torch.testing.assert_close(terms["generator_loss"], entropy(of_codes, ones))
    right = (of_codes < 0).sum() + (of_draws > 0).sum()
    assert terms["critic_accuracy"].item() == pytest.approx(right.item() / 32)
    torch.testing.assert_close(terms["loss"] - terms["recon"], 0.3 * terms["generator_loss"])
    # What picks the best checkpoint is the model's own, not the critic's day.
    task.eval()
    terms = measured(task, batch)
    torch.testing.assert_close(terms["loss"], terms["recon"])
    assert {"adversary", "generator_loss", "critic_accuracy"} <= set(terms)


def test_sides_share_no_weight_and_leave_none(task, make_training):
    training = make_training({**SETTINGS, "train.adversary_lr": 0.02, "train.lr": 0.01})
    main, adversary = build_optimizer_groups(training.task, training.config.train)
    assert (main.name, adversary.name) == (MAIN, ADVERSARY)
    of_main, of_adversary = ({id(p) for p in side.parameters} for side in (main, adversary))
    assert not of_main & of_adversary
    assert of_main | of_adversary == {id(p) for p in training.task.parameters()}
    assert (main.lr, adversary.lr) == (0.01, 0.02)
    assert [len(group.optimizers) for group in (main, adversary)] == [1, 1]
    assert len(build_optimizer_groups(make_training({}).task, training.config.train)) == 1


def test_rates_follow_one_course_from_their_own_peaks(make_training):
    training = make_training({**SETTINGS, "train.adversary_lr": 0.5, "train.steps": 3})
    training.run()
    rates = [side.optimizers[0].param_groups[0]["lr"] for side in training.optimizer_groups]
    assert rates[1] / rates[0] == pytest.approx(0.5 / 0.01)


def test_sides_are_clipped_and_skipped_apart():
    from aeplug.training.optimizers import OptimizerGroup

    sides, weights = [], []
    for gradient in (torch.tensor([3.0, 4.0]), torch.tensor([torch.nan, 1.0])):
        weight = torch.nn.Parameter(torch.zeros(2))
        weight.grad = gradient
        weights.append(weight)
        sgd = torch.optim.SGD([weight], lr=1.0, fused=True)
        sides.append(OptimizerGroup("main", [weight], [sgd], 1.0))
    skipped = [side.step(clip=1.0).item() for side in sides]
    assert skipped == [0.0, 1.0]
    torch.testing.assert_close(weights[0].detach(), torch.tensor([-0.6, -0.8]))
    assert not weights[1].detach().any()


def test_average_of_weights_holds_the_critic_too(make_training):
    training = make_training({**SETTINGS, "train.ema": 0.9, "train.epochs": 2})
    training.run()
    assert set(training.ema_model.state_dict()) == set(training.task.state_dict())
    assert not any(p.requires_grad for p in training.ema_model.parameters())


def test_codes_become_like_the_prior(task, make_training):
    """Codes that start far too narrow get about the prior's spread."""
    items = torch.rand(64, 4, generator=torch.Generator().manual_seed(5))
    batch = Batch(items, items)
    train = make_training({"train.lr": 0.01, "train.adversary_lr": 0.01}).config.train
    sides, generator = build_optimizer_groups(task, train), torch.Generator().manual_seed(0)
    schedule_values = task.new_schedule_values(torch.device("cpu"))
    task.update_schedules(schedule_values, 0, 1)
    spreads = []
    for _ in range(500):
        objective(task(batch, schedule_values, generator)).backward()
        for side in sides:
            side.step(clip=1.0)
        z = task.encode(batch.input, batch.context(with_target=True))[0].mode()
        spreads.append(z.detach().std(0))
    assert spreads[0].max() < 0.3
    late = torch.stack(spreads[-200:]).mean(0)
    assert ((late > 0.6) & (late < 1.6)).all(), late
