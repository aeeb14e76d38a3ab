"""Priors fitted after training to where a model's latents really lie.

The decoder learnt from draws of the posteriors, whose mixture over the data, the aggregate
posterior, is seldom the prior that the loss asked for (Hoffman & Johnson, 2016); a plain
autoencoder was asked for none at all. A density fitted to the embeddings leaves out the places
that the decoder never saw (Ghosh et al., ICLR 2020, fit mixtures likewise).

It is fitted to one draw of each item's posterior rather than to the means: the means alone have
too little variance, and lie where the decoder was told the latent more exactly than it ever was.
Of a plain autoencoder the codes are the draws.

A normalising flow in the mixture's place was tried on ``mnist``: affine couplings, in as much time,
made samples ten times as far from real digits in a classifier's features, and in four times as
much still five times as far, though by then of greater held-out density.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from aeplug.data.batching import INFERENCE_BATCH
from aeplug.data.opening import choose_split
from aeplug.errors import AeplugError, ConfigError, DataError, nearest
from aeplug.inference.embed import require_vector
from aeplug.interfaces import Batch, Dataset, LatentDensity, Split
from aeplug.latents.quantised import CodesPosterior
from aeplug.model.dataset import evaluation_dataset
from aeplug.model.model import TensorModel
from aeplug.plugins import active
from aeplug.priors import store as files
from aeplug.priors.gaussian_mixture import STEPS, GaussianMixture, fit
from aeplug.runtime.console import Progress, say

if TYPE_CHECKING:
    from aeplug_priors.sequence.prior import SequencePrior
    from aeplug_priors.style.prior import StylePrior

#: What a user can name: the latent part's own prior, N(0, 1), and the kinds that are fitted: to
#: single items, to whole documents (:mod:`aeplug_priors.sequence.prior`), to a style
#: (:mod:`aeplug_priors.style.prior`).
OWN, STANDARD, KINDS, SEQUENCE, STYLE = "own", "standard", ("gaussian", "gmm"), "sequence", "style"
STORED = (*KINDS, SEQUENCE, STYLE)

#: Most components of a mixture unless they are given, and items a dimension that each wants.
COMPONENTS, ITEMS_A_DIMENSION = 50, 20
#: Items whose embeddings a prior is fitted to, and classes of conditions told apart, at most.
ITEMS, CLASSES = 50_000, 1_000
#: Held-out items that its density is measured on.
HELD_OUT = 10_000


@dataclass(frozen=True)
class FittedPrior:
    """A density of latents ``(B, D)``, with weights of its own for each class of the conditions.

    Attributes:
        kind: ``gaussian`` or ``gmm``.
        mixture: row 0 of its weights is of all items, the others of each class in order.
        conditions: condition's name -> number of classes; empty where classes are not told apart.
        facts: what it was fitted to, JSON-ready: ``components``, ``items``, ``split``, ``seed``,
            and where there was a split to measure it on, ``heldout_items`` and mean
            log-densities of their latents in nats.
    """

    kind: str
    mixture: GaussianMixture
    conditions: Mapping[str, int]
    facts: Mapping[str, Any]

    @property
    def size(self) -> int:
        """D."""
        return self.mixture.means.shape[1]

    @property
    def entry(self) -> dict[str, Any]:
        """See :class:`aeplug.priors.store.StoredPrior`, as is :meth:`columns`."""
        return {"conditions": dict(self.conditions), **self.facts}

    def columns(self) -> dict[str, Tensor]:
        """The mixture's tensors by name."""
        mixture = self.mixture
        return {
            "log_weights": mixture.log_weights,
            "means": mixture.means,
            "scales": mixture.scales,
        }

    @classmethod
    def restored(
        cls, kind: str, entry: Mapping[str, Any], columns: Mapping[str, Tensor]
    ) -> FittedPrior:
        """From what :attr:`entry` and :meth:`columns` gave.

        Raises:
            KeyError, TypeError, ValueError, RuntimeError: they are not of such a prior.
        """
        conditions = dict(entry["conditions"])
        facts = {name: value for name, value in entry.items() if name != "conditions"}
        means, scales = columns["means"], columns["scales"]
        if scales.shape != (*means.shape, means.shape[1]):
            raise ValueError("means and covariances differ in shape")
        mixture = GaussianMixture(columns["log_weights"], means, scales)
        return cls(kind, mixture, conditions, facts)

    def prior(
        self,
        count: int,
        spread: float,
        generator: torch.Generator | None,
        cond: Mapping[str, Tensor] | None = None,
    ) -> Tensor:
        """``count`` draws, ``(count, D)``; ``spread`` scales the distance from a component's mean.

        ``cond`` are the items' classes, int64 ``(count,)``; None: those of the data.
        """
        return self.mixture.sample(count, spread, generator, self._rows(cond))

    def log_prior(self, z: Tensor, cond: Mapping[str, Tensor] | None = None) -> Tensor:
        """Logarithm of the density at ``(B, D)``, nats, ``(B,)``."""
        return self.mixture.log_prob(z, self._rows(cond))

    def _rows(self, cond: Mapping[str, Tensor] | None) -> Tensor | None:
        if not self.conditions or cond is None or not set(self.conditions) <= set(cond):
            return None
        return 1 + class_numbers(self.conditions, cond)


