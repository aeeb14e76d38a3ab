"""Checks of what encoders, latents, posteriors and losses claim to be able to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from aeplug.checks.learning import schedule_values_at
from aeplug.checks.outcome import CheckMismatch, brief, expect
from aeplug.checks.subject import CPU
from aeplug.checks.workbench import Workbench
from aeplug.errors import ConfigError
from aeplug.interfaces import (
    Adversarial,
    AfterStep,
    AnySizeEncoder,
    AuxiliaryLosses,
    Batch,
    Bindable,
    ConditionBlindEncoder,
    DistributionLoss,
    Encoded,
    Features,
    InputGradientLatent,
    LatentDensity,
    MultiDrawLoss,
    PosteriorDensity,
)
from aeplug.runtime.distributed import Distributed


def check_any_size(encoder: AnySizeEncoder, bench: Workbench) -> None:
    """Items twice as high, and one value wider, pass through it."""
    input = bench.batch.input
    if input.dim() < 4:
        return  # items without height and width have no other size
    higher = torch.cat([input, input.flip(-2)], -2)
    for other, axes in ((higher, "high"), (torch.cat([input, input[..., -1:]], -1), "wide")):
        batch = Batch(other, other, bench.batch.cond)
        size = f"items {other.shape[-2]} high and {other.shape[-1]} wide"
        try:
            features = _features(encoder, batch)
        except Exception as error:
            text = " ".join(str(error).split())
            raise CheckMismatch(
                f"an encoder with any_size to take {size}", f"{type(error).__name__}: {text:.200}"
            ) from error
        dims = len(encoder.features_shape) + 1
        expect(
            features.dim() == dims and len(features) == len(other),
            f"features of {dims} dimensions, {len(other)} of them, from {size} ({axes})",
            f"{tuple(features.shape)}",
        )


def check_condition_blind(encoder: ConditionBlindEncoder, bench: Workbench) -> None:
    """Features are the same under other classes, and under none."""
    classes = bench.subject.shape.conditions
    cond = bench.batch.cond
    others = {name: (value + 1) % len(classes[name]) for name, value in cond.items()}
    first = _features(encoder, bench.batch)
    for which, batch in (
        ("other classes", replace(bench.batch, cond=others)),
        ("no classes", replace(bench.batch, cond={})),
    ):
        expect(
            torch.equal(_features(encoder, batch), first),
            f"an encoder with ignores_conditions to give the same features under {which}",
            "others",
        )


@torch.no_grad()
def _features(encoder: Any, batch: Batch) -> Tensor:
    features = encoder(batch.input, batch.context(with_target=False))
    return features.values if isinstance(features, Features) else features


@torch.no_grad()
def check_latent_density(latent: LatentDensity, bench: Workbench) -> None:
    """The prior's density has a value in nats for each latent."""
    count = len(bench.batch.input)
    z = torch.zeros(count, *latent.latent_shape)
    if latent.has_prior:
        z = latent.prior(count, 1.0, bench.generator())
    _check_nats(latent.log_prior(z), count, "log_prior(z) of the latent")


@torch.no_grad()
def check_posterior_density(posterior: PosteriorDensity, bench: Workbench) -> None:
    """Its density has a value for each latent, and repeating repeats each item in a row."""
    mode = posterior.mode()
    _check_nats(posterior.log_prob(mode), len(mode), "log_prob(z) of the posterior")
    expect(
        torch.equal(posterior.repeat_items(3).mode(), mode.repeat_interleave(3, 0)),
        "repeat_items(3) of the posterior to hold each item 3 times in a row",
        "another order, or other values",
    )
    expect(
        torch.equal(posterior.detach_parameters().log_prob(mode), posterior.log_prob(mode)),
        "the same density after detach_parameters() of the posterior",
        "another",
    )


def _check_nats(value: Any, count: int, what: str) -> None:
    shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
    expect(shape == (count,), f"{what} with a value for each item, ({count},)", f"{shape}")
    expect(torch.isfinite(value).all(), f"finite nats from {what}", "others")


def check_auxiliary_losses(latent: AuxiliaryLosses, bench: Workbench) -> None:
    """Terms are finite scalars by name, in evaluation too."""
    encoded = _encode_item(bench)
    terms = latent.auxiliary_losses(encoded)
    expect(isinstance(terms, Mapping), "auxiliary_losses(encoded) to give a dict", brief(terms))
    expect("loss" not in terms, "terms of other names than 'loss'", "'loss' among them")
    for name, value in terms.items():
        good = isinstance(value, Tensor) and value.dim() == 0 and bool(torch.isfinite(value))
        expect(good, f"'{name}' of auxiliary_losses as one finite number, 0-d", brief(value))


