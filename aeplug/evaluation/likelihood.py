"""How likely a model makes data: the evidence lower bound, and log p(x) by importance sampling.

``log p(x) >= E log(1/K sum_k w_k)``, ``w_k = p(x|z_k) p(z_k) / q(z_k|x)`` with z_k drawn from
q(z|x): exact as K grows, below it in the mean for every K, and at K = 1 the evidence lower bound
(Burda, Grosse & Salakhutdinov, ICLR 2016).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from aeplug.data.batching import slice_batch
from aeplug.data.splits import iter_rows
from aeplug.errors import ConfigError
from aeplug.evaluation.heldout import EVALUATION_SEED
from aeplug.interfaces import (
    OWN,
    Batch,
    DensityPrior,
    DistributionLoss,
    PosteriorDensity,
    Split,
    TargetFacts,
    supports,
)
from aeplug.model.model import Model
from aeplug.model.sampling import item_prior
from aeplug.runtime.console import Progress

#: Draws decoded at once, and values of their targets, at most.
ROWS, VALUES = 2048, 1 << 21

#: Logarithm of a prior's density at ``(B, D)`` given conditions ``(B,)``, nats, ``(B,)``.
LogPrior = Callable[[Tensor, Mapping[str, Tensor]], Tensor]


@dataclass(frozen=True)
class Bounds:
    """Of each item, float64 ``(N,)``.

    Attributes:
        elbo: evidence lower bound, the mean of the log-weights; nats.
        log_likelihood: the bound by all draws together; nats.
        effective: how many draws carry the sum of the weights, 1 to K (Kong, 1992).
    """

    elbo: Tensor
    log_likelihood: Tensor
    effective: Tensor


def likelihood(model: Model, split: Split, draws: int, prior: str = "") -> dict[str, Any]:
    """ELBO and log-likelihood of a split's items, of the task's own targets.

    Args:
        model: with densities of posterior and prior, and a loss that is a likelihood.
        split: which items.
        draws: K, of each item's posterior.
        prior: in place of the model's own; see :meth:`aeplug.model.model.Model.sample`.

    Returns:
        ``elbo_nats`` and ``log_likelihood_nats``, means over items;
        ``log_likelihood_se_nats``, the standard error of the latter over items;
        ``importance_draws`` and ``effective_draws``; ``likelihood_of`` and ``prior``, in words;
        and what the task's preparation says of its targets, ``binarisation``.

    Raises:
        ConfigError: the model has no likelihood; the message says why.
    """
    split, count = split.to(model.device), len(split)
    of = distribution(model, next(model.batches(split, 1)))
    log_prior = log_prior_of(model, prior)
    generator = model.generator(EVALUATION_SEED)
    found: list[Bounds] = []
    with Progress(count, "items") as progress:
        for rows, raw in iter_rows(split, model.device):
            start = int(rows[0])
            # Drawn as for the loss that is reported beside: the same noise, if there is any.
            batch = model.prepare(raw, generator, training=False)
            distribution(model, batch)
            found += _bounds_of(model, batch, draws, log_prior, start, progress)
    elbo, total, effective = (
        torch.cat([getattr(one, name) for one in found])
        for name in ("elbo", "log_likelihood", "effective")
    )
    facts = model.prepare.facts if supports(model.prepare, TargetFacts) else {}
    return {
        "elbo_nats": float(elbo.mean()),
        "log_likelihood_nats": float(total.mean()),
        "log_likelihood_se_nats": float(total.std() / math.sqrt(len(total))) if count > 1 else None,
        "importance_draws": draws,
        "effective_draws": float(effective.mean()),
        "likelihood_of": of,
        **facts,
        "prior": prior or "own",
    }


def _bounds_of(
    model: Model,
    batch: Batch,
    draws: int,
    log_prior: LogPrior,
    done: int,
    progress: Progress,
) -> list[Bounds]:
    """Of a batch, some items at a time: as many as make a batch with their draws."""
    together = max(1, rows_at_once(model, batch) // draws)
    found = []
    for start in range(0, len(batch.input), together):
        part = slice_batch(batch, slice(start, start + together))
        # Of their own: an item's draws are the same however many go before it.
        generator = model.generator((EVALUATION_SEED + 1 + done + start) % 2**63)
        found.append(bounds(model, part, draws, log_prior, generator))
        progress.update(done + start + len(part.input))
    return found


@torch.no_grad()
def bounds(
    model: Model,
    batch: Batch,
    draws: int,
    log_prior: LogPrior,
    generator: torch.Generator,
) -> Bounds:
    """Of a prepared batch, summed up some draws at a time, never holding all weights."""
    task = model.task
    schedule_values = task.new_schedule_values(model.device)
    step = int(model.header.get("total_steps", 1))
    task.update_schedules(schedule_values, step, step)
    posterior, context = task.encode(batch.input, batch.context(with_target=True))
    assert supports(posterior, PosteriorDensity)
    count = len(batch.input)
    wide = torch.float32 if model.device.type == "mps" else torch.float64
    total = torch.full((count,), -math.inf, dtype=wide, device=model.device)
    squares, summed = total.clone(), torch.zeros_like(total)
    at_once = max(1, rows_at_once(model, batch) // count)
    for start in range(0, draws, at_once):
        here = min(at_once, draws - start)
        each, around, items = posterior.repeated(here), context.repeated(here), batch.repeated(here)
        z = each.sample(generator)
        nll = task.loss.nll(task.decoder(z, around, schedule_values), items)
        weights = log_prior(z, items.cond) - each.log_prob(z) - nll
        weights = weights.to(wide).unflatten(0, (count, here))
        total = torch.logaddexp(total, weights.logsumexp(1))
        squares = torch.logaddexp(squares, (2 * weights).logsumexp(1))
        summed += weights.sum(1)
    return Bounds(
        (summed / draws).cpu(),
        (total - math.log(draws)).cpu(),
        torch.exp(2 * total - squares).cpu(),
    )


def rows_at_once(model: Model, batch: Batch) -> int:
    """Draws that are decoded together."""
    values = batch.target[0].numel() * max(1, model.shape.classes)
    return max(1, min(ROWS, VALUES // values))


def log_prior_of(model: Model, name: str) -> LogPrior:
    """The density of a model's own prior, or of another by its name.

    Raises:
        ConfigError: there is none.
    """
    name = name or OWN
    prior = item_prior(model, name)
    if isinstance(prior, DensityPrior):
        return prior.log_prob
    if name != OWN:
        raise ConfigError(f"the prior '{name}' has no density in closed form")
    raise ConfigError(_no_density(model, "its prior has no density"))


def distribution(model: Model, batch: Batch) -> str:
    """What the loss's ``nll`` is a likelihood of, in words, looked up by a batch.

    Raises:
        ConfigError: it is none, or posteriors have no density.
    """
    posterior, _ = model.posterior(slice_batch(batch, slice(0, 1)))
    if not supports(posterior, PosteriorDensity):
        raise ConfigError(_no_density(model, "its codes are points without a density"))
    loss = model.task.loss
    if not supports(loss, DistributionLoss):
        name = model.config.sections["loss"].name
        raise ConfigError(f"'{model.spec.name}' has no likelihood: its loss '{name}' is of none")
    return loss.distribution(batch)


def _no_density(model: Model, why: str) -> str:
    part = model.config.sections["latent"].name
    return (
        f"'{model.spec.name}' has no likelihood: with the latent '{part}' {why}; a variational "
        f"autoencoder has one (latent=gaussian)"
    )
