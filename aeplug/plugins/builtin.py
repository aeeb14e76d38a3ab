"""The engine's own plug-in: bottlenecks and priors for every modality, plain arrays."""

from __future__ import annotations

from collections.abc import Iterable

from aeplug.plugins.hookspecs import hookimpl
from aeplug.plugins.specs import CodecSpec, LatentSpec, OptionSpec, PriorSpec


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


_ITEMS = OptionSpec(
    "items", "int", 50_000, "items that it is fitted to, at most", verbs=("fit-prior",), minimum=1
)
_COMPONENTS = OptionSpec(
    "components",
    "int",
    0,
    "components of the mixture; 0: 50, fewer where the data is small",
    verbs=("fit-prior",),
    minimum=0,
)


@hookimpl
def aeplug_priors() -> Iterable[PriorSpec]:
    """Densities in closed form, of single items."""
    restore = "aeplug.priors.mixture:restore_mixture"
    yield PriorSpec(
        "standard", "aeplug.priors.mixture:make_standard", None, "N(0, 1), whatever the latent's"
    )
    yield PriorSpec(
        "gaussian",
        "aeplug.priors.mixture:fit_gaussian",
        restore,
        "one Gaussian with full covariance, fitted to the embeddings",
        options=(_ITEMS,),
    )
    yield PriorSpec(
        "gmm",
        "aeplug.priors.mixture:fit_mixture",
        restore,
        "a mixture of Gaussians, fitted to the embeddings",
        options=(_COMPONENTS, _ITEMS),
    )
