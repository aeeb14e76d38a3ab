"""Protocols of losses: of the output, and what one may be able to do beyond."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from aeplug.interfaces.batch import Batch, ScheduleValues
from aeplug.interfaces.latents import Posterior


class Loss(Protocol):
    """``factory(config, shape)``.

    Example:
        >>> class Squared(nn.Module):
        ...     def forward(self, output, batch, posterior, schedule_values):
        ...         return {"loss": self.nll(output, batch).mean()}
        ...     def nll(self, output, batch):  # -> (B,)
        ...         return (output - batch.target).square().flatten(1).sum(1)
        >>> Squared()(torch.ones(4, 2), Batch(torch.zeros(4, 2), torch.zeros(4, 2)), None, {})
        {'loss': tensor(2.)}
    """

    def __call__(
        self, output: Any, batch: Batch, posterior: Posterior, schedule_values: ScheduleValues
    ) -> dict[str, Tensor]:
        """Means over the batch, 0-d: ``loss`` (minimised) and the terms it is made of."""
        ...

    def nll(self, output: Any, batch: Batch) -> Tensor:
        """Negative log-likelihood of each target given the output, nats, ``(B,)``."""
        ...


@runtime_checkable
class MultiDrawLoss(Loss, Protocol):
    """A loss of several draws of each item's latent, as an importance-weighted bound is.

    Output and batch have ``B x draws`` rows, an item's in a row; the posterior is an
    :class:`aeplug.latents.importance.ImportanceSamples`, which holds z and its densities. For more
    than one draw the posterior must be a :class:`PosteriorDensity`, the latent part a
    :class:`LatentDensity`.

    Attributes:
        draws: how many, at least 1.

    Example:
        >>> class BestOfFour(nn.Module):
        ...     draws = 4
        ...     def forward(self, output, batch, posterior, schedule_values):
        ...         errors = self.nll(output, batch).reshape(-1, self.draws)  # (B, 4)
        ...         return {"loss": errors.min(1).values.mean()}
        ...     def nll(self, output, batch):  # -> (B x 4,)
        ...         return (output - batch.target).square().flatten(1).sum(1)
        >>> batch = Batch(torch.zeros(3, 2), torch.zeros(3, 2)).repeat_items(4)
        >>> BestOfFour()(torch.ones(12, 2), batch, None, {})
        {'loss': tensor(2.)}
    """

    draws: int


@runtime_checkable
class DistributionLoss(Loss, Protocol):
    """A loss whose ``nll`` is that of a distribution over targets, so that likelihoods compare.

    Example:
        >>> class UnitGaussian(nn.Module):
        ...     def nll(self, output, batch):  # -> (B,)
        ...         normal = torch.distributions.Normal(output, 1.0)
        ...         return -normal.log_prob(batch.target).flatten(1).sum(1)
        ...     def distribution(self, batch):
        ...         return "Gaussian of variance 1"
        >>> UnitGaussian().nll(torch.zeros(4, 2), Batch(torch.zeros(4, 2), torch.zeros(4, 2))).shape
        torch.Size([4])
    """

    def distribution(self, batch: Batch) -> str:
        """The distribution in words: ``Bernoulli pixels``.

        Raises:
            ConfigError: it is not one over targets as the batch has them (grey values are none
                of a Bernoulli's); the message says what to set.
        """
        ...
