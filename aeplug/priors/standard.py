"""N(0, 1) in every dimension, whatever the latent part's own prior is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from aeplug.priors.gaussian_mixture import GaussianMixture
from aeplug.priors.mixture import MixturePrior

if TYPE_CHECKING:
    from aeplug.interfaces import Dataset
    from aeplug.model.model import Model


def make_standard(model: Model, dataset: Dataset | None, split: str, seed: int) -> MixturePrior:
    """The standard normal prior of a model's latents; looks at no data.

    Raises:
        ConfigError: the latent is no vector.
    """
    size, device = model.latent_size, model.device
    identity = torch.eye(size, device=device)[None]
    zeros = torch.zeros(1, size, device=device)
    mixture = GaussianMixture(torch.zeros(1, 1, device=device), zeros, identity)
    return MixturePrior("standard", mixture, {}, {})
