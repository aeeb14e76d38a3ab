"""Losses of the field of restoration: how far pictures ``(B, C, H, W)`` are from the truth."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from aeplug.config import PartConfig, Schedule, setting
from aeplug.interfaces import Batch, DataShape, Posterior, ScheduleValues
from aeplug_image.metrics import mse, psnr_db
from aeplug_image.nets.losses import SquaredErrorLoss, bernoulli_nll
from aeplug_image.nets.pixels import PixelOutput


class _Restoration(SquaredErrorLoss):
    """``distance`` of pictures, a value each; terms: ``loss``, ``psnr_db`` (clipped to 0..1)."""

    distance: Callable[[Tensor, Tensor], Tensor]

    def forward(
        self,
        output: PixelOutput,
        batch: Batch,
        posterior: Posterior,
        schedule_values: ScheduleValues,
    ) -> dict[str, Tensor]:
        """Means over the batch, 0-d."""
        means = output.means.float()
        loss = self.distance(means, batch.target).mean()
        with torch.no_grad():
            psnr = psnr_db(means.clamp(0, 1), batch.target).mean()
        return {"loss": loss, "psnr_db": psnr}


class L1Loss(_Restoration):
    """Mean absolute difference of a pixel."""

    def distance(self, images: Tensor, targets: Tensor) -> Tensor:
        """``(B,)``."""
        return (images - targets).abs().flatten(1).mean(1)


class CharbonnierConfig(PartConfig):
    """Settings of the Charbonnier loss."""

    main = "epsilon"

    epsilon: float = setting(1e-3, "difference below which it is like the squared error", gt=0)


class CharbonnierLoss(_Restoration):
    """Mean of ``sqrt(d^2 + epsilon^2)`` (Charbonnier et al., ICIP 1994)."""

    Config = CharbonnierConfig

    def __init__(self, config: CharbonnierConfig, shape: DataShape) -> None:
        super().__init__(config, shape)
        self.epsilon = config.epsilon

    def distance(self, images: Tensor, targets: Tensor) -> Tensor:
        """``(B,)``."""
        return ((images - targets).square() + self.epsilon**2).sqrt().flatten(1).mean(1)


class PSNRConfig(PartConfig):
    """Settings of the PSNR as a loss."""

    bce: Schedule = setting(
        Schedule.parse(0.0),
        "share of cross-entropy in its stead, or a schedule: linear(1, 0, 0.3) begins with it, "
        "where logits would saturate and learn no more",
    )


class PSNRLoss(_Restoration):
    """Half the logarithm of each picture's mean squared error (Chen et al., NAFNet, ECCV 2022).

    The mean PSNR itself, in other units: easy pictures and strong noise count alike.
    """

    Config = PSNRConfig

    #: Squared errors below this (60 dB) are as good as none, and have no steeper slope.
    LEAST = 1e-6

    def __init__(self, config: PSNRConfig, shape: DataShape) -> None:
        super().__init__(config, shape)
        # Decided once: a schedule's value may not steer the flow of a compiled module.
        self.mixed = config.bce != Schedule.parse(0.0)

    def forward(
        self,
        output: PixelOutput,
        batch: Batch,
        posterior: Posterior,
        schedule_values: ScheduleValues,
    ) -> dict[str, Tensor]:
        """Means over the batch, 0-d."""
        terms = super().forward(output, batch, posterior, schedule_values)
        if self.mixed:
            bce = bernoulli_nll(output, batch.target).mean() / batch.target[0].numel()
            terms["loss"] = torch.lerp(terms["loss"], bce, schedule_values["bce"])
        return terms

    def distance(self, images: Tensor, targets: Tensor) -> Tensor:
        """``(B,)``, in nats of amplitude: 1 is 8.7 dB."""
        return 0.5 * torch.log(mse(images, targets) + self.LEAST)
