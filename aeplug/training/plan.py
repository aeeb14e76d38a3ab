"""How long a training is, and how often it looks up: all in steps, fixed before the first."""

from __future__ import annotations

import math
from dataclasses import dataclass

from aeplug.config import TrainConfig
from aeplug.errors import TrainingError

#: Where nothing is set, evaluations lie at least so many steps apart (a tenth of a short training),
#: and there are at most so many of them.
EVAL_STEPS, EVALUATIONS = 100, 100


@dataclass(frozen=True)
class TrainingPlan:
    """A training in steps.

    Attributes:
        batch_size: items a step, over all processes.
        steps_per_epoch: of one pass over the data.
        total: of the whole training.
        warmup: in which the learning rate rises.
        eval_every: between evaluations.
        save_every: between checkpoints.
    """

    batch_size: int
    steps_per_epoch: int
    total: int
    warmup: int
    eval_every: int
    save_every: int


def plan_training(settings: TrainConfig, items: int, processes: int) -> TrainingPlan:
    """The plan for a training split of so many items.

    Raises:
        TrainingError: there is no item, or a batch cannot be shared out evenly.
    """
    if items == 0:
        raise TrainingError("the training split is empty")
    # A split smaller than a batch is one batch; else the rest of an epoch that does not fill
    # a batch is left out, so that every step has one shape.
    batch_size = min(settings.batch_size, items) // processes * processes
    if batch_size == 0 or (items >= settings.batch_size and settings.batch_size % processes):
        raise TrainingError(
            f"batch_size={settings.batch_size} cannot be shared evenly by {processes} processes"
        )
    steps_per_epoch = items // batch_size
    total = settings.steps or max(1, round(settings.epochs * steps_per_epoch))
    warmup = settings.warmup
    eval_every = settings.eval_every or _whole_epochs(total, steps_per_epoch)
    return TrainingPlan(
        batch_size=batch_size,
        steps_per_epoch=steps_per_epoch,
        total=total,
        warmup=round(warmup * total) if warmup <= 1 else round(warmup),
        eval_every=eval_every,
        save_every=settings.save_every or eval_every,
    )


def _whole_epochs(total: int, steps_per_epoch: int) -> int:
    """Steps between evaluations: an epoch, or several where epochs are short.

    In steps and not in seconds: which checkpoint is the best must not depend on a machine's speed.
    """
    least = max(min(EVAL_STEPS, total / 10), total / EVALUATIONS)
    return steps_per_epoch * max(1, math.ceil(least / steps_per_epoch))
