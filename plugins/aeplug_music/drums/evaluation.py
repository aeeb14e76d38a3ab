"""``aeplug evaluate`` for drums.

**Hits.** A step is right if all nine drums are. From the mean of the posterior:
``accuracy_teacher_forced`` (the most likely combination given the true ones before),
``accuracy_free_running`` (sampled at temperature 1, each given the model's own before),
``accuracy_greedy``, ``exact_match`` (share of windows without an error) and ``hit_f1`` (the most
likely given the model's own before, as in ``aeplug reconstruct``). The KL, to N(0, I), measures the
information in a sample of the posterior, so the same from a sample: ``accuracy_from_draws``
(free-running) and ``accuracy_teacher_forced_from_draws``.

**Groove.** For each form of the input (all of a performance, its score, its rhythm): the mean
absolute error of velocity in MIDI units and of timing in milliseconds at the true hits, which are
fixed in the decoder, greedily from the mean; the same from a sample of z; ``hit_f1`` without fixed
hits. ``constant`` predicts the mean of each class over the training split of the data that is
evaluated (``--data``, or what the model was trained with), and is left out where that has none;
``constant_in_hindsight`` that over the evaluated hits themselves.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from aeplug.data import iter_rows
from aeplug.errors import DataError
from aeplug.interfaces import Batch, RawBatch, Sampling, Split
from aeplug.model import Model
from aeplug_music.drums.dataset import DrumSplit
from aeplug_music.drums.kit import DRUMS, MAX_VELOCITY, OFFSETS
from aeplug_music.drums.window_shape import FORMS, combination_to_bits
from aeplug_music.nets.losses import LN2
from aeplug_music.score.metres import STEPS_PER_QUARTER

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
    """Counts that the figures are made of, to be summed."""
    posterior, context = model.posterior(batch)
    decoder, schedule_values, target = (
        model.task.decoder,
        model.task.new_schedule_values(model.device),
        batch.target,
    )
    mean, sampled = posterior.mode(), posterior.sample(generator)
    at_one = Sampling(generator=generator)
    greedy = decoder.generate(mean, context, Sampling(greedy=True))
    right = greedy == target
    forced = replace(context, target=target)
    true, own = combination_to_bits(target), combination_to_bits(greedy)
    return {
        "accuracy_teacher_forced": decoder(mean, forced, schedule_values).most_likely() == target,
        "accuracy_free_running": decoder.generate(mean, context, at_one) == target,
        "accuracy_greedy": right,
        "accuracy_from_draws": decoder.generate(sampled, context, at_one) == target,
        "accuracy_teacher_forced_from_draws": decoder(
            sampled, forced, schedule_values
        ).most_likely()
        == target,
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
    errors = {form: _Errors() for form in FORMS}
    for _, raw in iter_rows(split, model.device):
        batches = {
            form: model.with_options({"given": form}).prepare(raw, generator, training=False)
            for form in FORMS
        }
        for form, batch in batches.items():
            errors[form].add(model, batch, batches["score"].input, _step_ms(raw), generator)
    hits = _Hits.of(split, model.device)
    constant = {}
    if isinstance(split, DrumSplit):
        with contextlib.suppress(DataError):  # one performance is in one split
            learnt = _Hits.of(split.dataset.split("train"), model.device)
            constant = {"constant": hits.errors(learnt)}
    return {
        "hits": len(hits.drum),
        **constant,
        "constant_in_hindsight": hits.errors(hits),
        **{form: error.figures() for form, error in errors.items()},
    }


def _step_ms(raw: RawBatch) -> Tensor:
    """Duration of a step of each window, milliseconds, ``(B, 1, 1)``."""
    return (60_000 / raw["bpm"].double() / STEPS_PER_QUARTER).view(-1, 1, 1)


@dataclass
class _Hits:
    """The hits of a split, n of them.

    Attributes:
        velocity: MIDI units, float64 ``(n,)``.
        offset: steps.
        ms: milliseconds of a step.
        drum: their classes, int64.
    """

    velocity: Tensor
    offset: Tensor
    ms: Tensor
    drum: Tensor

    @classmethod
    def of(cls, split: Split, device: torch.device) -> _Hits:
        """All hits of a split."""
        columns: list[tuple[Tensor, ...]] = []
        for _, raw in iter_rows(split, device):
            velocity, offset = raw["velocity"].double(), raw["offset"].double() / OFFSETS
            which = velocity > 0
            ms = _step_ms(raw).expand_as(velocity)[which]
            columns.append((velocity[which], offset[which], ms, torch.nonzero(which)[:, 2]))
        return cls(*(torch.cat(column).cpu() for column in zip(*columns, strict=True)))

    def errors(self, learnt: _Hits) -> dict[str, float]:
        """Errors of predicting these hits by the class means of ``reference``."""
        velocity = (self.velocity - learnt._class_means(learnt.velocity)[self.drum]).abs()
        offset = (self.offset - learnt._class_means(learnt.offset)[self.drum]).abs()
        return {
            "velocity_error": float(velocity.mean()),
            "timing_error_ms": float((offset * self.ms).mean()),
        }

    def _class_means(self, values: Tensor) -> Tensor:
        """Mean of each class ``(9,)``; of a class without hits the mean of all."""
        sums, counts = (values.new_zeros(DRUMS) for _ in range(2))
        sums.scatter_add_(0, self.drum, values)
        counts.scatter_add_(0, self.drum, torch.ones_like(values))
        return torch.where(counts > 0, sums / counts.clamp(min=1), values.mean())


class _Errors:
    """Errors of a model on performances in one form."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}

    def add(
        self, model: Model, batch: Batch, score: Tensor, ms: Tensor, generator: torch.Generator
    ) -> None:
        posterior, context = model.posterior(batch)
        decoder, greedy = model.task.decoder, Sampling(greedy=True)
        target = batch.target.double()
        hits, velocity, offset = target.split(DRUMS, -1)
        fixed = replace(context, input=score)
        for end, z in (("", posterior.mode()), ("_from_draws", posterior.sample(generator))):
            _, loud, late = decoder.generate(z, fixed, greedy).double().split(DRUMS, -1)
            self._add("velocity_error" + end, ((loud - velocity).abs() * hits) * MAX_VELOCITY)
            self._add("timing_error_ms" + end, (late - offset).abs() * hits * ms)
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
