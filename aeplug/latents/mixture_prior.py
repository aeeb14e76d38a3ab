"""Priors learnt with the model: a mixture of Gaussians, free or from pseudo-inputs (VampPrior)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from aeplug.config import setting
from aeplug.interfaces import DataShape, Encoder, Features, LatentDensity
from aeplug.latents.gaussian import (
    GaussianConfig,
    GaussianLatent,
    GaussianPosterior,
    clamp_logvar,
    gaussian_log_prob,
)

#: Seed of a draw for the KL where nothing was drawn before.
KL_SEED = 0


@dataclass
class DrawnKLPosterior(GaussianPosterior):
    """A Gaussian whose KL to the prior has no closed form, and is taken at one draw.

    Attributes:
        part: the latent part, for the prior's density.
        drawn: the last draw, ``(B, D)``, at which the KL is taken.
    """

    part: LatentDensity | None = None
    drawn: Tensor | None = None

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """A reparameterised draw, ``(B, D)``."""
        self.drawn = super().sample(generator)
        return self.drawn

    def kl(self) -> Tensor:
        """An unbiased estimate in nats, ``(B, 1)``, at what was drawn; a value may be below 0."""
        assert self.part is not None
        z = self.drawn
        if z is None:
            z = super().sample(torch.Generator(self.mean.device).manual_seed(KL_SEED))
        return (self.log_prob(z) - self.part.log_prior(z)).unsqueeze(1)

    def repeat_items(self, count: int) -> GaussianPosterior:
        """Each item's posterior ``count`` times in a row, nothing drawn yet."""
        mean, logvar = (x.repeat_interleave(count, 0) for x in (self.mean, self.logvar))
        return DrawnKLPosterior(mean, logvar, part=self.part)


class LearntPriorLatent(GaussianLatent):
    """A Gaussian posterior with a mixture of K Gaussians of diagonal covariance as the prior."""

    def components(self) -> tuple[Tensor, Tensor, Tensor]:
        """Logarithms of weights that sum to 1 ``(K,)``; means, log-variances ``(K, D)``."""
        raise NotImplementedError

    def forward(self, features: Tensor) -> GaussianPosterior:
        """``(B, *features_shape)`` -> posterior over ``(B, size)``."""
        posterior = super().forward(features)
        return DrawnKLPosterior(posterior.mean, posterior.logvar, posterior.num_deterministic, self)

    def prior(self, count: int, scale: float, generator: torch.Generator | None) -> Tensor:
        """``count`` draws, ``(count, size)``; ``scale`` scales distances to component means."""
        log_weights, means, logvars = (tensor.detach() for tensor in self.components())
        chosen = torch.multinomial(log_weights.exp(), count, True, generator=generator)
        noise = torch.empty(count, *self.latent_shape, device=means.device)
        noise = noise.normal_(generator=generator) * scale
        return means[chosen] + noise * torch.exp(0.5 * logvars[chosen])

    def log_prior(self, z: Tensor) -> Tensor:
        """Logarithm of the mixture's density at ``(B, size)``, nats, ``(B,)``."""
        log_weights, means, logvars = self.components()
        by_component = gaussian_log_prob(z.unsqueeze(1), means, logvars)
        return torch.logsumexp(by_component + log_weights, 1)


class MixtureConfig(GaussianConfig):
    """Settings of the mixture."""

    components: int = setting(16, "number of Gaussians in the prior", ge=1)


class MixtureLatent(LearntPriorLatent):
    """Weights, means and variances of the prior are learnt with the model."""

    Config = MixtureConfig

    def __init__(self, config: MixtureConfig, features_shape: tuple[int, ...]) -> None:
        super().__init__(config, features_shape)
        self.weights = nn.Parameter(torch.zeros(config.components))
        # Embeddings: optimizers recognise tables of rows by the module.
        self.means = nn.Embedding(config.components, config.size)
        self.logvars = nn.Embedding(config.components, config.size)
        nn.init.zeros_(self.logvars.weight)

    def components(self) -> tuple[Tensor, Tensor, Tensor]:
        """See the base."""
        logvars = clamp_logvar(self.logvars.weight)
        return self.weights.log_softmax(0), self.means.weight, logvars


class VampConfig(GaussianConfig):
    """Settings of the pseudo-inputs."""

    components: int = setting(
        64, "number of pseudo-inputs; all go through the encoder at each step", ge=1
    )
    pseudo_mean: float = setting(0.1, "initial mean of their values, on the data's scale")
    pseudo_std: float = setting(0.3, "initial standard deviation of their values", ge=0)


class VampLatent(LearntPriorLatent):
    """The prior is the mean posterior of learnt pseudo-inputs (Tomczak & Welling, AISTATS 2018)."""

    Config = VampConfig

    def __init__(self, config: VampConfig, features_shape: tuple[int, ...]) -> None:
        super().__init__(config, features_shape)
        self.config = config

    def bind(self, task: nn.Module) -> None:
        """Take the encoder, and make inputs for it."""
        shape = task.shape
        assert isinstance(shape, DataShape)
        if shape.classes:
            raise ValueError("'vamp' learns inputs, which cannot be tokens; use latent=mixture")
        config = self.config
        self.pseudo_shape = shape.input
        self.inputs = nn.Embedding(config.components, math.prod(shape.input))
        nn.init.normal_(self.inputs.weight, config.pseudo_mean, config.pseudo_std)
        # In a tuple: as an attribute the encoder would be saved and trained twice.
        self._parts = (task.encoder,)

    def components(self) -> tuple[Tensor, Tensor, Tensor]:
        """The posterior's moments of each pseudo-input, all of one weight."""
        encoder: Encoder = self._parts[0]  # type: ignore[assignment]
        features = encoder(self.inputs.weight.unflatten(1, self.pseudo_shape))
        values = features.values if isinstance(features, Features) else features
        posterior = GaussianLatent.forward(self, values)
        count = len(posterior.mean)
        log_weights = posterior.mean.new_full((count,), -math.log(count))
        return log_weights, posterior.mean, posterior.logvar
