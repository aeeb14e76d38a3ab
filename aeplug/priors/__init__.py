"""Priors over latents that are fitted after training, found by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aeplug.runtime.lazy import lazy_exports

if TYPE_CHECKING:
    from aeplug.priors.gaussian_mixture import GaussianMixture, fit_gaussian_mixture
    from aeplug.priors.mixture import MixturePrior, number_classes
    from aeplug.priors.registry import PriorRegistry, fit_prior

__all__ = [
    "GaussianMixture",
    "MixturePrior",
    "PriorRegistry",
    "fit_gaussian_mixture",
    "fit_prior",
    "number_classes",
]

__getattr__, __dir__ = lazy_exports(__name__)
