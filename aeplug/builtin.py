"""The core's own plug-in: bottlenecks for every modality, and a codec for plain arrays."""

from __future__ import annotations

from collections.abc import Iterable

from aeplug.hookspecs import hookimpl
from aeplug.specs import CodecSpec, LatentSpec


@hookimpl
def aeplug_latents() -> Iterable[LatentSpec]:
    """Plain codes and the Gaussian."""
    yield LatentSpec("deterministic", "aeplug.latents:DeterministicLatent", "a code of n numbers")
    yield LatentSpec("maps", "aeplug.latents:MapsLatent", "feature maps as they are")
    yield LatentSpec("gaussian", "aeplug.latents:GaussianLatent", "mean and variance, prior N(0,1)")


@hookimpl
def aeplug_codecs() -> Iterable[CodecSpec]:
    """Arrays as they are."""
    yield CodecSpec("array", "aeplug.arrays:ArrayCodec", "plain arrays", suffixes=(".npy",))
