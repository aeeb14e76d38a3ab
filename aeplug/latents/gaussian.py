"""The bottlenecks of most tasks: a plain code and a diagonal Gaussian."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from aeplug.config import PartConfig, setting
from aeplug.interfaces import DataShape, Encoded
from aeplug.latents.code_penalties import CodePenaltyConfig, contraction, sparsity


@dataclass
class PointPosterior:
    """A code without uncertainty.

    Attributes:
        z: ``(B, D)``.
    """

    z: Tensor

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """The code itself, ``(B, D)``."""
        return self.z

    def mode(self) -> Tensor:
        """The code itself, ``(B, D)``."""
        return self.z

    def kl(self) -> Tensor:
        """Zeros, ``(B, D)``: there is no prior to differ from."""
        return torch.zeros_like(self.z)

    def statistics(self) -> dict[str, Tensor]:
        """``mean`` alone, ``(B, D)``."""
        return {"mean": self.z}


@dataclass
class GaussianPosterior:
    """A Gaussian with diagonal covariance (Kingma & Welling, ICLR 2014).

    Attributes:
        mean: ``(B, D)``.
        logvar: natural logarithm of the variance, ``(B, D)``; twice the logarithm of sigma.
        num_deterministic: for how many rows, from the first, ``sample`` gives the mean, without
            gradient.
    """

    mean: Tensor
    logvar: Tensor
    num_deterministic: int = 0

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """A reparameterised draw, ``(B, D)``."""
        noise = torch.empty_like(self.mean).normal_(generator=generator)
        z = self.mean + noise * torch.exp(0.5 * self.logvar)
        if self.num_deterministic:
            z = torch.cat(
                [self.mean[: self.num_deterministic].detach(), z[self.num_deterministic :]]
            )
        return z

    def mode(self) -> Tensor:
        """The mean, ``(B, D)``."""
        return self.mean

    def kl(self) -> Tensor:
        """KL to N(0, 1) in nats, ``(B, D)``, one value a dimension."""
        return 0.5 * (self.mean.square() + self.logvar.exp() - 1.0 - self.logvar)

    def statistics(self) -> dict[str, Tensor]:
        """``mean`` and ``logvar``, each ``(B, D)``."""
        return {"mean": self.mean, "logvar": self.logvar}

    def log_prob(self, z: Tensor) -> Tensor:
        """Logarithm of the density at ``(B, D)``, nats, ``(B,)``."""
        return gaussian_log_prob(z, self.mean, self.logvar)

    def repeat_items(self, count: int) -> GaussianPosterior:
        """Each item's posterior ``count`` times in a row."""
        mean, logvar = (x.repeat_interleave(count, 0) for x in (self.mean, self.logvar))
        return GaussianPosterior(mean, logvar)

    def detach_parameters(self) -> GaussianPosterior:
        """The same without gradient."""
        return replace(self, mean=self.mean.detach(), logvar=self.logvar.detach())


def gaussian_log_prob(z: Tensor, mean: Tensor, logvar: Tensor) -> Tensor:
    """Logarithm of a diagonal Gaussian's density at ``(..., D)``, nats, ``(...)``."""
    squares = (z - mean).square() * torch.exp(-logvar)
    return -0.5 * (squares + logvar + math.log(2 * math.pi)).sum(-1)


def clamp_logvar(logvar: Tensor) -> Tensor:
    """Log-variances limited so that variances neither vanish nor overflow float32."""
    return logvar.clamp(-20.0, 20.0)


class MapsLatent(nn.Module):
    """Feature maps as they are: the latent of fully convolutional nets, for items of any size."""

    Config = PartConfig
    has_prior = False

    def __init__(self, config: PartConfig, features_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.latent_shape = features_shape

    def forward(self, features: Tensor) -> PointPosterior:
        """``(B, *features_shape)``, maps of any size -> themselves."""
        return PointPosterior(features)


class LatentConfig(PartConfig):
    """Settings of the core's bottlenecks."""

    main = "size"

    size: int = setting(32, "number of latent dimensions", unit="dimensions", ge=1)


class DeterministicConfig(CodePenaltyConfig, LatentConfig):
    """Settings of the plain code."""


class DeterministicLatent(nn.Module):
    """A linear map to a code of ``size`` dimensions, which may be kept sparse or contractive.

    Terms where their weights are set: ``sparsity``, ``contraction``.
    """

    Config = DeterministicConfig
    has_prior = False

    def __init__(self, config: DeterministicConfig, features_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.config = config
        self.latent_shape = (config.size,)
        self.input_gradient = config.contractive > 0
        self.code = nn.Linear(math.prod(features_shape), config.size)

    def bind(self, task: nn.Module) -> None:
        """Check that the input can be differentiated by."""
        shape = task.shape
        assert isinstance(shape, DataShape)
        if self.input_gradient and shape.classes:
            raise ValueError(
                "latent.contractive differentiates by the input, and tokens have no gradient"
            )

    def forward(self, features: Tensor) -> PointPosterior:
        """``(B, *features_shape)`` -> code ``(B, size)``."""
        return PointPosterior(self.code(features.flatten(1)))

    def auxiliary_losses(self, encoded: Encoded) -> dict[str, Tensor]:
        """See :mod:`aeplug.latents.code_penalties`."""
        config, terms = self.config, {}
        penalty = encoded.z.new_zeros(())
        if config.sparse:
            terms["sparsity"] = sparsity(encoded.z, config.sparse_share)
            penalty = penalty + config.sparse * terms["sparsity"]
        if config.contractive:
            terms["contraction"] = contraction(encoded.z, encoded.input, encoded.generator)
            penalty = penalty + config.contractive * terms["contraction"]
        return {**terms, "penalty": penalty} if terms else {}


class GaussianConfig(LatentConfig):
    """Settings of the Gaussian."""

    mean_share: float = setting(
        0.0,
        "share of a training batch that is decoded from the mean, as reconstruction does; the "
        "encoder learns from samples alone. The KL then bounds the information in a sample, not in "
        "the mean",
        ge=0,
        lt=1,
    )


class GaussianLatent(nn.Module):
    """Linear maps to mean and log-variance, with the prior N(0, 1) in every dimension."""

    Config = GaussianConfig
    has_prior = True

    def __init__(self, config: GaussianConfig, features_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.latent_shape: tuple[int, ...] = (config.size,)
        self.mean_share = config.mean_share
        self.moments = nn.Linear(math.prod(features_shape), 2 * config.size)

    def forward(self, features: Tensor) -> GaussianPosterior:
        """``(B, *features_shape)`` -> posterior over ``(B, size)``.

        Moments are in float32 also under autocast: a variance in bfloat16 has two digits.
        """
        mean, logvar = self.moments(features.flatten(1)).float().chunk(2, dim=1)
        num_deterministic = int(len(mean) * self.mean_share) if self.training else 0
        return GaussianPosterior(mean, clamp_logvar(logvar), num_deterministic)

    def prior(self, count: int, scale: float, generator: torch.Generator | None) -> Tensor:
        """``count`` draws from N(0, scale^2), ``(count, size)``."""
        weight = self.moments.weight
        noise = torch.empty(count, *self.latent_shape, device=weight.device)
        return noise.normal_(generator=generator) * scale

    def log_prior(self, z: Tensor) -> Tensor:
        """Logarithm of N(0, 1)'s density at ``(B, size)``, nats, ``(B,)``."""
        zero = z.new_zeros(())
        return gaussian_log_prob(z, zero, zero)
