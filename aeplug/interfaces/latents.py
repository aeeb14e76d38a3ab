"""Protocols of latent parts and posteriors, and what either may be able to do beyond."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from aeplug.interfaces.batch import ScheduleValues


class Posterior(Protocol):
    """The distribution of the latent given an input.

    Example:
        >>> images = torch.zeros(4, 1, 28, 28)
        >>> posterior, _ = model.posterior(Batch(images, images))
        >>> posterior.sample().shape, posterior.kl().shape, list(posterior.statistics())
        (torch.Size([4, 2]), torch.Size([4, 2]), ['mean', 'logvar'])
    """

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


class LatentPart(Protocol):
    """``factory(config, features_shape)``.

    Example:
        >>> latent = model.task.latent
        >>> latent(torch.zeros(4, *model.encoder.features_shape)).mode().shape
        torch.Size([4, 2])
        >>> latent.prior(3, 1.0, torch.Generator().manual_seed(0)).shape
        torch.Size([3, 2])
    """

    latent_shape: tuple[int, ...]
    has_prior: bool

    def __call__(self, features: Tensor) -> Posterior:
        """``(B, *features_shape)`` -> posterior over ``(B, *latent_shape)``."""
        ...

    def prior(self, count: int, scale: float, generator: torch.Generator | None) -> Tensor:
        """``count`` draws from the prior, ``(count, *latent_shape)``; only with ``has_prior``.

        ``scale`` multiplies the distance from the prior's middle; 1 is the prior itself.
        """
        ...


@runtime_checkable
class PosteriorDensity(Posterior, Protocol):
    """A posterior with a density, for importance weights.

    Example:
        >>> class UnitPosterior:
        ...     def __init__(self, mean):  # (B, D)
        ...         self.mean = mean
        ...     def sample(self, generator=None):
        ...         return self.mean + torch.empty_like(self.mean).normal_(generator=generator)
        ...     def mode(self):
        ...         return self.mean
        ...     def kl(self):
        ...         return self.mean.square() / 2
        ...     def statistics(self):
        ...         return {"mean": self.mean}
        ...     def log_prob(self, z):  # (B, D) -> (B,)
        ...         return torch.distributions.Normal(self.mean, 1.0).log_prob(z).sum(1)
        ...     def repeat_items(self, count):
        ...         return UnitPosterior(self.mean.repeat_interleave(count, 0))
        ...     def detach_parameters(self):
        ...         return UnitPosterior(self.mean.detach())
        >>> posterior = UnitPosterior(torch.zeros(4, 2)).repeat_items(3)
        >>> posterior.log_prob(posterior.sample()).shape
        torch.Size([12])
    """

    def log_prob(self, z: Tensor) -> Tensor:
        """Logarithm of the density at ``(B, *latent_shape)``, nats, ``(B,)``."""
        ...

    def repeat_items(self, count: int) -> PosteriorDensity:
        """The posterior of each item ``count`` times in a row, ``(B x count, ...)``."""
        ...

    def detach_parameters(self) -> PosteriorDensity:
        """The same without gradient to its parameters: a density's gradient is z's alone."""
        ...


@runtime_checkable
class LatentDensity(LatentPart, Protocol):
    """A latent part whose prior has a density, for likelihoods.

    Example:
        >>> class UnitLatent(nn.Module):
        ...     has_prior = True
        ...     def __init__(self, config, features_shape):
        ...         super().__init__()
        ...         self.latent_shape = (2,)
        ...         self.mean = nn.LazyLinear(2)
        ...     def prior(self, count, scale, generator):  # -> (count, 2)
        ...         return scale * torch.randn(count, 2, generator=generator)
        ...     def log_prior(self, z):  # (B, 2) -> (B,)
        ...         return torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
        >>> UnitLatent(None, (8,)).log_prior(torch.zeros(4, 2))
        tensor([-1.8379, -1.8379, -1.8379, -1.8379])
    """

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
        input: what the encoder saw, ``(B, ...)``; with gradient for an
            :class:`InputGradientLatent`.
        schedule_values: see :data:`ScheduleValues`.
        training: whether in training, else in evaluation.
        generator: source of randomness on the device; None: torch's own.

    Example:
        >>> images = torch.zeros(4, 1, 28, 28)
        >>> posterior, _ = model.posterior(Batch(images, images))
        >>> encoded = Encoded(posterior, posterior.sample(), images, {}, training=True)
        >>> encoded.z.shape
        torch.Size([4, 2])
    """

    posterior: Posterior
    z: Tensor
    input: Tensor
    schedule_values: ScheduleValues
    training: bool
    generator: torch.Generator | None = None


@runtime_checkable
class AuxiliaryLosses(Protocol):
    """A latent part with losses of its own: commitment, sparsity, a critic.

    Example:
        >>> class SparseLatent(nn.Module):
        ...     def auxiliary_losses(self, encoded):
        ...         size = encoded.z.abs().mean()
        ...         return {"penalty": 0.1 * size, "size": size.detach()}
        >>> z = torch.full((4, 2), 3.0)
        >>> SparseLatent().auxiliary_losses(Encoded(None, z, z, {}, training=True))
        {'penalty': tensor(0.3000), 'size': tensor(3.)}
    """

    def auxiliary_losses(self, encoded: Encoded) -> dict[str, Tensor]:
        """Figures of the batch, 0-d, by name.

        ``penalty`` is added to the loss. ``adversary`` is what the part's adversary minimises (see
        :class:`Adversarial`). The others are shown.
        """
        ...


@runtime_checkable
class InputGradientLatent(AuxiliaryLosses, Protocol):
    """A latent part whose losses differentiate z by the input, as a contractive penalty does.

    It finds a graph from ``Encoded.input`` to ``z``, in evaluation too. The parts cannot be
    compiled then, since they are differentiated twice.

    Attributes:
        input_gradient: True; False takes the claim back, where it depends on settings.

    Example:
        >>> class ContractiveLatent(nn.Module):
        ...     def __init__(self, config, features_shape):
        ...         super().__init__()
        ...         self.input_gradient = config.contractive > 0
        ...     def auxiliary_losses(self, encoded):
        ...         (slope,) = torch.autograd.grad(
        ...             encoded.z.sum(), encoded.input, create_graph=encoded.training
        ...         )
        ...         return {"penalty": slope.square().flatten(1).sum(1).mean()}
        >>> from types import SimpleNamespace
        >>> x = torch.ones(4, 8, requires_grad=True)
        >>> latent = ContractiveLatent(SimpleNamespace(contractive=0.1), (8,))
        >>> latent.auxiliary_losses(Encoded(None, 2 * x, x, {}, training=False))
        {'penalty': tensor(32.)}
    """

    input_gradient: bool
