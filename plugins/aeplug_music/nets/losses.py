"""Evidence lower bound of sequences, with MusicVAE's free bits."""

from __future__ import annotations

import math
from typing import Literal, Protocol

import torch
from torch import Tensor

from aeplug.config import PartConfig, Schedule, setting
from aeplug.interfaces import Batch, DataShape, Posterior, ScheduleValues, supports

LN2 = math.log(2)


class SequenceOutput(Protocol):
    """Output of a sequence decoder: the distribution of a sequence given its latent."""

    def nll(self, target: Tensor, lengths: Tensor) -> Tensor:
        """Negative log-likelihood of ``(B, T, ...)`` over lengths ``(B,)``, nats, ``(B,)``."""
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
    free_bits: float = setting(0.0, "bits of KL that are not penalised", unit="bits", ge=0)
    free_bits_of: Literal["window", "dimension"] = setting(
        "window", "whether a window as a whole or each latent dimension has the free bits"
    )


class SequenceELBO(torch.nn.Module):
    """``mean(nll) + beta * mean(max(KL - free_bits, 0))``, nats per window.

    Terms: ``loss``, ``nll_nats``, ``kl_bits`` (with free bits included). The output of the decoder
    computes the negative log-likelihood (:class:`SequenceOutput`); a decoder may name its
    distribution in ``distribution``.
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
        """Terms as means over the batch, 0-d."""
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
        """Negative log-likelihood of each window, nats, ``(B,)``."""
        assert batch.lengths is not None
        return output.nll(batch.target, batch.lengths)

    def distribution(self, batch: Batch) -> str:
        """See :class:`aeplug.interfaces.DistributionLoss`."""
        return self._distribution
