"""The core's own plug-in: bottlenecks for every modality, and a codec for plain arrays."""

from __future__ import annotations

from collections.abc import Iterable

from aeplug.plugins.hookspecs import hookimpl
from aeplug.plugins.specs import CodecSpec, LatentSpec


@hookimpl
def aeplug_latents() -> Iterable[LatentSpec]:
    """Plain codes, Gaussians with fixed and learnt priors, quantised codes."""
    yield LatentSpec(
        "deterministic", "aeplug.latents.gaussian:DeterministicLatent", "a code of n numbers"
    )
    yield LatentSpec("maps", "aeplug.latents.gaussian:MapsLatent", "feature maps as they are")
    yield LatentSpec(
        "gaussian", "aeplug.latents.gaussian:GaussianLatent", "mean and variance, prior N(0,1)"
    )
    yield LatentSpec(
        "mixture",
        "aeplug.latents.mixture_prior:MixtureLatent",
        "Gaussian; a learnt mixture as the prior",
    )
    yield LatentSpec(
        "vamp",
        "aeplug.latents.mixture_prior:VampLatent",
        "Gaussian; the prior of learnt pseudo-inputs",
    )
    yield LatentSpec(
        "adversarial",
        "aeplug.latents.adversarial:AdversarialLatent",
        "a code that a critic makes N(0,1)",
    )
    yield LatentSpec("fsq", "aeplug.latents.fsq:FSQLatent", "numbers rounded to a few levels")
    yield LatentSpec("vq", "aeplug.latents.vq:VQLatent", "nearest entries of a learnt codebook")


@hookimpl
def aeplug_codecs() -> Iterable[CodecSpec]:
    """Arrays as they are."""
    yield CodecSpec("array", "aeplug.data.arrays:ArrayCodec", "plain arrays", suffixes=(".npy",))
