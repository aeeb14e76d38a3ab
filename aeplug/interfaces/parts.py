"""Protocols of the parts of a task: encoder, latent, decoder, loss, prepare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from aeplug.runtime.distributed import Distributed
from aeplug.interfaces.batch import Batch, Context, Features, RawBatch, Sampling, ScheduleValues


class Posterior(Protocol):
    """The distribution of the latent given an input."""

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """One draw with gradient, ``(B, *latent_shape)``."""
        ...

    def mode(self) -> Tensor:
        """The likeliest latent (a Gaussian's mean), ``(B, *latent_shape)``."""
        ...

    def kl(self) -> Tensor:
        """KL divergence to the prior in nats, ``(B, *latent_shape)``, one value a dimension."""
        ...

    def statistics(self) -> dict[str, Tensor]:
        """What ``encode`` returns by name, each ``(B, ...)``: ``mean``, ``logvar`` ..."""
        ...


@runtime_checkable
class PosteriorDensity(Posterior, Protocol):
    """A posterior with a density, for importance weights."""

    def log_prob(self, z: Tensor) -> Tensor:
        """Logarithm of the density at ``(B, *latent_shape)``, nats, ``(B,)``."""
        ...

    def repeated(self, count: int) -> PosteriorDensity:
        """The posterior of each item ``count`` times in a row, ``(B x count, ...)``."""
        ...


class Encoder(Protocol):
    """``factory(config, shape)``; a plain module, also of use alone as a feature extractor.

    A fully convolutional one says ``any_size = True``: items need not have the size of ``shape``.
    One that looks at no condition says ``sees_conditions = False``: the classes of a user's file,
    which tells none, can then be found (:mod:`aeplug.model.conditions`).
    """

    features_shape: tuple[int, ...]

    def __call__(self, input: Tensor, context: Context | None = None) -> Tensor | Features:
        """``(B, *shape.input)`` -> ``(B, *features_shape)``."""
        ...


class LatentPart(Protocol):
    """``factory(config, features_shape)``."""

    latent_shape: tuple[int, ...]
    has_prior: bool

    def __call__(self, features: Tensor) -> Posterior:
        """``(B, *features_shape)`` -> posterior over ``(B, *latent_shape)``."""
        ...

    def prior(self, count: int, spread: float, generator: torch.Generator | None) -> Tensor:
        """``count`` draws from the prior, ``(count, *latent_shape)``; only with ``has_prior``.

        ``spread`` scales the distance from the prior's middle; 1 is the prior itself.
        """
        ...


@runtime_checkable
class LatentDensity(LatentPart, Protocol):
    """A latent part whose prior has a density, for likelihoods."""

    def log_prior(self, z: Tensor) -> Tensor:
        """Logarithm of the prior's density at ``(B, *latent_shape)``, nats, ``(B,)``."""
        ...


@dataclass
class Encoded:
    """A batch's latents in one step, for the terms that a latent part adds to the loss.

    Attributes:
        posterior: of each item.
        z: what was decoded, ``(B, *latent_shape)``, with gradient; where the loss asks for several
            draws an item, ``(B x draws, *latent_shape)``.
        input: what the encoder saw, ``(B, ...)``; with gradient where the part says so.
        knobs: see :data:`Knobs`.
        training: whether in training, else in evaluation.
        generator: source of randomness on the device; None: torch's own.
    """

    posterior: Posterior
    z: Tensor
    input: Tensor
    knobs: ScheduleValues
    training: bool
    generator: torch.Generator | None = None


@runtime_checkable
class AuxiliaryLosses(Protocol):
    """A latent part with terms of its own: commitment, sparsity, a critic.

    One with an attribute ``input_gradient = True`` finds a graph from ``Encoded.input`` to ``z``,
    in evaluation too; it cannot be compiled, since it is differentiated twice.
    """

    def terms(self, encoded: Encoded) -> dict[str, Tensor]:
        """Figures of the batch, 0-d, by name.

        ``penalty`` is added to the loss. ``adversary`` is what the part's adversary minimises (see
        :class:`Adversarial`). The others are shown.
        """
        ...


class Decoder(Protocol):
    """``factory(config, shape, latent_shape)``."""

    def __call__(self, z: Tensor, context: Context, knobs: ScheduleValues) -> Any:
        """Latents -> parameters of the output distribution; teacher forcing lives here."""
        ...

    def generate(self, z: Tensor, context: Context, sampling: Sampling) -> Tensor:
        """Latents -> data, ``(B, *shape.target)``; works from ``z`` and ``cond`` alone."""
        ...


class Loss(Protocol):
    """``factory(config, shape)``.

    One with an attribute ``draws`` (int, at least 1) gets so many draws of each item's latent:
    output and batch of ``B x draws`` rows, an item's in a row, and a posterior
    :class:`aeplug.latents.importance.ImportanceSamples` that holds z and its densities.
    """

    def __call__(
        self, output: Any, batch: Batch, posterior: Posterior, knobs: ScheduleValues
    ) -> dict[str, Tensor]:
        """Means over the batch, 0-d: ``loss`` (minimised) and the terms it is made of."""
        ...

    def nll(self, output: Any, batch: Batch) -> Tensor:
        """Negative log-likelihood of each target given the output, nats, ``(B,)``."""
        ...


@runtime_checkable
class DistributionLoss(Loss, Protocol):
    """A loss whose ``nll`` is that of a distribution over targets, so that likelihoods compare."""

    def distribution(self, batch: Batch) -> str:
        """The distribution in words: ``Bernoulli pixels``.

        Raises:
            ConfigError: it is not one over targets as the batch has them (grey values are none
                of a Bernoulli's); the message says what to set.
        """
        ...


@runtime_checkable
class Adversarial(Protocol):
    """A latent part or loss that plays against a module of its own, a critic or discriminator.

    The weights of ``adversary`` are updated in the same step by an optimizer of their own
    (``train.adversary_lr``), clipped and skipped apart from the others. They minimise the term
    ``adversary``, the others minimise ``loss``; one backward pass serves both, so neither term may
    reach the other side's weights: compute ``adversary`` of what is detached, and what stands
    against it, which goes into the loss, with the critic's weights detached
    (``torch.func.functional_call``).
    """

    adversary: nn.Module


@runtime_checkable
class Bindable(Protocol):
    """A part that needs another one."""

    def connect(self, task: nn.Module) -> None:
        """Called once, when the task has all its parts: ``encoder``, ``latent``, ``decoder``,
        ``loss`` and ``shape``. Keep a part in a tuple, or its weights are registered twice.

        Raises:
            ValueError: the part does not fit the others.
        """
        ...


@runtime_checkable
class AfterStep(Protocol):
    """A part that moves by itself what the optimizers do not: running means, codebooks."""

    def stepped(self, skipped: Tensor, world: Distributed) -> None:
        """Called after each step of the optimizers, in every process.

        Args:
            skipped: 0-d float, 1 where the step was left out: then nothing may change.
            world: to sum over processes, which must stay alike.
        """
        ...


class Prepare(Protocol):
    """``factory(config, shape)``: the task's own step from raw rows to a batch.

    One that corrupts or reduces also has a method ``given(raw) -> Batch`` for rows of a user's
    file, which go in as they are. One that can take files for different things also has
    ``asked(options) -> Prepare``: itself, for files that are what the task's options say, by name
    with hyphens (``{"given": "score"}``). Where the batch's items differ in shape from the data
    set's, an attribute ``shape`` (:class:`DataShape`) says what the parts are built for. What was
    made of targets, where figures depend on it, an attribute ``facts`` names:
    ``{"binarisation": ...}``.
    """

    def __call__(self, raw: RawBatch, generator: torch.Generator, training: bool) -> Batch:
        """Normalise; in training also augment or corrupt, with randomness from ``generator``."""
        ...
