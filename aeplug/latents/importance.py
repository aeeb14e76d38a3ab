"""Several draws of each item's latent, and the bound that weighs them by their likelihood."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor

from aeplug.interfaces import LatentPart, Posterior, PosteriorDensity, supports


class ImportanceSamples:
    """Stands in a posterior's place where a loss asks for draws.

    Args:
        posterior: of B items.
        count: draws of each.
        latent: the part it came from, for the prior's density.

    Example:
        >>> features = torch.zeros(4, *model.encoder.features_shape)
        >>> draws = ImportanceSamples(model.task.latent(features), 5, model.task.latent)
        >>> draws.sample().shape, draws.log_ratio().shape
        (torch.Size([20, 2]), torch.Size([20]))
    """

    def __init__(self, posterior: Posterior, count: int, latent: LatentPart) -> None:
        self.count, self.latent = count, latent
        self.each: Posterior = posterior
        if count > 1:
            if not supports(posterior, PosteriorDensity):
                raise ValueError("several draws of a latent that has no density are all the same")
            self.each = posterior.repeat_items(count)
        #: What was drawn, ``(B x count, *latent_shape)``, an item's draws in a row.
        self.z: Tensor = self.each.mode()

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """A draw for each row, ``(B x count, *latent_shape)``; kept as ``z``."""
        self.z = self.each.sample(generator)
        return self.z

    def mode(self) -> Tensor:
        """See :class:`aeplug.interfaces.Posterior`, as for the rest; a row for each draw."""
        return self.each.mode()

    def kl(self) -> Tensor:
        """In nats, a row for each draw."""
        return self.each.kl()

    def statistics(self) -> dict[str, Tensor]:
        """A row for each draw."""
        return self.each.statistics()

    def log_ratio(self, *, stop_score_gradient: bool = False) -> Tensor:
        """Logarithm of prior over posterior density at ``z``, nats, ``(B x count,)``.

        With ``stop_score_gradient`` gradient reaches the posterior's parameters through z alone.
        """
        latent: Any = self.latent
        posterior: Any = self.each
        if stop_score_gradient:
            posterior = posterior.detach_parameters()
        return latent.log_prior(self.z) - posterior.log_prob(self.z)


def importance_bound(
    nll: Tensor,
    draws: ImportanceSamples,
    gradient: Literal["standard", "doubly-reparameterised"] = "standard",
) -> Tensor:
    """The lower bound of log p(x) by ``K = draws.count`` importance weights, nats, ``(B,)``.

    ``log(mean_k p(x|z_k) p(z_k) / q(z_k|x))`` (Burda et al., ICLR 2016); with K = 1 the ELBO.

    Args:
        nll: of the target given each draw, nats, ``(B x K,)``.
        draws: where the outputs came from.
        gradient: ``doubly-reparameterised`` is that of Tucker et al. (ICLR 2019): unbiased as
            well, and for the encoder not noisier as K grows.

    Example:
        >>> features = torch.zeros(4, *model.encoder.features_shape)
        >>> draws = ImportanceSamples(model.task.latent(features), 5, model.task.latent)
        >>> output = model.task.decoder(draws.sample(), Context(), {})
        >>> batch = Batch(torch.zeros(4, 1, 28, 28), torch.zeros(4, 1, 28, 28)).repeat_items(5)
        >>> importance_bound(model.task.loss.nll(output, batch), draws).shape
        torch.Size([4])
    """
    doubly = gradient == "doubly-reparameterised"
    ratio = draws.log_ratio(stop_score_gradient=doubly)
    weights = (ratio - nll).unflatten(0, (-1, draws.count))
    bound = weights.logsumexp(1) - math.log(draws.count)
    if not (doubly and draws.z.requires_grad):
        return bound
    shares = weights.detach().softmax(1)
    # The encoder is reached by z alone, and there the weights count twice.
    draws.z.register_hook(lambda slope: slope * shares.flatten().to(slope).unsqueeze(1))
    return bound
