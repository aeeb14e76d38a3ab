"""Losses over pixels in 0..1; targets are ``(B, C, H, W)`` float32."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from aeplug.config import PartConfig, Schedule, setting
from aeplug.errors import ConfigError
from aeplug.interfaces import Batch, DataShape, Posterior, ScheduleValues
from aeplug_image.nets.pixels import PixelOutput


def bernoulli_nll(output: PixelOutput, target: Tensor) -> Tensor:
    """Nats an image, ``(B,)``: cross-entropy between grey values and pixel means."""
    if output.logits:
        terms = functional.binary_cross_entropy_with_logits(
            output.values.float(), target, reduction="none"
        )
    else:
        means = output.values.float().clamp(1e-6, 1 - 1e-6)
        terms = -(target * means.log() + (1 - target) * torch.log1p(-means))
    return terms.flatten(1).sum(1)


def bernoulli_pixels(target: Tensor) -> str:
    """The name of the distribution.

    Raises:
        ConfigError: there are grey values, to which it gives no probability.
    """
    if not bool(((target == 0) | (target == 1)).all()):
        raise ConfigError(
            "pixels are grey, and Bernoulli pixels black or white: that is no likelihood. Train "
            "with --set prepare.binarise=dynamic or =static, or with loss.pixels=gaussian"
        )
    return "Bernoulli pixels"


class SquaredErrorLoss(torch.nn.Module):
    """A loss of pixels whose likelihood is a Gaussian's of unit variance."""

    def __init__(self, config: PartConfig, shape: DataShape) -> None:
        super().__init__()

    def nll(self, output: PixelOutput, batch: Batch) -> Tensor:
        """As a Gaussian of unit variance; nats, ``(B,)``."""
        squares = (output.means.float() - batch.target).square().flatten(1).sum(1)
        return 0.5 * (squares + batch.target[0].numel() * math.log(2 * math.pi))


class MSEConfig(PartConfig):
    """Settings of the squared error."""

    bce: Schedule = setting(
        Schedule.parse(0.0),
        "share of cross-entropy in its stead, or a schedule: linear(1, 0, 0.3) begins with it, "
        "where a sigmoid under squared error may die",
    )


class MSELoss(SquaredErrorLoss):
    """Mean squared error of a pixel; terms: ``loss``, ``mse``."""

    Config = MSEConfig

    def __init__(self, config: MSEConfig, shape: DataShape) -> None:
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
        mse = functional.mse_loss(output.means.float(), batch.target)
        if not self.mixed:
            return {"loss": mse, "mse": mse}
        bce = bernoulli_nll(output, batch.target).mean() / batch.target[0].numel()
        return {"loss": torch.lerp(mse, bce, schedule_values["bce"]), "mse": mse}


class PixelConfig(PartConfig):
    """Settings of the distribution of a pixel."""

    pixels: Literal["bernoulli", "gaussian"] = setting(
        "bernoulli", "distribution of a pixel given the latent"
    )
    sigma: float = setting(0.1, "standard deviation of a gaussian pixel", gt=0)


class PixelLikelihoodLoss(torch.nn.Module):
    """A loss over the log-likelihood of pixels under the distribution that is set."""

    def __init__(self, config: PixelConfig, shape: DataShape) -> None:
        super().__init__()
        self.config = config

    def nll(self, output: PixelOutput, batch: Batch) -> Tensor:
        """Nats an image, ``(B,)``."""
        target, sigma = batch.target, self.config.sigma
        if self.config.pixels == "bernoulli":
            return bernoulli_nll(output, target)
        squares = (output.means.float() - target).square().flatten(1).sum(1)
        constant = target[0].numel() * math.log(sigma * math.sqrt(2 * math.pi))
        return 0.5 * squares / sigma**2 + constant

    def distribution(self, batch: Batch) -> str:
        """See :class:`aeplug.interfaces.DistributionLoss`."""
        if self.config.pixels == "bernoulli":
            return bernoulli_pixels(batch.target)
        return f"Gaussian pixels, sigma {self.config.sigma:g} (a density of values in 0..1)"


class BCELoss(PixelLikelihoodLoss):
    """Binary cross-entropy in nats a pixel; terms: ``loss``, ``bce``, ``mse``."""

    def __init__(self, config: PartConfig, shape: DataShape) -> None:
        super().__init__(PixelConfig(), shape)

    def forward(
        self,
        output: PixelOutput,
        batch: Batch,
        posterior: Posterior,
        schedule_values: ScheduleValues,
    ) -> dict[str, Tensor]:
        """Means over the batch, 0-d."""
        bce = bernoulli_nll(output, batch.target).mean() / batch.target[0].numel()
        with torch.no_grad():
            mse = functional.mse_loss(output.means.float(), batch.target)
        return {"loss": bce, "bce": bce, "mse": mse}


class ELBOConfig(PixelConfig):
    """Settings of the evidence lower bound."""

    main = "beta"

    beta: Schedule = setting(
        Schedule.parse(1.0), "weight of the KL (Higgins et al., ICLR 2017), or a schedule"
    )
    free_nats: float = setting(
        0.0,
        "nats that each dimension's KL, in the mean of the batch, has for nothing (Kingma et al., "
        "NeurIPS 2016)",
        unit="nats",
        ge=0,
    )


class ELBOLoss(PixelLikelihoodLoss):
    """The loss of a VAE: reconstruction + beta x KL, nats an image (Kingma & Welling, ICLR 2014).

    Terms: ``loss``, ``nll_nats``, ``kl_nats``; the loss at beta 1, nothing free, is the negative
    ELBO. The KL shown is the whole one.
    """

    Config = ELBOConfig
    config: ELBOConfig

    def forward(
        self,
        output: PixelOutput,
        batch: Batch,
        posterior: Posterior,
        schedule_values: ScheduleValues,
    ) -> dict[str, Tensor]:
        """Means over the batch, 0-d."""
        nll = self.nll(output, batch).mean()
        by_dimension = posterior.kl().flatten(1).mean(0)
        costly = by_dimension
        if self.config.free_nats:
            costly = by_dimension.clamp(min=self.config.free_nats)
        loss = nll + schedule_values["beta"] * costly.sum()
        return {"loss": loss, "nll_nats": nll, "kl_nats": by_dimension.sum()}
