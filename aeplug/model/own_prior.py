"""The latent part's own prior, as every other prior is asked; all that a bare model has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from aeplug.errors import ConfigError, nearest
from aeplug.interfaces import (
    OWN,
    DocumentPrior,
    LatentDensity,
    PackedPriors,
    Prior,
    StoredPrior,
    supports,
)


class OwnPrior:
    """The prior that a latent part brings.

    Args:
        latent: a :class:`aeplug.interfaces.LatentPart` with ``has_prior``.
    """

    def __init__(self, latent: Any) -> None:
        self.latent = latent

    def sample(
        self,
        count: int,
        scale: float,
        generator: torch.Generator | None,
        cond: Mapping[str, Tensor] | None = None,
    ) -> Tensor:
        """See :class:`aeplug.interfaces.Prior`; classes make no difference."""
        draws: Tensor = self.latent.prior(count, scale, generator)
        return draws


class OwnDensityPrior(OwnPrior):
    """The same, of a latent part whose prior has a density."""

    def log_prob(self, z: Tensor, cond: Mapping[str, Tensor] | None = None) -> Tensor:
        """Logarithm of the density at ``(B, *latent_shape)``, nats, ``(B,)``."""
        density: Tensor = self.latent.log_prior(z)
        return density


def own_prior(latent: Any) -> OwnPrior:
    """The own prior of a latent part."""
    return OwnDensityPrior(latent) if supports(latent, LatentDensity) else OwnPrior(latent)


class OwnPriors:
    """The prior source of a model that nobody gave another one.

    See :class:`aeplug.interfaces.PriorSource` for the methods.
    """

    def __init__(self, latent: Any) -> None:
        self.latent = latent

    def names(self) -> Sequence[str]:
        """One."""
        return (OWN,)

    def check(self, name: str) -> None:
        """Only the own prior is known."""
        if name != OWN:
            raise ConfigError(f"no prior is called '{name}'. {nearest(name, self.names())}")

    def is_fitted(self, name: str) -> bool:
        """None is."""
        return False

    def can_fit(self, name: str) -> bool:
        """None can."""
        return False

    def makes_documents(self, name: str) -> bool:
        """None does."""
        return False

    def document_prior(self) -> str:
        """There is none."""
        raise ConfigError("no prior over whole documents is there")

    def get(self, name: str) -> Prior | DocumentPrior:
        """The own prior."""
        self.check(name)
        return own_prior(self.latent)

    def allow_fitting(self) -> None:
        """Nothing is fitted here."""

    def fit(
        self, name: str, dataset: Any = None, split: str = "train", seed: int = 0, **options: Any
    ) -> Any:
        """Nothing is fitted here."""
        raise ConfigError("this model was built without plug-ins that bring priors")

    def keep(self, name: str) -> Path | None:
        """Nothing is kept."""
        return None

    def add(self, prior: StoredPrior, *, default: bool = False) -> None:
        """Nothing is taken."""
        raise ConfigError("this model was built without plug-ins that bring priors")

    def pack(self) -> PackedPriors:
        """Nothing is kept."""
        return PackedPriors()
