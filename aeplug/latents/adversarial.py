"""The latent of an adversarial autoencoder: codes that a critic cannot distinguish from N(0, 1).

Makhzani et al., "Adversarial autoencoders" (2015). The critic learns to distinguish codes from
draws of the prior, the encoder learns to prevent it.
"""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from aeplug.config import setting
from aeplug.config.schedules import Schedule
from aeplug.interfaces import Encoded
from aeplug.latents.gaussian import LatentConfig, PointPosterior


class AdversarialConfig(LatentConfig):
    """Settings of code and critic."""

    generator_weight: Schedule = setting(
        Schedule.parse(0.01), "weight of the encoder's adversarial loss (the generator's)"
    )
    critic: tuple[int, ...] = setting(
        (256, 256), "widths of the critic's hidden layers", unit="units", min_length=1
    )


class AdversarialLatent(nn.Module):
    """A linear map to a code of ``size`` dimensions, with the prior N(0, 1) that a critic enforces.

    Terms: ``adversary``, the critic's cross-entropy in nats a code or draw; ``generator_loss``, the
    encoder's, in nats a code (log 2 = 0.69 where the critic guesses); ``critic_accuracy``, in 0..1
    (0.5 where it guesses). The held-out loss is without ``generator_loss``: a better critic would
    make it worse for the same model.
    """

    Config = AdversarialConfig
    has_prior = True

    def __init__(self, config: AdversarialConfig, features_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.latent_shape = (config.size,)
        self.code = nn.Linear(math.prod(features_shape), config.size)
        layers: list[nn.Module] = []
        for fan_in, fan_out in itertools.pairwise((config.size, *config.critic)):
            layers += [nn.Linear(fan_in, fan_out), nn.LeakyReLU(0.2)]
        #: Codes ``(B, size)`` -> logits of being from the prior, ``(B, 1)``.
        self.adversary = nn.Sequential(*layers, nn.Linear(config.critic[-1], 1))

    def forward(self, features: Tensor) -> PointPosterior:
        """``(B, *features_shape)`` -> code ``(B, size)``."""
        return PointPosterior(self.code(features.flatten(1)).float())

    def prior(self, count: int, scale: float, generator: torch.Generator | None) -> Tensor:
        """``count`` draws from N(0, scale^2), ``(count, size)``."""
        noise = torch.empty(count, *self.latent_shape, device=self.code.weight.device)
        return noise.normal_(generator=generator) * scale

    def auxiliary_losses(self, encoded: Encoded) -> dict[str, Tensor]:
        """The critic's and the encoder's, each without gradient to the other's weights."""
        z = encoded.z
        draws = self.prior(len(z), 1.0, encoded.generator)
        code_logits, draw_logits = self.adversary(z.detach()).float(), self.adversary(draws).float()
        entropies = functional.softplus(code_logits) + functional.softplus(-draw_logits)
        fixed = {name: value.detach() for name, value in self.adversary.named_parameters()}
        logits = functional_call(self.adversary, fixed, (z,)).float()
        generator_loss = functional.softplus(-logits).mean()
        losses = {
            "adversary": 0.5 * entropies.mean(),
            "generator_loss": generator_loss,
            "critic_accuracy": torch.cat([code_logits < 0, draw_logits > 0]).float().mean(),
        }
        if encoded.training:
            losses["penalty"] = encoded.schedule_values["generator_weight"] * generator_loss
        return losses
