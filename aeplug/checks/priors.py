"""Whether priors can be fitted, draw by their seed, and are the same once they were kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from aeplug.checks.outcome import CheckMismatch, brief, describe_failure, expect, expect_no_error
from aeplug.checks.subject import Subject
from aeplug.errors import AeplugError
from aeplug.interfaces import (
    CAPABILITIES,
    ConditionedPrior,
    DensityPrior,
    DocumentPrior,
    Prior,
    supports,
)
from aeplug.model.model import Model
from aeplug.plugins import Plugin, Plugins, PriorSpec, load_attribute
from aeplug.priors.registry import PriorRegistry

#: The synthetic task whose latents they are fitted to.
HOST = "fake-vectors"
COUNT = 8


def check_priors(plugin: Plugin, plugins: Plugins) -> str:
    """Every prior that can be fitted to a synthetic task works there; the others are named."""
    subject = Subject(plugins.task(HOST), plugins, {})
    model = subject.model()
    model.priors = PriorRegistry(model, plugins)
    return ", ".join(
        _check_prior(plugins.find("prior", name), model, subject)
        for name in plugin.provides.get("prior", [])
    )


def _check_prior(spec: PriorSpec, model: Model, subject: Subject) -> str:
    for name, place in (("fit", spec.fit), ("restore", spec.restore)):
        if place is not None:
            with expect_no_error(f"{name} of the prior '{spec.name}', '{place}',"):
                load_attribute(place)
    if spec.fit is None:
        return f"{spec.name} (made by a command)"
    try:
        prior = model.priors.fit(spec.name, subject.dataset)
    except AeplugError as error:
        return f"{spec.name} (not of '{HOST}': {error})"
    except Exception as error:
        raise CheckMismatch(
            f"fit(model, dataset, split, seed) of the prior '{spec.name}' to work",
            describe_failure(error),
        ) from error
    protocol = DocumentPrior if spec.unit == "document" else Prior
    expect(
        supports(prior, protocol),
        f"the prior '{spec.name}', whose unit is {spec.unit}, to be a {protocol.__name__}",
        type(prior).__name__,
    )
    if supports(prior, Prior):
        _check_draws(prior, model, f"prior '{spec.name}'")
    for capability in CAPABILITIES["prior"]:
        if supports(prior, capability):
            with expect_no_error(f"the prior '{spec.name}' as a {capability.__name__}"):
                PRIOR_CHECKS[capability](prior, model)
    if spec.restore is not None:
        _check_kept(spec, prior)
    return spec.name


def _draws(prior: Any, seed: int) -> Tensor:
    return prior.sample(COUNT, 1.0, torch.Generator().manual_seed(seed))


def _check_draws(prior: Prior, model: Model, what: str) -> None:
    with expect_no_error(f"sample(count, scale, generator) of the {what}"):
        first, again, other = (_draws(prior, seed) for seed in (0, 0, 1))
    sizes = (COUNT, *model.task.latent.latent_shape)
    good = isinstance(first, Tensor) and tuple(first.shape) == sizes
    shape = tuple(first.shape) if isinstance(first, Tensor) else first
    expect(good, f"draws {sizes} from the {what}", brief(shape))
    expect(torch.isfinite(first).all(), f"finite draws from the {what}", "others")
    expect(torch.equal(first, again), f"the same draws of the {what} for the same seed", "others")
    expect(not torch.equal(first, other), f"other draws of the {what} for another seed", "the same")


def check_density(prior: DensityPrior, model: Model) -> None:
    """A value in nats for each latent."""
    values = prior.log_prob(_draws(prior, 0))
    good = isinstance(values, Tensor) and tuple(values.shape) == (COUNT,)
    shape = tuple(values.shape) if isinstance(values, Tensor) else values
    expect(good, f"log_prob(z) with a value for each latent, ({COUNT},)", brief(shape))
    expect(torch.isfinite(values).all(), "finite nats from log_prob(z)", "others")


def check_classes(prior: ConditionedPrior, model: Model) -> None:
    """A class for each item; the first are the same however many follow."""
    few, many = (
        prior.draw_classes(count, torch.Generator().manual_seed(0)) for count in (3, COUNT)
    )
    for name, value in many.items():
        good = isinstance(value, Tensor) and value.dtype == torch.int64
        good = good and tuple(value.shape) == (COUNT,)
        expect(good, f"classes '{name}' from draw_classes as int64 ({COUNT},)", brief(value))
        same = torch.equal(few[name], value[:3])
        expect(same, f"the same first classes '{name}' however many follow", "others")


def _check_kept(spec: PriorSpec, prior: Any) -> None:
    with expect_no_error(f"entry, tensors() and restore of the prior '{spec.name}'"):
        entry = json.loads(json.dumps(prior.entry))
        tensors = {name: value.clone() for name, value in prior.tensors().items()}
        restored = load_attribute(str(spec.restore))({"kind": spec.name, **entry}, tensors)
    for each in (prior, restored):
        expect(each.kind == spec.name, f"kind '{spec.name}', as its spec has it", brief(each.kind))
    expect(restored.size == prior.size, f"size {prior.size} once restored", brief(restored.size))
    if supports(restored, Prior):
        same = torch.equal(_draws(restored, 0), _draws(prior, 0))
        expect(same, f"the restored prior '{spec.name}' to draw the same", "other draws")


#: Capability of a prior -> ``(prior, model)``, which raises where it cannot do it.
PRIOR_CHECKS: Mapping[type, Callable[[Any, Model], None]] = {
    DensityPrior: check_density,
    ConditionedPrior: check_classes,
}
