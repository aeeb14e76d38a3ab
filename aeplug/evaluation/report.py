"""Figures of a model on data it was not trained on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aeplug.data.batching import INFERENCE_BATCH
from aeplug.errors import ConfigError
from aeplug.evaluation.collapse import LEAST_STEPS, measure_latent_use
from aeplug.evaluation.coverage import measure_coverage
from aeplug.evaluation.heldout import compute_mean_losses
from aeplug.interfaces import Split
from aeplug.model.model import Model
from aeplug.plugins.specs import load_attribute
from aeplug.runtime.console import say
from aeplug.runtime.distributed import Distributed
from aeplug.runtime.tracking import show_progress


def evaluate(
    model: Model, split: Split, options: Mapping[str, Any], *, with_baselines: bool = False
) -> dict[str, Any]:
    """The loss and its terms, the task's own figures, and baselines where asked for.

    Returns:
        Figures by name in snake_case with the unit at the end; ``items`` is how many items they
        are taken over; comparisons lie under ``baselines``. Where posteriors have a density,
        ``active_units`` of ``latent_units``, and a warning on stderr if they have collapsed. Where
        the task has a guard, ``coverage``: the share of items that ``reconstruct`` gives back.
    """
    distributed = Distributed(0, 1, model.device)
    step = int(model.header.get("total_steps", 1))
    if with_baselines and not model.spec.baselines:  # nobody shall wait for that
        raise ConfigError(f"task '{model.spec.name}' has no baselines to compare with")
    with show_progress("losses"):
        losses = compute_mean_losses(
            model.task,
            model.prepare,
            split.to(model.device),
            len(split),
            INFERENCE_BATCH,
            distributed,
            step,
        )
    report: dict[str, Any] = {"items": len(split), **losses}
    with show_progress("use of the latent"):
        use = measure_latent_use(model.task, model.batches(split))
    if use is not None:
        report.update(active_units=use.active_units, latent_units=use.latent_units)
        if use.warning and int(model.header.get("step", LEAST_STEPS)) >= LEAST_STEPS:
            say(f"aeplug: warning: {use.warning}")
    with show_progress("coverage"):
        coverage = measure_coverage(model, split)
    if coverage is not None:
        report["coverage"] = coverage
    if model.spec.evaluate:
        with show_progress("figures of the task"):
            report.update(load_attribute(model.spec.evaluate)(model, split, options))
    if with_baselines and model.spec.baselines:
        with show_progress("baselines"):
            report["baselines"] = load_attribute(model.spec.baselines)(model, split, options)
    return report
