"""The focal loss (Lin et al., ICCV 2017) of an autoencoder, with the KL of a variational one."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from aeplug.config import PartConfig, Schedule, setting
from aeplug.interfaces import Batch, DataShape, Posterior, ScheduleValues
from aeplug_extra_parts.dictionary import Logits


class FocalConfig(PartConfig):
    """Settings of the loss."""

    main = "gamma"

    gamma: float = setting(1.0, "how much less counts what is right already; 0: no less", ge=0)
    beta: Schedule = setting("linear(0, 1, 0.2)", "weight of the KL, or a schedule")


class FocalLoss(nn.Module):
    """``(1 - p) ** gamma`` times the cross-entropy, p being the probability of the truth.

    Terms: ``loss``, ``focal_nats``, ``kl_nats``, all of an item.
    """

    Config = FocalConfig

    def __init__(self, config: FocalConfig, shape: DataShape):
        super().__init__()
        self.gamma, self.tokens = config.gamma, shape.classes > 0

    def forward(
        self, output: Logits, batch: Batch, posterior: Posterior, schedule_values: ScheduleValues
    ) -> dict[str, Tensor]:
        """Means over the batch, 0-d."""
        nats = self._nats(output, batch)
        # Not quite 0, where a power below 1 has no gradient.
        weight = (1 - torch.exp(-nats)).clamp(min=1e-6) ** self.gamma
        focal = (weight * nats).flatten(1).sum(1).mean()
        kl = posterior.kl().flatten(1).sum(1).mean()
        return {"loss": focal + schedule_values["beta"] * kl, "focal_nats": focal, "kl_nats": kl}

    def nll(self, output: Logits, batch: Batch) -> Tensor:
        """Cross-entropy without the weight, nats, ``(B,)``."""
        return self._nats(output, batch).flatten(1).sum(1)

    def _nats(self, output: Logits, batch: Batch) -> Tensor:
        """Cross-entropy of each value or token, ``(B, *target)``; 0 beyond an item's length."""
        values, target = output.values.float(), batch.target
        if not self.tokens:
            return functional.binary_cross_entropy_with_logits(values, target, reduction="none")
        nats = functional.cross_entropy(values.movedim(-1, 1), target, reduction="none")
        if batch.lengths is not None:
            steps = torch.arange(target.shape[1], device=target.device)
            nats = nats * (steps < batch.lengths.unsqueeze(1))
        return nats
