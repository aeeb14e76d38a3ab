"""Protocols of priors: what a model draws latents from, its own or one fitted after training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from aeplug.interfaces.batch import Sampling
from aeplug.interfaces.codecs import Document

#: Name of the latent part's own prior, which every model with one has.
OWN = "own"


@runtime_checkable
class Prior(Protocol):
    """A distribution over latents of single items, ``(B, *latent_shape)``.

    Example:
        >>> model.priors.get("own").sample(4, 1.0, torch.Generator().manual_seed(1)).shape
        torch.Size([4, 2])
    """

    def sample(
        self,
        count: int,
        scale: float,
        generator: torch.Generator | None,
        cond: Mapping[str, Tensor] | None = None,
    ) -> Tensor:
        """``count`` draws, ``(count, *latent_shape)``.

        Args:
            count: how many.
            scale: factor of the distance from the prior's middle; 1 is the prior itself.
            generator: source of randomness on the device; None: torch's own.
            cond: classes of the items, condition's name -> int64 ``(count,)``; None: those of the
                data that the prior was fitted to.
        """
        ...


@runtime_checkable
class DensityPrior(Prior, Protocol):
    """A prior with a density in closed form, for likelihoods.

    Example:
        >>> class UnitPrior:
        ...     def sample(self, count, scale, generator, cond=None):  # -> (count, 2)
        ...         return scale * torch.randn(count, 2, generator=generator)
        ...     def log_prob(self, z, cond=None):  # (B, 2) -> (B,)
        ...         return torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
        >>> UnitPrior().log_prob(torch.zeros(4, 2))
        tensor([-1.8379, -1.8379, -1.8379, -1.8379])
    """

    def log_prob(self, z: Tensor, cond: Mapping[str, Tensor] | None = None) -> Tensor:
        """Logarithm of the density at ``(B, *latent_shape)``, nats, ``(B,)``."""
        ...


@runtime_checkable
class ConditionedPrior(Prior, Protocol):
    """A prior that knows which classes its items have.

    Example:
        >>> class CoinPrior:
        ...     def draw_classes(self, count, generator):
        ...         tosses = torch.rand(count, generator=generator)
        ...         return {"side": (tosses < 0.5).long()}
        >>> CoinPrior().draw_classes(4, torch.Generator().manual_seed(0))
        {'side': tensor([1, 0, 1, 1])}
    """

    def draw_classes(self, count: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Classes as often as the items have them: condition's name -> int64 ``(count,)``.

        The first are the same however many follow.
        """
        ...


@runtime_checkable
class DocumentPrior(Protocol):
    """A prior over whole documents of consecutive pieces.

    ``model`` is an :class:`aeplug.Model`, which decodes and encodes on the way.

    Example:
        >>> class Unrelated:
        ...     def generate_documents(self, model, count, pieces, seed, sampling, cond=None):
        ...         drawn = model.sample(count * pieces, seed).split(pieces)
        ...         return [model.codec.join(data, {}, None) for data in drawn]
        >>> len(Unrelated().generate_documents(model, 3, 1, 0, Sampling()))
        3
    """

    def generate_documents(
        self,
        model: Any,
        count: int,
        pieces: int,
        seed: int,
        sampling: Sampling,
        cond: Mapping[str, Any] | None = None,
    ) -> list[Document]:
        """``count`` documents of ``pieces`` pieces each; each is the same however many follow."""
        ...


class StoredPrior(Protocol):
    """What a fitted prior gives to be kept in a file, from which ``PriorSpec.restore`` makes it.

    Example:
        >>> from aeplug.priors import MixturePrior, fit_gaussian_mixture
        >>> mixture = fit_gaussian_mixture(torch.randn(100, 2), components=1)
        >>> prior = MixturePrior("gaussian", mixture, {}, {"items": 100})
        >>> prior.size, sorted(prior.tensors())
        (2, ['log_weights', 'means', 'scales'])
    """

    @property
    def kind(self) -> str:
        """Name of its :class:`aeplug.PriorSpec`."""
        ...

    @property
    def size(self) -> int:
        """D, of the latents ``(B, D)`` that it is of."""
        ...

    @property
    def facts(self) -> Mapping[str, Any]:
        """What it was fitted to and how well, JSON-ready, for ``aeplug fit-prior``."""
        ...

    @property
    def entry(self) -> dict[str, Any]:
        """All of it but its tensors, JSON-ready, without the keys ``file`` and ``sha256``."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """Its tensors by name."""
        ...


@dataclass(frozen=True)
class PackedPriors:
    """Fitted priors as a checkpoint holds them.

    Attributes:
        entries: name -> entry of the checkpoint's header.
        files: content by the file's name.
        plugins: name -> origin of the plug-ins that bring them.

    Example:
        >>> model.priors.pack().entries
        {}
    """

    entries: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    plugins: Mapping[str, str] = field(default_factory=dict)


class PriorSource(Protocol):
    """Where a model finds its priors by name.

    Example:
        >>> model.priors.names()
        ('own', 'standard', 'gaussian', 'gmm', 'sequence', 'style')
    """

    def names(self) -> Sequence[str]:
        """Names of all priors that a user can ask for."""
        ...

    def check(self, name: str) -> None:
        """Check that there is a prior of this name.

        Raises:
            ConfigError: there is none; the message names the nearest.
        """
        ...

    def is_fitted(self, name: str) -> bool:
        """Whether it is fitted to embeddings, and so asks nothing of the latent part."""
        ...

    def can_fit(self, name: str) -> bool:
        """Whether it can be fitted to embeddings of the model, whatever its latent part is."""
        ...

    def makes_documents(self, name: str) -> bool:
        """Whether its unit is a whole document, not a single item."""
        ...

    def get(self, name: str) -> Prior | DocumentPrior:
        """The prior, found or fitted now.

        Raises:
            ConfigError: there is none of this name, or no data to fit it on, or it takes minutes
                to fit, which is not allowed.
            CheckpointError: the one in the checkpoint is damaged.
        """
        ...

    def allow_fitting(self) -> None:
        """Let :meth:`get` fit also what takes minutes."""
        ...

    def fit(
        self, name: str, dataset: Any = None, split: str = "train", seed: int = 0, **options: Any
    ) -> Any:
        """Fit a prior to a split's embeddings and hold it in memory.

        Raises:
            ConfigError: none is called so or can be fitted, or the latent is not fit for it.
            DataError: there is no such split, or it is empty.
        """
        ...

    def keep(self, name: str) -> Path | None:
        """Write a prior that is in memory beside the weights, or into the cache; its file."""
        ...

    def add(self, prior: StoredPrior, *, default: bool = False) -> None:
        """Hold a prior in memory under its kind.

        ``default``: the model then samples and varies from it unless another is named.
        """
        ...

    def pack(self) -> PackedPriors:
        """All that are kept, for a checkpoint.

        Raises:
            CheckpointError: one is damaged.
        """
        ...

    def document_prior(self) -> str:
        """Name of the prior that makes whole documents.

        Raises:
            ConfigError: no plug-in brings one.
        """
        ...
