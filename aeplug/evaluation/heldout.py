"""Mean losses over a split that is not trained on."""

from __future__ import annotations

import torch
from torch import Tensor

from aeplug.errors import TrainingError
from aeplug.interfaces import Prepare, Split
from aeplug.model.task import Task
from aeplug.runtime.distributed import Distributed
from aeplug.runtime.tracking import track

#: Seed of evaluation noise: the same at every evaluation, so that figures compare.
EVALUATION_SEED = 20_131_220


@torch.no_grad()
def compute_mean_losses(
    task: Task,
    prepare: Prepare,
    split: Split,
    items: int,
    batch_size: int,
    distributed: Distributed,
    step: int,
    *,
    autocast: bool = False,
) -> dict[str, float]:
    """Mean of every loss term over the first ``items`` rows, on all processes together.

    The latent is drawn, with a fixed seed; schedules stand at their value of ``step`` of ``step``.
    The task's mode and torch's random state are as before afterwards.

    Example:
        >>> from aeplug.data import TensorSplit
        >>> from aeplug.runtime import Distributed
        >>> split = TensorSplit({"image": torch.zeros(100, 1, 28, 28, dtype=torch.uint8)})
        >>> alone = Distributed(0, 1, torch.device("cpu"))
        >>> list(compute_mean_losses(model.task, model.prepare, split, 100, 50, alone, step=0))
        ['loss', 'nll_nats', 'kl_nats']
    """
    device = distributed.device
    count = min(items, len(split))
    if count == 0:
        raise TrainingError("the held-out split is empty")
    schedule_values = task.new_schedule_values(device)
    task.update_schedules(schedule_values, step, step)
    generator = torch.Generator(device).manual_seed(EVALUATION_SEED + distributed.rank)
    totals: dict[str, Tensor] = {}
    was_training = task.training
    task.eval()
    for rows in track(torch.arange(count, device=device).split(batch_size), count, size=len):
        index = rows[distributed.rank :: distributed.size]
        if len(index) == 0:
            continue
        batch = prepare(split.take(index), generator, training=False)
        with torch.autocast(device.type, torch.bfloat16, enabled=autocast):
            losses = task(batch, schedule_values, generator)
        for name, value in losses.items():
            weighted = value.float() * len(index)
            totals[name] = totals[name] + weighted if name in totals else weighted
    task.train(was_training)
    names = sorted(totals, key=lambda name: name != "loss")
    values = distributed.sum(torch.stack([totals[name] for name in names])) / count
    return dict(zip(names, values.tolist(), strict=True))
