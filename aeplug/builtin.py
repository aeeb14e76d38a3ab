"""The core's own plug-in: the bottlenecks that every modality can use."""

from __future__ import annotations

from collections.abc import Iterable

from aeplug.hookspecs import hookimpl
from aeplug.specs import LatentSpec


@hookimpl
def aeplug_latents() -> Iterable[LatentSpec]:
    """The plain code and the Gaussian."""
    yield LatentSpec("deterministic", "aeplug.latents:DeterministicLatent", "a code of n numbers")
    yield LatentSpec("gaussian", "aeplug.latents:GaussianLatent", "mean and variance, prior N(0,1)")
