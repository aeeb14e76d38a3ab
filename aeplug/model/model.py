"""A trained model in use, on tensors: encode, decode, reconstruct, sample; batched and seeded.

Whole files go through the functions of :mod:`aeplug.inference`.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from aeplug.data.batching import iter_chunks
from aeplug.interfaces import (
    Batch,
    Sampling,
    WithOptions,
    supports,
)
from aeplug.model import checkpoint, walks
from aeplug.model import sampling as drawing
from aeplug.model.capabilities import list_verbs, require_verb
from aeplug.model.guard_choice import choose_guard
from aeplug.model.header import shareable_header
from aeplug.model.inputs import Items, prepare_items
from aeplug.model.trained import TrainedModel


class Model(TrainedModel):
    """A task with trained weights, in evaluation mode.

    Example:
        >>> model = aeplug.load("mnist-vae", device="cpu")
        >>> model.sample(4, seed=1).shape
        torch.Size([4, 1, 28, 28])

    Attributes:
        config: resolved settings.
        task: encoder, latent, decoder, loss.
        shape: what one item looks like.
        device: where it computes.
        codec: reads and writes files.
        prepare: raw rows -> batches.
        header: what its checkpoint says of itself.
        folder: where that lies; None where there is none.
        priors: where priors are found by name; a bare model has its latent part's own alone.
        guard: which pieces of files it passes through; None: its codec compares none.
        options: what it takes files for; see :meth:`with_options`.
    """

    def __repr__(self) -> str:
        count = sum(parameter.numel() for parameter in self.task.parameters())
        latent = " x ".join(map(str, self.task.latent.latent_shape))
        place = f" from {self.folder}" if self.folder else ""
        return (
            f"<aeplug.Model '{self.spec.name}'{place}: {count:,} parameters, {latent}-dimensional "
            f"latent, on {self.device}; {', '.join(self.verbs)}>"
        )

    @property
    def verbs(self) -> tuple[str, ...]:
        """What this model can be asked to do."""
        return list_verbs(self)

    def require(self, verb: str, prior: str = "") -> None:
        """Raise ConfigError unless the model can do it; with the prior of this name, if given."""
        require_verb(self, verb, prior)

    def encode(self, items: Items, cond: Mapping[str, Any] | None = None) -> dict[str, Tensor]:
        """Latents of items or files.

        Args:
            items: inputs ``(B, *shape.input)`` as the model takes them (pixels in 0..1, tokens),
                or files, each of which may hold several pieces.
            cond: condition's name -> class name, number, or int64 ``(B,)``; for tensors only.
                One left out is inferred where the encoder looks at none, else the first.

        Returns:
            ``mean`` ``(B, *latent_shape)``, ``logvar`` where the posterior has one, and each
            condition by its name, int64 ``(B,)``: :meth:`decode` wants it again.
        """
        chunks = [
            {**self.posterior(batch)[0].statistics(), **batch.cond}
            for batch in iter_chunks(prepare_items(self, items, cond))
        ]
        return {name: torch.cat([chunk[name] for chunk in chunks]) for name in chunks[0]}

    @torch.no_grad()
    def reconstruct(
        self,
        items: Items,
        cond: Mapping[str, Any] | None = None,
        sampling: Sampling | None = None,
        to: Mapping[str, Any] | None = None,
    ) -> Tensor:
        """Items or files (as for :meth:`encode`) through the model: ``(B, *shape.target)``.

        Decoded from the posterior's mode, greedily by default. ``to`` changes their class and
        keeps the rest: condition's name -> class.
        """
        parts, done = [], 0
        batch = prepare_items(self, items, cond)
        changed = self.encode_conditions(to, len(batch.input))
        for chunk in iter_chunks(batch):
            part = slice(done, done := done + len(chunk.input))
            classes = {name: value[part] for name, value in changed.items()}
            parts.append(self.reconstruct_batch(chunk, sampling, classes))
        return torch.cat(parts)

    @torch.no_grad()
    def reconstruct_batch(
        self,
        batch: Batch,
        sampling: Sampling | None = None,
        to: Mapping[str, Tensor] | None = None,
        z: Tensor | None = None,
    ) -> Tensor:
        """A prepared batch decoded from its posterior's mode, greedily by default.

        Encoded under its own conditions, decoded under those of ``to`` where it names them. With
        ``z`` ``(B, *latent_shape)`` it is decoded from that, and all else that its decoder looks
        at is the batch's.
        """
        posterior, context = self.posterior(batch)
        context.cond = {**context.cond, **(to or {})}
        return self.task.decoder.generate(
            posterior.mode() if z is None else z, context, sampling or Sampling(greedy=True)
        )

    def sample(
        self,
        count: int,
        seed: int = 0,
        temperature: float | None = None,
        cond: Mapping[str, Any] | None = None,
        top_k: int = 0,
        top_p: float = 1.0,
        greedy: bool = False,
        prior: str = "",
        prior_scale: float | None = None,
    ) -> Tensor:
        """Draw new items, ``(count, *shape.target)``; the same seed gives the same items.

        Args:
            count: how many.
            seed: of every draw.
            temperature: T above 0, 1 is the model's own; by default the task's. The logits of
                tokens are divided by T.
            cond: condition's name -> class.
            top_k: see :class:`aeplug.interfaces.Sampling`.
            top_p: likewise.
            greedy: likewise.
            prior: name of the prior that latents are drawn from (``model.priors.names()``), where
                need be fitted now; by default :attr:`default_prior`.
            prior_scale: factor of the latents' distance from the prior's mean; by default the
                task's, or where it has none sqrt(T): the whole model is then tempered,
                p(z)^(1/T) p(x|z)^(1/T).

        Raises:
            ConfigError: the model has no prior, or none of this name that draws single items.
        """
        return drawing.sample(
            self, count, seed, temperature, cond, top_k, top_p, greedy, prior, prior_scale
        )

    def interpolate(
        self, a: Items, b: Items, steps: int = 9, sampling: Sampling | None = None
    ) -> Tensor:
        """The way from items or files ``a`` to ``b``, ends included: ``(steps, B, *shape.target)``.

        Between Gaussian posteriors it is spherical, between plain codes straight. Classes, and
        what the decoder sees of the input, change at half way. Greedy by default.

        Raises:
            AeplugError: not as many items in ``b`` as in ``a``, or fewer than two steps.
        """
        ends = [prepare_items(self, items, None) for items in (a, b)]
        return torch.stack([data for data, _ in walks.iter_steps(self, ends, steps, sampling)])

    def vary(
        self,
        items: Items,
        count: int = 6,
        similarity: float = 0.8,
        seed: int = 0,
        prior: str = "",
        to: Mapping[str, Any] | None = None,
        sampling: Sampling | None = None,
    ) -> Tensor:
        """Variations of items or files: ``(count, B, *shape.target)``.

        Args:
            items: as for :meth:`encode`; each is turned towards draws of its own.
            count: variations of each.
            similarity: the cosine of the angle by which latents are turned towards draws from the
                prior, 0..1: 1 keeps them, 0 replaces them.
            seed: of every draw.
            prior: see :meth:`sample`.
            to: change the class: condition's name -> class.
            sampling: how to decode; greedy by default.

        Raises:
            ConfigError: the model has no prior, or none of this name that draws single items.
        """
        batch = prepare_items(self, items, None)
        return walks.vary_batch(self, batch, count, similarity, seed, prior, to, sampling)[0]

    def with_options(self, options: Mapping[str, Any]) -> Model:
        """The same model, taking files for what options of its task or codec say.

        ``options`` are by name with hyphens; those that neither its preparation nor its codec
        knows are passed over. Raises ConfigError where one of them does not admit a value.
        """
        model = copy.copy(self)
        if supports(self.prepare, WithOptions):
            model.prepare = self.prepare.with_options(options)
        if supports(self.codec, WithOptions):
            model.codec = self.codec.with_options(options)
        model.options = options
        model.guard = self.guard and choose_guard(model.spec, model.codec, options)
        return model

    def without_guard(self) -> Model:
        """The same model, by which no piece of a file is passed through."""
        model = copy.copy(self)
        model.guard = None
        return model

    def save(self, folder: Path | str, *, half: bool = False) -> None:
        """Write weights and fitted priors without what only training needs; to share or to ship.

        ``folder`` is replaced if it exists; ``half`` stores weights in half precision. Paths of
        this machine are left out of its header.

        Raises:
            CheckpointError: it cannot be written, or a prior is damaged.
        """
        priors, header = self.priors.pack(), shareable_header(self.header)
        header["priors"] = dict(priors.entries)
        header["plugins"] = {**header.get("plugins", {}), **priors.plugins}
        checkpoint.save(Path(folder), header, self.task, half=half, files=priors.files)
