"""The adversarial autoencoder's code: draws of N(0, 1), as far as a critic can tell.

Makhzani et al., "Adversarial autoencoders" (2015). The critic tells codes from draws of the prior,
the encoder learns to be taken for the prior.
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

    fooling: Schedule = setting(
        Schedule.parse(0.01),
        "weight of what it costs the encoder to be told from the prior, beside the loss",
    )
    critic: tuple[int, ...] = setting(
        (256, 256), "widths of the critic's hidden layers", unit="units", min_length=1
    )


class AdversarialLatent(nn.Module):
    """A linear map to a code of ``size`` numbers, with the prior N(0, 1) that a critic enforces.

    Terms: ``adversary``, the critic's cross-entropy in nats a code or draw; ``fooling``, the
    encoder's, in nats a code (log 2 = 0.69 where it cannot be told from the prior); ``told``, the
    share that the critic tells rightly (0.5 where it guesses). The held-out loss is without
    ``fooling``: a better critic would make it worse for the same model.
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
        """Each side's, without gradient to the other's weights."""
        z = encoded.z
        draws = self.prior(len(z), 1.0, encoded.generator)
        of_codes, of_draws = (self.adversary(one).float() for one in (z.detach(), draws))
        of_both = functional.softplus(of_codes) + functional.softplus(-of_draws)
        fixed = {name: value.detach() for name, value in self.adversary.named_parameters()}
        fooling = functional.softplus(-functional_call(self.adversary, fixed, (z,)).float()).mean()
        told = torch.cat([of_codes < 0, of_draws > 0]).float().mean()
        terms = {"adversary": 0.5 * of_both.mean(), "fooling": fooling, "told": told}
        if encoded.training:
            terms["penalty"] = encoded.schedule_values["fooling"] * fooling
        return terms