def class_numbers(conditions: Mapping[str, int], cond: Mapping[str, Tensor]) -> Tensor:
    """One number for the classes of all conditions together, int64 ``(B,)``, from 0."""
    found: Tensor | None = None
    for name, classes in conditions.items():
        found = cond[name] if found is None else found * classes + cond[name]
    assert found is not None
    return found


def is_fitted(name: str) -> bool:
    """Whether a prior of this name is one that is fitted."""
    return name in STORED


def refit_hint(kind: str) -> str:
    """How to come by a prior whose file is of no use, for messages."""
    if kind == STYLE:
        return "make it again: aeplug adapt"
    return f"fit it again: aeplug fit-prior MODEL --kind {kind}"


def restore(
    kind: str, entry: Mapping[str, Any], columns: Mapping[str, Tensor]
) -> FittedPrior | SequencePrior | StylePrior:
    """A stored prior of any kind.

    Raises:
        KeyError, TypeError, ValueError, RuntimeError: the tensors are not of such a prior.
    """
    if kind == SEQUENCE:
        from aeplug_priors.sequence.prior import SequencePrior

        return SequencePrior.restored(entry, columns)
    if kind == STYLE:
        from aeplug_priors.style.prior import StylePrior

        return StylePrior.restored(entry, columns)
    return FittedPrior.restored(kind, entry, columns)


def check_name(name: str) -> bool:
    """Whether a name means another prior than the model's own.

    Raises:
        ConfigError: no prior is called so.
    """
    known = (OWN, STANDARD, *STORED)
    if name not in ("", *known):
        raise ConfigError(f"no prior is called '{name}'. {nearest(name, known)}")
    return name not in ("", OWN)


def standard(size: int, device: torch.device) -> FittedPrior:
    """N(0, 1) in every dimension."""
    one = torch.eye(size, device=device)[None]
    zeros = torch.zeros(1, size, device=device)
    mixture = GaussianMixture(torch.zeros(1, 1, device=device), zeros, one)
    return FittedPrior(STANDARD, mixture, {}, {})


