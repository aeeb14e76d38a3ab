"""How likely a model makes data: the evidence lower bound, and log p(x) by importance sampling.

``log p(x) >= E log(1/K sum_k w_k)``, ``w_k = p(x|z_k) p(z_k) / q(z_k|x)`` with z_k drawn from
q(z|x): exact as K grows, a lower bound on average for every K, and the evidence lower bound at
K = 1 (Burda, Grosse & Salakhutdinov, ICLR 2016).
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
    """Bounds of N items, each float64 ``(N,)``.

    Attributes:
        elbo: evidence lower bound, the mean of the log-weights; nats.
        log_likelihood: the bound by all draws together; nats.
        effective: how many draws carry the sum of the weights, 1 to K (Kong, 1992).
    """

    elbo: Tensor
    log_likelihood: Tensor
    effective: Tensor


def estimate_likelihood(model: Model, split: Split, draws: int, prior: str = "") -> dict[str, Any]:
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
    distribution = name_distribution(model, next(model.batches(split, 1)))
    log_prior = find_log_prior(model, prior)
    generator = model.generator(EVALUATION_SEED)
    parts: list[Bounds] = []
    with Progress(count, "items") as progress:
        for rows, raw in iter_rows(split, model.device):
            start = int(rows[0])
            # Drawn as for the loss that is reported beside: the same noise, if there is any.
            batch = model.prepare(raw, generator, training=False)
            name_distribution(model, batch)
            parts += _compute_in_parts(model, batch, draws, log_prior, start, progress)
    elbo, total, effective = (
        torch.cat([getattr(part, name) for part in parts])
        for name in ("elbo", "log_likelihood", "effective")
    )
    facts = model.prepare.facts if supports(model.prepare, TargetFacts) else {}
    return {
        "elbo_nats": float(elbo.mean()),
        "log_likelihood_nats": float(total.mean()),
        "log_likelihood_se_nats": float(total.std() / math.sqrt(len(total))) if count > 1 else None,
        "importance_draws": draws,
        "effective_draws": float(effective.mean()),
        "likelihood_of": distribution,
        **facts,
        "prior": prior or "own",
    }


def _compute_in_parts(
    model: Model,
    batch: Batch,
    draws: int,
    log_prior: LogPrior,
    done: int,
    progress: Progress,
) -> list[Bounds]:
    """Bounds of a batch, some items at a time: as many as make a batch with their draws."""
    together = max(1, max_rows(model, batch) // draws)
    parts = []
    for start in range(0, len(batch.input), together):
        items = slice_batch(batch, slice(start, start + together))
        # A generator for each part: an item's draws do not depend on how many go before it.
        generator = model.generator((EVALUATION_SEED + 1 + done + start) % 2**63)
        parts.append(compute_bounds(model, items, draws, log_prior, generator))
        progress.update(done + start + len(items.input))
    return parts


@torch.no_grad()
def compute_bounds(
    model: Model,
    batch: Batch,
    draws: int,
    log_prior: LogPrior,
    generator: torch.Generator,
) -> Bounds:
    """Bounds of a prepared batch, some draws at a time: the weights are never all in memory."""
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
    at_once = max(1, max_rows(model, batch) // count)
    for start in range(0, draws, at_once):
        drawn = min(at_once, draws - start)
        repeated, items = posterior.repeat_items(drawn), batch.repeat_items(drawn)
        z = repeated.sample(generator)
        output = task.decoder(z, context.repeat_items(drawn), schedule_values)
        nll = task.loss.nll(output, items)
        weights = log_prior(z, items.cond) - repeated.log_prob(z) - nll
        weights = weights.to(wide).unflatten(0, (count, drawn))
        total = torch.logaddexp(total, weights.logsumexp(1))
        squares = torch.logaddexp(squares, (2 * weights).logsumexp(1))
        summed += weights.sum(1)
    return Bounds(
        (summed / draws).cpu(),
        (total - math.log(draws)).cpu(),
        torch.exp(2 * total - squares).cpu(),
    )


def max_rows(model: Model, batch: Batch) -> int:
    """How many draws are decoded together."""
    values = batch.target[0].numel() * max(1, model.shape.classes)
    return max(1, min(ROWS, VALUES // values))


def find_log_prior(model: Model, name: str) -> LogPrior:
    """The density of a model's own prior, or of another by its name.

    Raises:
        ConfigError: there is none.
    """
    name = name or OWN
    prior = item_prior(model, name)
    if supports(prior, DensityPrior):
        return prior.log_prob
    if name != OWN:
        raise ConfigError(f"the prior '{name}' has no density in closed form")
    raise ConfigError(_explain_no_density(model, "its prior has no density"))


def name_distribution(model: Model, batch: Batch) -> str:
    """The distribution in words of which the loss's ``nll`` is a likelihood, by a batch.

    Raises:
        ConfigError: it is none, or posteriors have no density.
    """
    posterior, _ = model.posterior(slice_batch(batch, slice(0, 1)))
    if not supports(posterior, PosteriorDensity):
        raise ConfigError(_explain_no_density(model, "its codes are points without a density"))
    loss = model.task.loss
    if not supports(loss, DistributionLoss):
        name = model.config.sections["loss"].name
        raise ConfigError(f"'{model.spec.name}' has no likelihood: its loss '{name}' is none")
    return loss.distribution(batch)


def _explain_no_density(model: Model, why: str) -> str:
    part = model.config.sections["latent"].name
    return (
        f"'{model.spec.name}' has no likelihood: with the latent '{part}' {why}; a variational "
        f"autoencoder has one (latent=gaussian)"
    )
