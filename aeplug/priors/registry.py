"""Priors of a model by name: in memory, in its checkpoint, in the cache, or fitted now.

Which there are, plug-ins say (:class:`aeplug.PriorSpec`); the engine knows one by name, ``own``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from aeplug.errors import AeplugError, ConfigError, nearest
from aeplug.interfaces import (
    OWN,
    Dataset,
    DocumentPrior,
    PackedPriors,
    Prior,
    SequencedCodec,
    StoredPrior,
    supports,
)
from aeplug.model.dataset import evaluation_dataset
from aeplug.model.model import Model
from aeplug.model.own_prior import own_prior
from aeplug.model.trained import DEFAULT_PRIOR
from aeplug.plugins import Plugins, PriorSpec, active, load_attribute
from aeplug.plugins.options import check_options
from aeplug.priors import store
from aeplug.runtime.console import say


class PriorRegistry:
    """The priors of one model; see :class:`aeplug.interfaces.PriorSource`.

    Args:
        model: whose.
        plugins: what brings them.

    Example:
        >>> from aeplug.plugins import active
        >>> registry = PriorRegistry(model, active())
        >>> registry.names()
        ('own', 'standard', 'gaussian', 'gmm', 'sequence', 'style')
    """

    def __init__(self, model: Model, plugins: Plugins) -> None:
        self._model, self._plugins = model, plugins
        self._loaded: dict[str, Any] = {}
        self._fits_long = False

    def names(self) -> Sequence[str]:
        """Names of all priors that a user can ask for."""
        return (OWN, *(spec.name for spec in self._plugins.specs("prior")))

    def check(self, name: str) -> None:
        """Check that there is a prior of this name.

        Raises:
            ConfigError: there is none; the message names the nearest.
        """
        if name not in self.names():
            raise ConfigError(f"no prior is called '{name}'. {nearest(name, self.names())}")

    def spec(self, name: str) -> PriorSpec:
        """The description of a prior that is fitted, or made otherwise, after training.

        Raises:
            ConfigError: there is none of this name.
        """
        self.check(name)
        if name == OWN:
            raise ConfigError(f"the prior '{OWN}' comes with the latent part; nothing is fitted")
        spec: PriorSpec = self._plugins.find("prior", name)
        return spec

    def is_fitted(self, name: str) -> bool:
        """Whether it is fitted to embeddings, and so asks nothing of the latent part."""
        return name != OWN and self.spec(name).restore is not None

    def can_fit(self, name: str) -> bool:
        """Whether it can be fitted to embeddings of the model, whatever its latent part is."""
        model = self._model
        return (
            self.is_fitted(name)
            and self.spec(name).fit is not None
            and len(model.task.latent.latent_shape) == 1
            and (not self.makes_documents(name) or supports(model.codec, SequencedCodec))
        )

    def makes_documents(self, name: str) -> bool:
        """Whether its unit is a whole document, not a single item."""
        return name != OWN and self.spec(name).unit == "document"

    def document_prior(self) -> str:
        """Name of the prior that makes whole documents; of several the first.

        Raises:
            ConfigError: no plug-in brings one.
        """
        for spec in self._plugins.specs("prior"):
            if spec.unit == "document":
                return str(spec.name)
        raise ConfigError("no plug-in that is loaded brings a prior over whole documents")

    def get(self, name: str) -> Prior | DocumentPrior:
        """A prior by name: in memory, in the checkpoint, in the cache, or fitted now and kept.

        Raises:
            ConfigError: there is none of this name, no data to fit it on, or it is made by a
                command of its own, which the message names; or fitting it takes minutes, and
                :meth:`allow_fitting` was not called.
            CheckpointError: the one in the checkpoint is damaged.
        """
        if name == OWN:
            return own_prior(self._model.task.latent)
        if name not in self._loaded:
            self._loaded[name] = self._find_or_fit(self.spec(name))
        prior: Prior | DocumentPrior = self._loaded[name]
        return prior

    def allow_fitting(self) -> None:
        """Let :meth:`get` fit also what takes minutes (:attr:`aeplug.PriorSpec.duration`)."""
        self._fits_long = True

    def fit(
        self,
        name: str,
        dataset: Dataset | None = None,
        split: str = "train",
        seed: int = 0,
        **options: Any,
    ) -> Any:
        """Fit a prior to a split's embeddings and hold it in memory; :meth:`keep` writes it.

        Args:
            name: of the prior.
            dataset: whose split; None: what the model was trained with.
            split: its name.
            seed: of every draw.
            options: of its :class:`aeplug.PriorSpec`, with underscores.

        Raises:
            ConfigError: none is called so or can be fitted, or the latent is not fit for it.
            DataError: there is no such split, or it is empty.
        """
        spec = self.spec(name)
        if spec.fit is None:
            raise ConfigError(f"the prior '{name}' is not fitted to a data set; {spec.hint}")
        known = [option.name.replace("-", "_") for option in spec.options]
        for option in options:
            if option not in known:
                raise ConfigError(f"the prior '{name}' takes no option {option}")
        _ = self._model.latent_size
        if spec.restore is not None:
            dataset = dataset or evaluation_dataset(self._model, None, self._plugins)
        # Also where the caller computes without gradients, as sampling does.
        with torch.enable_grad():
            self._loaded[name] = load_attribute(spec.fit)(
                self._model, dataset, split, seed, **options
            )
        return self._loaded[name]

    def add(self, prior: StoredPrior, *, default: bool = False) -> None:
        """Hold a prior in memory under its kind.

        ``default``: the model then samples and varies from it unless another is named.
        """
        self._loaded[prior.kind] = prior
        if default:
            # In place: copies of the model, for options of their own, have the same header.
            self._model.header[DEFAULT_PRIOR] = prior.kind

    def keep(self, name: str) -> Path | None:
        """Write a prior that is in memory beside the weights, or into the cache; its file.

        None where neither can be written to.
        """
        return store.save(self._model, self._loaded[name], self._owner(name))

    def pack(self) -> PackedPriors:
        """All that are kept, for a checkpoint.

        Raises:
            CheckpointError: one is damaged.
        """
        entries, files, plugins = {}, {}, {}
        for spec in self._plugins.specs("prior"):
            if spec.restore is None:
                continue
            prior = self._loaded.get(spec.name) or store.find(self._model, spec)
            if prior is not None:
                entries[spec.name], name, files[name] = store.serialize(prior)
                plugins.update(self._owner(spec.name))
        return PackedPriors(entries, files, plugins)

    def _find_or_fit(self, spec: PriorSpec) -> Any:
        _ = self._model.latent_size
        if spec.restore is None:
            return self.fit(spec.name)
        prior = store.find(self._model, spec)
        if prior is not None:
            return prior
        if spec.fit is None:
            raise ConfigError(f"'{self._model.spec.name}' has no prior '{spec.name}'; {spec.hint}")
        # What cannot be fitted at all says so when that is tried.
        if spec.duration and not self._fits_long and self.can_fit(spec.name):
            raise ConfigError(self._describe_fitting(spec))
        takes = f", {spec.duration}" if spec.duration else ""
        say(
            f"no prior '{spec.name}' is stored: fitting one to the embeddings of the training "
            f"split{takes}"
        )
        try:
            prior = self.fit(spec.name)
        except AeplugError as error:
            raise ConfigError(
                f"no prior '{spec.name}' is stored, and none can be fitted here: {error} "
                f"(aeplug fit-prior takes data of yours)"
            ) from error
        place = self.keep(spec.name)
        say(f"kept in {place}" if place else "could not be saved; it will be refitted on every run")
        return prior

    def _describe_fitting(self, spec: PriorSpec) -> str:
        """What would be done, how long it takes, how to ask for it, and what is there already."""
        shipped = store.list_tasks_with(spec.name, self._model, self._plugins)
        instead = f"; {' and '.join(shipped)} come{'s' * (len(shipped) < 2)} with one"
        return (
            f"'{self._model.spec.name}' has no prior '{spec.name}' yet, and fitting one takes "
            f"{spec.duration}: --fit does that first, once (in Python "
            f"model.priors.allow_fitting()){instead if shipped else ''}"
        )

    def _owner(self, name: str) -> dict[str, str]:
        plugin = self._plugins.owner("prior", name)
        return {plugin.name: plugin.origin}


def fit_prior(
    model: Model,
    kind: str = "gmm",
    *,
    data: str | Path | None = None,
    split: str = "train",
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    plugins: Plugins | None = None,
) -> StoredPrior:
    """Fit a prior to the latents of a data set and hold it in memory; ``keep`` writes it.

    Args:
        model: whose latents; its ``priors`` gets the prior.
        kind: name of the prior.
        data: your own files as the data set, instead of what the model was trained with.
        split: of the data set.
        seed: of every draw.
        options: of the prior, by name with hyphens.
        plugins: which bring priors; by default those of this process.

    Raises:
        ConfigError: none is called so or can be fitted, an option does not fit, or the latent is
            not fit for it.
        DataError: there is no such split, or it is empty.

    Example:
        >>> prior = fit_prior(model, "gmm", split="val", options={"components": 3})
        >>> prior.facts["components"], prior.facts["items"], prior.size
        (3, 5000, 2)
    """
    plugins = plugins or active()
    model.priors.check(kind)
    named = {name: value for name, value in (options or {}).items() if value is not None}
    if named:
        brought = [o for spec in plugins.specs("prior") if spec.name == kind for o in spec.options]
        named = check_options(brought, named, f"prior {kind}")
    _ = model.latent_size
    dataset = evaluation_dataset(model, None if data is None else str(data), plugins)
    values = {name.replace("-", "_"): value for name, value in named.items()}
    prior: StoredPrior = model.priors.fit(kind, dataset, split, seed, **values)
    return prior