def fit_prior(
    model: TensorModel,
    kind: str,
    components: int = 0,
    *,
    dataset: Dataset | None = None,
    split: str = "train",
    items: int = ITEMS,
    seed: int = 0,
) -> FittedPrior:
    """Fit a prior to draws of the posteriors of a split's items.

    Args:
        model: whose latents.
        kind: ``gaussian`` or ``gmm``.
        components: of the mixture; 0: ``COMPONENTS``, fewer where items are few.
        dataset: whose split; None: what the model was trained with.
        split: its name.
        items: that it is fitted to at most, spread over the split.
        seed: of draws and start.

    Raises:
        ConfigError: the latent is no vector or is quantised, no kind is called so, or there are
            too few items.
        DataError: there is no such split.
    """
    if kind not in KINDS:
        known = (*KINDS, SEQUENCE)
        raise ConfigError(f"no prior that is fitted is called '{kind}'. {nearest(kind, known)}")
    if kind != "gmm" and components > 1:
        raise ConfigError(f"a prior of kind '{kind}' has one component; for {components} take gmm")
    size = require_vector(model)
    dataset = dataset or evaluation_dataset(model, None, active())
    z, cond = posterior_draws(model, choose_split(dataset, split), items, seed)
    if not torch.isfinite(z).all():
        raise ConfigError(f"latents of '{model.spec.name}' are not finite: no prior fits them")
    bearable = max(1, len(z) // (ITEMS_A_DIMENSION * size))
    components = (components or min(COMPONENTS, bearable)) if kind == "gmm" else 1
    if components > len(z):
        raise ConfigError(
            f"{components} components want as many items, split '{split}' has {len(z)}"
        )
    conditions = {name: len(classes) for name, classes in model.shape.conditions.items()}
    if math.prod(conditions.values()) > CLASSES or not set(conditions) <= set(cond):
        conditions = {}
    with Progress(STEPS, "steps") as progress:
        mixture = fit(
            z,
            components,
            class_numbers(conditions, cond) if conditions else None,
            math.prod(conditions.values()) if conditions else 0,
            seed,
            lambda step, density: progress.update(step),
        )
    facts = {"components": components, "items": len(z), "split": split, "seed": seed}
    prior = FittedPrior(kind, mixture, conditions, facts)
    held_out = _densities(model, prior, dataset, split, seed)
    return FittedPrior(kind, mixture, conditions, {**facts, **held_out})


@torch.no_grad()
def posterior_draws(
    model: TensorModel, split: Split, items: int, seed: int
) -> tuple[Tensor, dict[str, Tensor]]:
    """One draw of each posterior, ``(N, D)``, and conditions ``(N,)``, of rows over a split.

    Raises:
        ConfigError: latents are codes of a finite set.
        DataError: the split is empty.
    """
    count = min(items, len(split))
    if count == 0:
        raise DataError("there is no item to fit a prior to")
    chosen = torch.linspace(0, len(split) - 1, count, dtype=torch.float64).round().long()
    split, generator = split.to(model.device), model.generator(seed)
    draws: list[Tensor] = []
    cond: dict[str, list[Tensor]] = {}
    with Progress(count, "items") as progress:
        for index in chosen.split(INFERENCE_BATCH):
            batch: Batch = model.prepared(split.take(index.to(model.device)))
            posterior, _ = model.posterior(batch)
            if isinstance(posterior, CodesPosterior):
                raise ConfigError(
                    f"latents of '{model.spec.name}' are codes of a finite set: between them, "
                    f"where a density would draw, its decoder knows nothing"
                )
            draws.append(posterior.sample(generator).float())
            for name, classes in batch.cond.items():
                cond.setdefault(name, []).append(classes)
            progress.update(len(draws) * INFERENCE_BATCH)
    return torch.cat(draws), {name: torch.cat(classes) for name, classes in cond.items()}


def _densities(
    model: TensorModel, prior: FittedPrior, dataset: Dataset, fitted: str, seed: int
) -> dict[str, Any]:
    """Mean log-density of latents that the prior was not fitted to, beside the model's own."""
    try:
        split = dataset.split("val" if fitted != "val" else "test")
        z, cond = posterior_draws(model, split, HELD_OUT, seed)
    except AeplugError:
        return {}  # a folder too small to have one
    found = {"heldout_items": len(z), "log_density_nats": float(prior.log_prior(z, cond).mean())}
    if model.has_prior and isinstance(model.task.latent, LatentDensity):
        with torch.no_grad():
            found["own_log_density_nats"] = float(model.task.latent.log_prior(z).mean())
    return found


def found_or_fitted(model: TensorModel, name: str) -> FittedPrior | SequencePrior | StylePrior:
    """A prior by name: in the checkpoint, kept in the cache, or fitted now and kept.

    Raises:
        ConfigError: there is no data to fit it on; a style, which is never fitted here, is not
            there.
        CheckpointError: the one in the checkpoint is damaged.
    """
    size = require_vector(model)
    if name == STANDARD:
        return standard(size, model.device)
    found: Any = files.find(model, name)
    if found is None and name == STYLE:
        raise ConfigError(
            f"'{model.spec.name}' has no prior of a style: aeplug adapt makes a model that has"
        )
    if found is None:
        say(f"no prior '{name}' is stored: fitting one to the embeddings of the training split")
        try:
            found = fitted(model, name)
        except AeplugError as error:
            raise ConfigError(
                f"no prior '{name}' is stored, and none can be fitted here: {error} "
                f"(aeplug fit-prior takes data of yours)"
            ) from error
        place = files.save(model, found)
        say(f"kept in {place}" if place else "it can be kept nowhere: it is fitted anew each time")
    checked: FittedPrior | SequencePrior | StylePrior = found
    return checked


def fitted(
    model: TensorModel, kind: str, components: int = 0, **options: Any
) -> FittedPrior | SequencePrior:
    """Fit a prior of any kind; ``options`` as :func:`fit_prior` has them.

    Raises:
        ConfigError: no such kind is fitted from a data set, or model or data are not fit for it.
        DataError: there is no such split.
    """
    if kind != SEQUENCE:
        return fit_prior(model, kind, components, **options)
    from aeplug_priors.sequence.fitting import fit_sequence_prior

    for name, given in (("components", components), ("items", options.get("items"))):
        if given:
            raise ConfigError(f"a prior of kind '{kind}' takes no number of {name}")
    return fit_sequence_prior(model, **options)
