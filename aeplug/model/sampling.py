"""Drawing new items from a model, under the constraints that its codec's options set."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from aeplug.data.batching import INFERENCE_BATCH
from aeplug.errors import ConfigError
from aeplug.interfaces import (
    CandidateCodec,
    ConditionedPrior,
    ConstrainableCodec,
    Document,
    Prior,
    Sampling,
    supports,
)
from aeplug.model.capabilities import require_verb
from aeplug.model.trained import TrainedModel
from aeplug.runtime.tracking import track


@torch.no_grad()
def sample(
    model: TrainedModel,
    count: int,
    seed: int,
    temperature: float | None,
    cond: Mapping[str, Any] | None,
    top_k: int,
    top_p: float,
    greedy: bool,
    prior: str,
    prior_scale: float | None,
) -> Tensor:
    """See :meth:`aeplug.Model.sample`."""
    prior = prior or model.default_prior
    require_verb(model, "sample", prior)
    if count < 1:
        raise ConfigError(f"cannot sample {count} items: expected at least 1")
    temperature = model.spec.sampling.temperature if temperature is None else temperature
    if not temperature > 0:
        raise ConfigError(f"temperature {temperature}: expected above 0")
    generator = model.generator(seed)
    if prior_scale is None:
        prior_scale = model.spec.sampling.prior_scale
    if prior_scale is None:
        prior_scale = math.sqrt(temperature)
    codec = model.codec if supports(model.codec, CandidateCodec) else None
    each = codec.item_candidates if codec is not None else 1
    # In whole batches, also where fewer are asked for: draws depend on a tensor's size, and
    # the first items shall be the same however many follow.
    rows = count * each
    starts = range(0, rows, INFERENCE_BATCH)
    chosen = {
        name: torch.cat([value, value[-1:].expand(len(starts) * INFERENCE_BATCH - rows)])
        for name, value in (
            (name, value.repeat_interleave(each))
            for name, value in draw_conditions(model, cond, count, seed, prior).items()
        )
    }
    source = item_prior(model, prior)
    draws = []
    for start in starts:
        part = slice(start, start + INFERENCE_BATCH)
        classes = {name: value[part] for name, value in chosen.items()}
        draws.append(source.sample(INFERENCE_BATCH, prior_scale, generator, classes))
    # A generator of its own, since how many latents were drawn before must not matter either.
    token_draws = model.generator((seed + 2**40) % 2**63)
    sampling = constrain(model, Sampling(temperature, top_k, top_p, greedy, token_draws))
    decoded = [
        model.decode(
            draws[number],
            {name: value[start : start + INFERENCE_BATCH] for name, value in chosen.items()},
            sampling,
        )
        for number, start in track(
            enumerate(starts), rows, size=lambda step: min(INFERENCE_BATCH, rows - step[1])
        )
    ]
    data = torch.cat(decoded)[:rows]
    if codec is None or each == 1:
        return data
    choices = model.generator((seed + 2**41) % 2**63)
    return _choose_items(codec, data, each, chosen, choices)


def _choose_items(
    codec: CandidateCodec,
    data: Tensor,
    each: int,
    cond: Mapping[str, Tensor],
    generator: torch.Generator,
) -> Tensor:
    """One of every ``each`` rows of data ``(B, *shape.target)``, drawn by the codec's weights."""
    equal, nothing = torch.zeros(each, device=data.device), data[:0]
    kept = []
    for start in range(0, len(data), each):
        candidates = data[start : start + each]
        classes = {name: value[start : start + 1] for name, value in cond.items()}
        logits = codec.weigh_candidates(nothing, candidates, equal, classes, last=True)
        number = torch.multinomial(logits.softmax(0), 1, generator=generator)
        kept.append(candidates[number])
    return torch.cat(kept)


def constrain(model: TrainedModel, sampling: Sampling, like: Document | None = None) -> Sampling:
    """How to draw, with the constraints of the codec's options.

    Args:
        model: whose codec.
        sampling: how to draw; a bias that it has already stays.
        like: the document that is changed or continued.

    Raises:
        ConfigError: the constraints leave nothing to draw.

    Example:
        >>> constrain(model, Sampling(greedy=True)).logit_bias is None  # images have no options
        True
    """
    if sampling.logit_bias is not None or not supports(model.codec, ConstrainableCodec):
        return sampling
    bias = model.codec.logit_bias(like)
    return sampling if bias is None else replace(sampling, logit_bias=bias.to(model.device))


def item_prior(model: TrainedModel, name: str) -> Prior:
    """The prior of this name, one that single items are drawn from.

    Raises:
        ConfigError: there is none, or it is of whole documents.
    """
    prior = model.priors.get(name)
    if not supports(prior, Prior):
        raise ConfigError(
            f"prior '{name}' generates whole documents, not single items: sample with --pieces N, "
            f"or name another prior"
        )
    return prior


def draw_conditions(
    model: TrainedModel, cond: Mapping[str, Any] | None, count: int, seed: int, prior: str
) -> dict[str, Tensor]:
    """Conditions as int64 ``(count,)``; those not given as the prior's items have them.

    Example:
        >>> model = aeplug.load("mnist-cvae", device="cpu")
        >>> draw_conditions(model, {"digit": "3"}, 4, seed=0, prior="own")
        {'digit': tensor([3, 3, 3, 3])}
    """
    given = dict(cond or {})
    source = model.priors.get(prior) if model.shape.conditions else None
    if supports(source, ConditionedPrior):
        given = {**source.draw_classes(count, model.generator(seed)), **given}
    return model.conditions(given, count)
