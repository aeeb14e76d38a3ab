"""The importance weighted bound of an image's log-likelihood."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from aeplug.config import setting
from aeplug.interfaces import Batch, DataShape, LatentDensity, Posterior, ScheduleValues, supports
from aeplug.latents import ImportanceSamples, importance_bound
from aeplug_image.nets.losses import PixelConfig, PixelLikelihoodLoss
from aeplug_image.nets.pixels import PixelOutput


class IWAEConfig(PixelConfig):
    """Settings of the bound."""

    main = "draws"

    draws: int = setting(5, "draws of each image's latent", unit="draws", ge=1)
    gradient: Literal["standard", "doubly-reparameterised"] = setting(
        "standard", "estimator of the gradient; the second is Tucker et al.'s (ICLR 2019)"
    )


class IWAELoss(PixelLikelihoodLoss):
    """Minus the bound of Burda et al. (ICLR 2016), nats an image.

    Terms: ``loss``, ``nll_nats``, ``kl_nats``, means over draws: their sum is minus the ELBO.
    """

    Config = IWAEConfig
    config: IWAEConfig

    def __init__(self, config: IWAEConfig, shape: DataShape) -> None:
        super().__init__(config, shape)
        self.draws = config.draws

    def bind(self, task: nn.Module) -> None:
        """Check that draws can be weighed."""
        if not supports(task.latent, LatentDensity):
            raise ValueError("'iwae' weighs draws by densities, which the latent has none of")

    def forward(
        self,
        output: PixelOutput,
        batch: Batch,
        posterior: Posterior,
        schedule_values: ScheduleValues,
    ) -> dict[str, Tensor]:
        """Means over the batch, 0-d; a row of output and batch is a draw."""
        assert isinstance(posterior, ImportanceSamples)
        nll = self.nll(output, batch)
        bound = importance_bound(nll, posterior, self.config.gradient)
        with torch.no_grad():
            kl = posterior.kl().flatten(1).sum(1).mean()
        return {"loss": -bound.mean(), "nll_nats": nll.mean(), "kl_nats": kl}
