"""``aeplug evaluate`` for melodies: reconstruction as in MusicVAE's paper, and samples.

Figures are over valid steps and decode the posterior's mean. ``accuracy_teacher_forced``: the most
likely token given the true ones before. ``accuracy_free_running``: tokens sampled at temperature 1,
each given the model's own before. ``accuracy_greedy``, ``exact_match`` (share of windows without
error) and ``onset_f1`` (onsets of the right pitch at the right step): the most likely token given
the model's own before, as in ``aeplug reconstruct``. ``kl_bits``: to N(0, I).

``accuracy_from_draws`` is free-running from a sample of the posterior. The KL measures the
information in a sample; a decoder that relies on details of the mean, below the posterior's noise,
scores lower here.

For windows longer than two bars ``samples`` also measures how they repeat themselves
(:mod:`aeplug_music.melodies.sample_structure`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from aeplug.data import open_dataset
from aeplug.interfaces import Sampling, Split
from aeplug.model import Model
from aeplug_music.melodies.sample_structure import PIECE, compare_structure
from aeplug_music.melodies.samples import compare_samples, draw_in_metres
from aeplug_music.nets.losses import LN2
from aeplug_music.nets.window_shape import count_bars, step_mask
from aeplug_music.score.tokens import FIRST_ONSET

SEED = 1


@torch.no_grad()
def evaluate(model: Model, split: Split, options: Mapping[str, Any]) -> dict[str, Any]:
    """Figures over all windows, ``by_metre``, and with the option ``samples`` of samples."""
    counts: dict[str, list[Tensor]] = {}
    generator = model.generator(SEED)
    for batch in model.batches(split):
        for name, values in _count_batch(model, batch, generator).items():
            counts.setdefault(name, []).append(values.cpu())
    columns = {name: torch.cat(values) for name, values in counts.items()}
    report: dict[str, Any] = _compute_figures(columns)
    metres = model.shape.conditions["metre"]
    report["by_metre"] = {
        metres[number]: _compute_figures(
            {name: values[columns["metre"] == number] for name, values in columns.items()}
        )
        for number in columns["metre"].unique().long().tolist()
    }
    if options.get("samples"):
        report["samples"] = _evaluate_samples(model, split, options)
    return report


def _count_batch(model: Model, batch: Any, generator: torch.Generator) -> dict[str, Tensor]:
    """Counts that the figures are made of, a value per window, float64 ``(B,)``."""
    posterior, context = model.posterior(batch)
    z, decoder = posterior.mode(), model.task.decoder
    free = decoder.generate(z, context, Sampling(generator=generator))
    greedy = decoder.generate(z, context, Sampling(greedy=True))
    sampled = decoder.generate(posterior.sample(generator), context, Sampling(generator=generator))
    context.target = batch.target
    forced = decoder(z, context, model.task.new_schedule_values(model.device)).most_likely()
    target = batch.target
    mask = step_mask(batch.lengths, target.shape[1])

    def hits(tokens: Tensor) -> Tensor:
        return ((tokens == target) & mask).sum(1).double()

    true_onsets, own_onsets = target >= FIRST_ONSET, (greedy >= FIRST_ONSET) & mask
    return {
        "metre": batch.cond["metre"].double(),
        "steps": batch.lengths.double(),
        "forced": hits(forced),
        "free": hits(free),
        "drawn": hits(sampled),
        "greedy": hits(greedy),
        "exact": (hits(greedy) == batch.lengths).double(),
        "onsets_right": (true_onsets & (greedy == target)).sum(1).double(),
        "onsets": (true_onsets.sum(1) + own_onsets.sum(1)).double(),
        "kl_bits": posterior.kl().flatten(1).sum(1).double() / LN2,
    }


def _compute_figures(columns: Mapping[str, Tensor]) -> dict[str, Any]:
    total = {name: float(values.sum()) for name, values in columns.items()}
    windows, steps = len(columns["steps"]), total["steps"]
    return {
        "windows": windows,
        "accuracy_teacher_forced": total["forced"] / steps,
        "accuracy_free_running": total["free"] / steps,
        "accuracy_greedy": total["greedy"] / steps,
        "accuracy_from_draws": total["drawn"] / steps,
        "exact_match": total["exact"] / windows,
        "onset_f1": 2 * total["onsets_right"] / max(total["onsets"], 1.0),
        "kl_bits": total["kl_bits"] / windows,
    }


def _evaluate_samples(model: Model, split: Split, options: Mapping[str, Any]) -> dict[str, Any]:
    """Compare samples, in the split's mixture of metres, with it and with the training set."""
    held_out = _take_windows(split, int(options["samples"]))
    dataset = open_dataset(model.config)
    training, other = (_take_windows(dataset.split(name)) for name in ("train", "val"))
    metre = held_out["metre"]
    tokens = model.sample(len(metre), SEED, options["sample-temperature"], {"metre": metre})
    report = compare_samples(
        tokens.cpu(),
        held_out["tokens"],
        metre,
        training["tokens"],
        training["metre"],
        other["tokens"],
        other["metre"],
        model.shape,
    )
    if count_bars(model.shape) > PIECE:
        generator = np.random.default_rng(SEED)
        rows, metres, target_metres = (
            array.numpy() for array in (other["tokens"], other["metre"], metre)
        )
        real = torch.from_numpy(draw_in_metres(rows, metres, target_metres, generator))
        report["self_similarity_distance"] = compare_structure(
            tokens.cpu(), held_out["tokens"].long(), real, metre, model.shape
        )
    return report


def _take_windows(split: Split, count: int | None = None) -> dict[str, Tensor]:
    """All windows of a split, or ``count`` spread over it: ``tokens`` and ``metre``."""
    rows = len(split) if count is None else min(count, len(split))
    index = torch.linspace(0, len(split) - 1, rows, dtype=torch.float64).round().long()
    raw = split.to(torch.device("cpu")).take(index)
    return {"tokens": raw["tokens"], "metre": raw["metre"].long()}
