"""The evidence lower bound of a melody, with MusicVAE's free bits."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from aeplug.config import PartConfig, setting
from aeplug.interfaces import Batch, DataShape, Knobs, Posterior
from aeplug.schedules import Schedule
from aeplug_music.token_output import TokenOutput
from aeplug_music.window_shape import bars_of

LN2 = math.log(2)


class MelodyELBOConfig(PartConfig):
    """Settings of the evidence lower bound."""

    main = "beta"

    beta: Schedule = setting(Schedule.parse(0.2), "weight of the KL, or a schedule")
    free_bits: float = setting(0.0, "bits of KL that cost nothing", unit="bits", ge=0)
    free_bits_of: Literal["window", "dimension"] = setting(
        "window", "what has so many free bits: a window's KL as a whole, or each dimension"
    )


class MelodyELBO(torch.nn.Module):
    """``mean(nll) + beta * mean(max(KL - free_bits, 0))``, nats a window.

    Terms: ``loss``, ``nll_nats``, ``kl_bits``; the KL shown is the whole one.
    """

    Config = MelodyELBOConfig

    def __init__(self, config: MelodyELBOConfig, shape: DataShape) -> None:
        super().__init__()
        bars_of(shape)
        self.free = config.free_bits * LN2
        self.per_dimension = config.free_bits_of == "dimension"

    def forward(
        self, output: TokenOutput, batch: Batch, posterior: Posterior, knobs: Knobs
    ) -> dict[str, Tensor]:
        """Means over the batch, 0-d."""
        nll = self.nll(output, batch).mean()
        by_dimension = posterior.kl().flatten(1)
        kl = by_dimension.sum(1)
        if self.per_dimension:
            costly = (by_dimension - self.free).clamp(min=0).sum(1)
        else:
            costly = (kl - self.free).clamp(min=0)
        loss = nll + knobs["beta"] * costly.mean()
        return {"loss": loss, "nll_nats": nll, "kl_bits": kl.mean() / LN2}

    def nll(self, output: TokenOutput, batch: Batch) -> Tensor:
        """Nats a window, ``(B,)``."""
        assert batch.lengths is not None
        return output.nll(batch.target, batch.lengths)

    def distribution(self, batch: Batch) -> str:
        """See :class:`aeplug.interfaces.DistributionLoss`."""
        return "categorical tokens of a window, given its metre"