def check_input_gradient(latent: InputGradientLatent, bench: Workbench) -> None:
    """There is a way for gradients from z to the input."""
    expect(
        not bench.subject.shape.classes,
        "no input_gradient where items are tokens",
        "that the latent claims it all the same",
    )
    encoded = _encode_item(bench)
    (slope,) = torch.autograd.grad(encoded.z.sum(), encoded.input, allow_unused=True)
    expect(slope is not None, "a gradient from z to the input of the encoder", "none")


def _encode_item(bench: Workbench) -> Encoded:
    batch, task = bench.batch, bench.task
    input = batch.input.detach()
    with torch.enable_grad():
        if input.is_floating_point():
            input.requires_grad_()
        posterior, _ = task.encode(input, batch.context(with_target=True))
        z = posterior.sample(bench.generator())
    values = schedule_values_at(task, 0, 1)
    return Encoded(posterior, z, input, values, training=False, generator=bench.generator())


def check_draws(loss: MultiDrawLoss, bench: Workbench) -> None:
    """A whole number from 1 on, and as many rows of each item."""
    draws = loss.draws
    whole = isinstance(draws, int) and not isinstance(draws, bool)
    expect(whole and draws >= 1, "draws of the loss to be a whole number, at least 1", brief(draws))
    count = len(bench.batch.input) * draws
    with torch.no_grad():
        _, _, posterior = bench.task.measure(
            bench.batch, schedule_values_at(bench.task, 0, 1), bench.generator()
        )
    expect(len(posterior.mode()) == count, f"{count} latents of {draws} draws", "others")


def check_distribution(loss: DistributionLoss, bench: Workbench) -> None:
    """It has a name, or a reason why it has none."""
    try:
        name = loss.distribution(bench.batch)
    except ConfigError as error:
        expect("\n" not in str(error), "a reason of one line from distribution(batch)", "several")
        return
    expect(
        isinstance(name, str) and name.strip() and "\n" not in name,
        "distribution(batch) of the loss to name it in a few words",
        brief(name),
    )


def check_adversary(part: Adversarial, bench: Workbench) -> None:
    """The adversary is a module with weights; what moves them is the check of gradients."""
    adversary = part.adversary
    weights = list(adversary.parameters()) if isinstance(adversary, nn.Module) else []
    expect(weights, "adversary to be a module with weights", brief(adversary))


def check_bound(part: Any, bench: Workbench) -> None:
    """Bound to others, it has not taken their weights for its own."""
    own = {id(p) for p in part.parameters()} if isinstance(part, nn.Module) else set()
    for other in bench.task.parts():
        if other is not part:
            shared = [name for name, p in other.named_parameters() if id(p) in own]
            expect(
                not shared,
                "bind(task) to keep another part in a tuple",
                f"that its weights ({', '.join(shared[:3])}) are registered twice",
            )


def check_after_step(part: AfterStep, bench: Workbench) -> None:
    """A step that was skipped changes nothing."""
    task = bench.subject.task()
    task(bench.batch, schedule_values_at(task, 0, 1), bench.generator())
    alone = Distributed(0, 1, CPU)
    before = {name: value.clone() for name, value in task.state_dict().items()}
    task.after_step(torch.ones(()), alone)
    changed = [n for n, value in task.state_dict().items() if not torch.equal(value, before[n])]
    expect(
        not changed,
        "after_step to change nothing where skipped is 1",
        f"a change of {', '.join(changed[:3])}",
    )
    task.after_step(torch.zeros(()), alone)


MODULE_CHECKS: Mapping[type, Callable[[Any, Workbench], None]] = {
    AnySizeEncoder: check_any_size,
    ConditionBlindEncoder: check_condition_blind,
    LatentDensity: check_latent_density,
    PosteriorDensity: check_posterior_density,
    AuxiliaryLosses: check_auxiliary_losses,
    InputGradientLatent: check_input_gradient,
    MultiDrawLoss: check_draws,
    DistributionLoss: check_distribution,
    Adversarial: check_adversary,
    Bindable: check_bound,
    AfterStep: check_after_step,
}
