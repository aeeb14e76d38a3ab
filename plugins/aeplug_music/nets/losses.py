"""The evidence lower bound of a sequence, with MusicVAE's free bits."""

from __future__ import annotations

import math
from typing import Literal, Protocol

import torch
from torch import Tensor

from aeplug.config import PartConfig, Schedule, setting
from aeplug.interfaces import Batch, DataShape, Posterior, ScheduleValues, supports

LN2 = math.log(2)


class SequenceOutput(Protocol):
    """What decoders of sequences put out: the distribution of a sequence given its latent."""

    def nll(self, target: Tensor, lengths: Tensor) -> Tensor:
        """Nats of each sequence ``(B, T, ...)`` over its first ``lengths`` steps ``(B,)``."""
        ...


class NamedDistribution(Protocol):
    """A decoder that names the distribution of its outputs, for ``evaluate --likelihood``.

    Attributes:
        distribution: in words: ``combinations of nine drums a step``.
    """

    distribution: str


class SequenceELBOConfig(PartConfig):
    """Settings of the evidence lower bound."""

    main = "beta"

    beta: Schedule = setting(Schedule.parse(0.2), "weight of the KL, or a schedule")
    free_bits: float = setting(0.0, "bits of KL that cost nothing", unit="bits", ge=0)
    free_bits_of: Literal["window", "dimension"] = setting(
        "window", "what has so many free bits: a window's KL as a whole, or each dimension"
    )


class SequenceELBO(torch.nn.Module):
    """``mean(nll) + beta * mean(max(KL - free_bits, 0))``, nats a window.

    Terms: ``loss``, ``nll_nats``, ``kl_bits``; the KL shown is the whole one. The negative
    log-likelihood is the decoder's output's own (:class:`SequenceOutput`), and so is the name of
    its distribution, where the decoder has one in ``distribution``.
    """

    Config = SequenceELBOConfig

    def __init__(self, config: SequenceELBOConfig, shape: DataShape) -> None:
        super().__init__()
        self.free = config.free_bits * LN2
        self.per_dimension = config.free_bits_of == "dimension"
        conditions = f", given its {' and '.join(shape.conditions)}" if shape.conditions else ""
        self._distribution = f"categorical tokens of a window{conditions}"

    def bind(self, task: torch.nn.Module) -> None:
        """Take the distribution's name from the decoder."""
        if supports(task.decoder, NamedDistribution):
            self._distribution = task.decoder.distribution

    def forward(
        self,
        output: SequenceOutput,
        batch: Batch,
        posterior: Posterior,
        schedule_values: ScheduleValues,
    ) -> dict[str, Tensor]:
        """Means over the batch, 0-d."""
        nll = self.nll(output, batch).mean()
        by_dimension = posterior.kl().flatten(1)
        kl = by_dimension.sum(1)
        if self.per_dimension:
            costly = (by_dimension - self.free).clamp(min=0).sum(1)
        else:
            costly = (kl - self.free).clamp(min=0)
        loss = nll + schedule_values["beta"] * costly.mean()
        return {"loss": loss, "nll_nats": nll, "kl_bits": kl.mean() / LN2}

    def nll(self, output: SequenceOutput, batch: Batch) -> Tensor:
        """Nats a window, ``(B,)``."""
        assert batch.lengths is not None
        return output.nll(batch.target, batch.lengths)

    def distribution(self, batch: Batch) -> str:
        """See :class:`aeplug.interfaces.DistributionLoss`."""
        return self._distribution
