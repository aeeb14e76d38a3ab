"""Which latent dimensions a model uses, if any.

A dimension is active where its posterior mean varies from item to item (Burda, Grosse &
Salakhutdinov, ICLR 2016). Where none is, or where every posterior is the prior, the posterior has
collapsed: the decoder makes every item from the same noise (Bowman et al., CoNLL 2016).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from aeplug.data.splits import iter_rows
from aeplug.evaluation.heldout import EVALUATION_SEED
from aeplug.interfaces import Batch, PosteriorDensity, Prepare, Split, supports
from aeplug.model.task import Task

#: Variance over items of its posterior means above which a dimension is active.
ACTIVE = 0.01
#: Mean KL of a dimension, nats, below which it carries no information.
LEAST_KL_NATS = 0.01
#: Items that training looks at.
ITEMS = 1000
#: Steps of training before which nothing is said: a healthy model may look like that at first.
LEAST_STEPS = 200


@dataclass(frozen=True)
class LatentUse:
    """How a latent of D dimensions is used.

    Attributes:
        variances: over items, of the posterior means, ``(D,)``.
        kl: mean over items, nats, ``(D,)``; ``(1,)`` where it does not divide into dimensions.
    """

    variances: Tensor
    kl: Tensor

    @property
    def active_units(self) -> int:
        """Dimensions whose means vary."""
        return int((self.variances > ACTIVE).sum())

    @property
    def latent_units(self) -> int:
        """Dimensions."""
        return len(self.variances)

    @property
    def warning(self) -> str:
        """A warning where the posterior has collapsed; else empty."""
        if self.active_units and bool((self.kl >= LEAST_KL_NATS).any()):
            return ""
        units = self.latent_units
        return (
            f"the posterior has collapsed: of {units} latent dimensions {self.active_units} are "
            f"active, the largest KL is {float(self.kl.max()):.2g} nats. What is decoded hardly "
            f"depends on the input; a weight of the KL that grows from 0 "
            f"(loss.beta=linear(0, 1, 0.3)), or free nats, often helps"
        )


@torch.no_grad()
def measure_latent_use(task: Task, batches: Iterable[Batch]) -> LatentUse | None:
    """How a task's latent is used for prepared batches; None where posteriors have no density."""
    count = 0
    totals = divergence = origin = torch.zeros(0)
    for batch in batches:
        posterior, _ = task.encode(batch.input, batch.context(with_target=True))
        if not supports(posterior, PosteriorDensity):
            return None
        means = posterior.mode().float().flatten(1)
        # With a learnt prior the KL is one value per item, not one per dimension.
        kl = posterior.kl().float().flatten(1).sum(0)
        if count == 0:
            # Relative to the first item: subtracting the squared mean then loses no precision.
            origin = means[:1].clone()
            totals = torch.zeros(2, means.shape[1], device=means.device)
            divergence = torch.zeros_like(kl)
        moved = means - origin
        totals += torch.stack([moved.sum(0), moved.square().sum(0)])
        divergence += kl
        count += len(means)
    if count == 0:
        return None
    mean, square = totals / count
    return LatentUse((square - mean.square()).clamp(min=0), divergence / count)


@dataclass
class PosteriorCollapseMonitor:
    """Checks each evaluation of a training for a collapsed posterior; warns once.

    It must have collapsed twice in a row, or at the end, and not within the first steps: means may
    hardly vary yet.

    Args:
        prepare: rows -> a batch.
        split: held out.
        batch_size: of one pass.
        autocast: in the mixed precision that is trained in.
    """

    prepare: Prepare
    split: Split
    batch_size: int
    autocast: bool = False
    _warned: bool = field(default=False, init=False)
    _collapsed_before: bool = field(default=False, init=False)

    def check(self, task: Task, step: int, say: Callable[[str], None], *, last: bool) -> None:
        """Say so if the posterior has collapsed and it was not said before.

        Args:
            task: as it is at ``step`` of the training.
            step: of the optimizers.
            say: called with the line.
            last: whether training ends here.
        """
        if self._warned or step < LEAST_STEPS:
            return
        was_training = task.training
        task.eval()
        device = next(task.parameters()).device
        with torch.autocast(device.type, torch.bfloat16, enabled=self.autocast):
            use = measure_latent_use(task, self._batches(device))
        task.train(was_training)
        warning = use.warning if use is not None else ""
        if warning and (self._collapsed_before or last):
            say(f"warning: {warning}")
            self._warned = True
        self._collapsed_before = bool(warning)

    def _batches(self, device: torch.device) -> Iterator[Batch]:
        rows = torch.arange(min(ITEMS, len(self.split)))
        for _, raw in iter_rows(self.split, device, rows, self.batch_size):
            generator = torch.Generator(device).manual_seed(EVALUATION_SEED)
            yield self.prepare(raw, generator, training=False)
