"""``aeplug evaluate`` for drums.

**Hits.** A step is right where all nine drums are. From the mean of the posterior:
``accuracy_teacher_forced`` (the likeliest combination given the true ones before),
``accuracy_free_running`` (drawn at temperature 1, each given the model's own before),
``accuracy_greedy``, ``exact_match`` (share of windows without an error) and ``hit_f1`` (the
likeliest given the model's own before, as ``aeplug reconstruct`` gives). The KL, to N(0, I), counts
the bits of a draw, so the same from a draw: ``accuracy_from_draws`` (free-running) and
``accuracy_teacher_forced_from_draws``.

**Groove.** For each form in which a performance can be given (all of it, its score, its rhythm):
the mean absolute error of velocity in MIDI units and of timing in milliseconds at the true hits,
which are given to the decoder, greedily from the mean; the same from a draw of z; ``hit_f1`` of
what is made without them. ``constant`` is the best that can be done without looking: the mean of
each class over the very hits that are measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from aeplug.generation import Model
from aeplug.interfaces import Batch, Sampling, Split
from aeplug.tensor_model import BATCH
from aeplug_music.drums.kit import BAR, DRUMS, MAX_VELOCITY
from aeplug_music.drums.prepare import FORMS
from aeplug_music.drums.window_form import bits_of
from aeplug_music.losses import LN2

SEED = 1


@torch.no_grad()
def evaluate_hits(model: Model, split: Split, options: Mapping[str, Any]) -> dict[str, Any]:
    """Figures over all windows of hits."""
    counts: dict[str, Tensor] = {}
    generator = model.generator(SEED)
    for batch in model.batches(split):
        for name, value in _hit_counts(model, batch, generator).items():
            counts[name] = counts.get(name, torch.zeros(())) + value.double().sum().cpu()
    total = {name: float(value) for name, value in counts.items()}
    steps, windows = total["steps"], total["windows"]
    return {
        **{name: total[name] / steps for name in total if name.startswith("accuracy")},
        "exact_match": total["exact"] / windows,
        "hit_f1": 2 * total["hits_right"] / max(total["hits"], 1.0),
        "kl_bits": total["kl_bits"] / windows,
    }


def _hit_counts(model: Model, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
    """What the figures are made of, to be summed."""
    posterior, context = model.posterior(batch)
    decoder, knobs, target = model.task.decoder, model.task.knobs(model.device), batch.target
    mean, drawn = posterior.mode(), posterior.sample(generator)
    at_one = Sampling(generator=generator)
    greedy = decoder.generate(mean, context, Sampling(greedy=True))
    right = greedy == target
    forced = replace(context, target=target)
    true, own = bits_of(target), bits_of(greedy)
    return {
        "accuracy_teacher_forced": decoder(mean, forced, knobs).likeliest() == target,
        "accuracy_free_running": decoder.generate(mean, context, at_one) == target,
        "accuracy_greedy": right,
        "accuracy_from_draws": decoder.generate(drawn, context, at_one) == target,
        "accuracy_teacher_forced_from_draws": decoder(drawn, forced, knobs).likeliest() == target,
        "exact": right.all(1),
        "hits_right": true * own,
        "hits": true + own,
        "kl_bits": posterior.kl() / LN2,
        "steps": torch.ones_like(target),
        "windows": torch.ones(len(target)),
    }


@torch.no_grad()
def evaluate_groove(model: Model, split: Split, options: Mapping[str, Any]) -> dict[str, Any]:
    """Errors of velocity and timing for each form, and of the constant."""
    generator = model.generator(SEED)
    played = _Played()
    errors = {form: _Errors() for form in FORMS}
    split = split.to(model.device)
    for start in range(0, len(split), BATCH):
        raw = split.take(torch.arange(start, min(start + BATCH, len(split)), device=model.device))
        ms = 60_000 / raw["bpm"].double() / (BAR // 4)  # of a step
        batches = {
            form: model.asked({"given": form}).prepare(raw, generator, training=False)
            for form in FORMS
        }
        played.add(batches["all"].target, ms)
        for form, batch in batches.items():
            errors[form].add(model, batch, batches["score"].input, ms, generator)
    return {
        "hits": played.count,
        "constant": played.errors(),
        **{form: found.figures() for form, found in errors.items()},
    }


class _Played:
    """The hits of a split, and what the mean of each class misses."""

    def __init__(self) -> None:
        self._velocity: list[Tensor] = []
        self._offset: list[Tensor] = []
        self._ms: list[Tensor] = []
        self._drum: list[Tensor] = []

    def add(self, target: Tensor, ms: Tensor) -> None:
        hits, velocity, offset = target.double().split(DRUMS, -1)
        which = hits > 0
        self._velocity.append(velocity[which] * MAX_VELOCITY)
        self._offset.append(offset[which])
        self._ms.append(ms.view(-1, 1, 1).expand_as(hits)[which])
        self._drum.append(torch.nonzero(which)[:, 2])

    @property
    def count(self) -> int:
        return sum(map(len, self._drum))

    def errors(self) -> dict[str, float]:
        drum, ms = torch.cat(self._drum), torch.cat(self._ms)
        distance = []
        for values in (torch.cat(self._velocity), torch.cat(self._offset)):
            sums, counts = (values.new_zeros(DRUMS) for _ in range(2))
            sums.scatter_add_(0, drum, values)
            counts.scatter_add_(0, drum, torch.ones_like(values))
            distance.append((values - (sums / counts.clamp(min=1))[drum]).abs())
        return {
            "velocity_error": float(distance[0].mean()),
            "timing_error_ms": float((distance[1] * ms).mean()),
        }


class _Errors:
    """What a model misses of performances given in one form."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}

    def add(
        self, model: Model, batch: Batch, score: Tensor, ms: Tensor, generator: torch.Generator
    ) -> None:
        posterior, context = model.posterior(batch)
        decoder, greedy = model.task.decoder, Sampling(greedy=True)
        target = batch.target.double()
        hits, velocity, offset = target.split(DRUMS, -1)
        kept = replace(context, input=score)
        for end, z in (("", posterior.mode()), ("_from_draws", posterior.sample(generator))):
            _, loud, late = decoder.generate(z, kept, greedy).double().split(DRUMS, -1)
            self._add("velocity_error" + end, ((loud - velocity).abs() * hits) * MAX_VELOCITY)
            self._add("timing_error_ms" + end, (late - offset).abs() * hits * ms.view(-1, 1, 1))
        self._add("hits", hits)
        own = decoder.generate(posterior.mode(), replace(context, input=None), greedy)[..., :DRUMS]
        self._add("right", own * hits)
        self._add("own", own)
        self._add("kl_bits", posterior.kl() / LN2)
        self._add("windows", torch.ones(len(hits)))

    def _add(self, name: str, values: Tensor) -> None:
        self._sums[name] = self._sums.get(name, 0.0) + float(values.double().sum())

    def figures(self) -> dict[str, float]:
        sums = self._sums
        return {
            **{name: sums[name] / max(sums["hits"], 1.0) for name in sums if "error" in name},
            "hit_f1": 2 * sums["right"] / max(sums["hits"] + sums["own"], 1.0),
            "kl_bits": sums["kl_bits"] / sums["windows"],
        }
