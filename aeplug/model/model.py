"""A trained model in use, on tensors: encode, decode, reconstruct, sample; batched and seeded."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor

from aeplug.config import TaskConfig
from aeplug.data.batching import INFERENCE_BATCH, concat_batches, slice_batch
from aeplug.data.opening import build_prepare
from aeplug.errors import AeplugError, ConfigError
from aeplug.interfaces import (
    Batch,
    Codec,
    Context,
    DataShape,
    Document,
    Encoder,
    Posterior,
    Prepare,
    RawBatch,
    Sampling,
    SequencedCodec,
    Split,
)
from aeplug.model import conditions
from aeplug.model.task import Task
from aeplug.plugins.specs import VERBS, TaskSpec

if TYPE_CHECKING:
    from aeplug.priors.mixture import FittedPrior
    from aeplug_priors.sequence.prior import SequencePrior
    from aeplug_priors.style.prior import StylePrior

AnyModel = TypeVar("AnyModel", bound="TensorModel")

#: Key of a checkpoint's header: see :attr:`TensorModel.default_prior`.
DEFAULT_PRIOR = "default_prior"


class TensorModel:
    """A task with trained weights, in evaluation mode.

    Attributes:
        config: resolved settings.
        task: encoder, latent, decoder, loss.
        shape: what one item looks like.
        device: where it computes.
        header: what its checkpoint says of itself.
        folder: where that lies; None where there is none.
        priors: those fitted to its embeddings that are in memory, by name.
    """

    def __init__(
        self,
        config: TaskConfig,
        task: Task,
        device: torch.device,
        header: Mapping[str, Any] | None = None,
        folder: Path | None = None,
    ) -> None:
        self.config, self.device, self.header = config, device, header or {}
        self.folder = folder
        self.priors: dict[str, FittedPrior | SequencePrior | StylePrior] = {}
        self.task = task.to(device).eval()
        self.shape: DataShape = task.shape
        codec = config.sections["codec"]
        self.codec: Codec = codec.factory(codec.config, self.shape)
        self.prepare: Prepare = build_prepare(config, self.shape)

    @property
    def spec(self) -> TaskSpec:
        """The task's description."""
        return self.config.task

    @property
    def encoder(self) -> Encoder:
        """The encoder alone, a plain module: ``model.encoder(images)`` gives features."""
        encoder: Encoder = self.task.encoder
        return encoder

    @property
    def has_prior(self) -> bool:
        """Whether there is a prior to sample from."""
        return bool(self.task.latent.has_prior)

    @property
    def verbs(self) -> tuple[str, ...]:
        """What this model can be asked to do."""
        left_out = set() if self.has_prior or self.default_prior else {"sample", "vary"}
        vector = len(self.task.latent.latent_shape) == 1
        if not (isinstance(self.codec, SequencedCodec) and vector):
            left_out.add("continue")
        return tuple(v for v in VERBS if v in self.spec.verbs and v not in left_out)

    @property
    def default_prior(self) -> str:
        """What ``sample`` and ``vary`` draw from unless told; empty: the latent part's own."""
        return str(self.header.get(DEFAULT_PRIOR, self.spec.prior))

    def require(self, verb: str, prior: str = "") -> None:
        """Check that the model can do what it is asked to, by a prior of this name.

        Raises:
            ConfigError: it cannot; the message says why and what it can do.
        """
        from aeplug.priors.mixture import KINDS, check_name, is_fitted

        check_name(prior)
        if verb in self.verbs or (
            verb in self.spec.verbs and verb != "continue" and is_fitted(prior)
        ):
            return
        why, advice = "", ""
        if verb in self.spec.verbs:
            why = f": its latent '{self.config.sections['latent'].name}' has no prior to draw from"
            if verb == "sample":
                advice = f"; with a prior fitted to its embeddings also sample: {', '.join(KINDS)}"
            if verb == "continue":
                why = ": its documents do not go on, or its latent is no vector"
            if verb == "vary":
                advice = "; of a chosen strength, noise needs no prior: vary --sigma"
        raise ConfigError(
            f"'{self.spec.name}' cannot {verb}{why}. It can: {', '.join(self.verbs)}{advice}"
        )

    # Tensors

    @torch.no_grad()
    def posterior(self, batch: Batch) -> tuple[Posterior, Context]:
        """Posterior of the latent for a prepared batch, and the context to decode it with."""
        return self.task.encode(batch.input, batch.context(with_target=False))

    def encode(
        self,
        items: Tensor | Path | str | Sequence[Path | str],
        cond: Mapping[str, Any] | None = None,
    ) -> dict[str, Tensor]:
        """Latents of items or files.

        Args:
            items: inputs ``(B, *shape.input)`` as the model takes them (pixels in 0..1, tokens),
                or files, each of which may hold several pieces.
            cond: condition's name -> class name, number, or int64 ``(B,)``; for tensors only.
                A class that is not told is found where the encoder looks at none (see
                :mod:`aeplug.model.conditions`), else it is the first.

        Returns:
            ``mean`` ``(B, *latent_shape)``, ``logvar`` where the posterior has one, and each
            condition by its name, int64 ``(B,)``: :meth:`decode` wants it again.
        """
        found: dict[str, list[Tensor]] = {}
        for batch in self._chunks(self._batch(items, cond)):
            posterior, _ = self.posterior(batch)
            for name, value in (*posterior.statistics().items(), *batch.cond.items()):
                found.setdefault(name, []).append(value)
        return {name: torch.cat(values) for name, values in found.items()}

    @torch.no_grad()
    def decode(
        self,
        z: Tensor,
        cond: Mapping[str, Any] | None = None,
        sampling: Sampling | None = None,
        input: Tensor | None = None,
    ) -> Tensor:
        """Latents ``(B, *latent_shape)`` -> data ``(B, *shape.target)``; greedy by default.

        Args:
            z: latents.
            cond: condition's name -> class name, number, or int64 ``(B,)``.
            sampling: how to decode.
            input: ``(B, *shape.input)``, of decoders that look at it, such as one that keeps the
                hits it is given; None: there is none, as when sampling.

        Raises:
            AeplugError: latents of another shape, or not as many inputs.
            ConfigError: an unknown condition or class.
        """
        sampling = sampling or Sampling(greedy=True)
        expected = self.task.latent.latent_shape
        if tuple(z.shape[1:]) != expected:
            raise AeplugError(f"latents have shape {expected}, got {tuple(z.shape[1:])}")
        if input is not None and len(input) != len(z):
            raise AeplugError(f"{len(z)} latents need as many inputs, got {len(input)}")
        conditions = self.conditions(cond, len(z))
        pieces = []
        for start in range(0, len(z), INFERENCE_BATCH):
            part = slice(start, start + INFERENCE_BATCH)
            context = Context(
                cond={name: value[part] for name, value in conditions.items()},
                size=self.shape.target,
                input=input[part].to(self.device) if input is not None else None,
            )
            pieces.append(self.task.decoder.generate(z[part].to(self.device), context, sampling))
        return torch.cat(pieces)

    @torch.no_grad()
    def reconstruct(
        self,
        items: Tensor | Path | str | Sequence[Path | str],
        cond: Mapping[str, Any] | None = None,
        sampling: Sampling | None = None,
        to: Mapping[str, Any] | None = None,
    ) -> Tensor:
        """Items or files (as for :meth:`encode`) through the model: ``(B, *shape.target)``.

        Decoded from the posterior's mode; greedy by default. With ``to`` they change their class
        and keep the rest: condition's name -> class, as for :meth:`encode`.
        """
        batch = self._batch(items, cond)
        changed = self.told(to, len(batch.input))
        parts = []
        for number, chunk in enumerate(self._chunks(batch)):
            part = slice(number * INFERENCE_BATCH, number * INFERENCE_BATCH + INFERENCE_BATCH)
            here = {name: value[part] for name, value in changed.items()}
            parts.append(self.reconstruct_batch(chunk, sampling, here))
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
        data: Tensor = self.task.decoder.generate(
            posterior.mode() if z is None else z, context, sampling or Sampling(greedy=True)
        )
        return data

    @torch.no_grad()
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
        spread: float | None = None,
    ) -> Tensor:
        """Draw new items, ``(count, *shape.target)``; the same seed gives the same items.

        Args:
            count: how many.
            seed: of every draw.
            temperature: T above 0, 1 is the model's own; by default the task's. The logits of
                tokens are divided by T.
            cond: condition's name -> class.
            top_k: see :class:`aeplug.interfaces.Sampling`, like ``top_p`` and ``greedy``.
            top_p: see there.
            greedy: see there.
            prior: what latents are drawn from: ``own``, the latent part's; ``standard``, N(0, 1);
                ``gaussian`` or ``gmm``, fitted to the embeddings of the training split (see
                :meth:`fit_prior`), where need be now; ``style``, of a model that was adapted. By
                default that, of others what their task says.
            spread: factor of the latents' distance from the middle of the prior; by default the
                task's, or where it has none sqrt(T): the whole model is then tempered,
                p(z)^(1/T) p(x|z)^(1/T).

        Raises:
            ConfigError: the model has no prior, or none of this name.
        """
        prior = prior or self.default_prior
        self.require("sample", prior)
        if count < 1:
            raise ConfigError(f"cannot sample {count} items: expected at least 1")
        temperature = self.spec.temperature if temperature is None else temperature
        if not temperature > 0:
            raise ConfigError(f"temperature {temperature}: expected above 0")
        generator = self.generator(seed)
        if spread is None:
            spread = self.spec.spread
        if spread is None:
            spread = math.sqrt(temperature)
        # In whole batches, also where fewer are asked for: draws depend on a tensor's size, and
        # the first items shall be the same however many follow.
        starts = range(0, count, INFERENCE_BATCH)
        chosen = {
            name: torch.cat([value, value[-1:].expand(len(starts) * INFERENCE_BATCH - count)])
            for name, value in self.drawn_conditions(cond, count, seed, prior).items()
        }
        fitted = self.item_prior(prior)
        draws = []
        for start in starts:
            here = {name: value[start : start + INFERENCE_BATCH] for name, value in chosen.items()}
            draws.append(
                fitted.prior(INFERENCE_BATCH, spread, generator, here)
                if fitted
                else self.task.latent.prior(INFERENCE_BATCH, spread, generator)
            )
        # Of their own, since how many latents were drawn before must not matter either.
        draws_of_tokens = self.generator((seed + 2**40) % 2**63)
        sampling = Sampling(temperature, top_k, top_p, greedy, draws_of_tokens)
        return self.decode(torch.cat(draws), chosen, sampling)[:count]

    def fit_prior(
        self, kind: str = "gmm", components: int = 0, **options: Any
    ) -> FittedPrior | SequencePrior | StylePrior:
        """Fit a prior to the embeddings of the training split, to be drawn from by its name.

        In memory; ``aeplug fit-prior``, and a ``sample`` that finds none, also keep it on disk.

        Args:
            kind: ``gaussian`` or ``gmm``, a mixture of Gaussians; ``sequence``, of whole documents.
            components: of the mixture; 0: as many as the embeddings bear, up to 50.
            options: ``dataset``, ``split``, ``items``, ``seed`` of
                :func:`aeplug.priors.mixture.fit_prior`, and of
                :func:`aeplug_priors.sequence.fitting.fit_sequence_prior`.

        Raises:
            ConfigError: the latent is no vector, or no prior is called so.
            DataError: there is no such split, or it is empty.
        """
        from aeplug.priors import mixture as fitted_priors

        self.priors[kind] = fitted_priors.fitted(self, kind, components, **options)
        return self.priors[kind]

    def fitted_prior(self, name: str) -> FittedPrior | SequencePrior | StylePrior | None:
        """A prior by its name, found in the checkpoint or fitted now; None for the model's own.

        Raises:
            ConfigError: no prior is called so, or there is no data to fit it on.
            CheckpointError: the one in the checkpoint is damaged.
        """
        from aeplug.priors import mixture as fitted_priors

        if name not in self.priors and fitted_priors.check_name(name):
            self.priors[name] = fitted_priors.found_or_fitted(self, name)
        return self.priors.get(name)

    def item_prior(self, name: str) -> FittedPrior | StylePrior | None:
        """As :meth:`fitted_prior`, of one that single items are drawn from.

        Raises:
            ConfigError: it is of whole documents.
        """
        from aeplug.priors.mixture import SEQUENCE

        if name == SEQUENCE:
            raise ConfigError(
                f"a prior of kind '{name}' makes whole documents, not single items: tell how many "
                f"pieces"
            )
        found: Any = self.fitted_prior(name)
        drawn: FittedPrior | StylePrior | None = found
        return drawn

    def drawn_conditions(
        self, cond: Mapping[str, Any] | None, count: int, seed: int, prior: str
    ) -> dict[str, Tensor]:
        """Conditions as int64 ``(count,)``; where none is given, those of the prior's style."""
        from aeplug.priors.mixture import STYLE

        given = dict(cond or {})
        if prior == STYLE:
            style: Any = self.fitted_prior(prior)
            drawn = style.classes(count, self.generator(seed))
            given = {**drawn, **given}
        return self.conditions(given, count)

    def generator(self, seed: int) -> torch.Generator:
        """A source of randomness on the model's device."""
        return torch.Generator(self.device).manual_seed(seed)

    def asked(self: AnyModel, options: Mapping[str, Any]) -> AnyModel:
        """The same model, taking files for what options of its task or codec say.

        Args:
            options: by name with hyphens; those that neither its preparation nor its codec knows
                are passed over.

        Raises:
            ConfigError: a value that one of them does not admit.
        """
        found = copy.copy(self)
        for name in ("prepare", "codec"):
            asked = getattr(getattr(self, name), "asked", None)
            if asked is not None:
                setattr(found, name, asked(options))
        return found

    # Files as batches

    def read(self, path: Path) -> Document:
        """Read a file; raises :class:`aeplug.errors.FileError`."""
        return self.codec.read(path)

    def pieces(self, document: Document) -> Batch:
        """A document cut into pieces and prepared for the model."""
        return self.given(self._here(self.codec.split(document)))

    # Parts of the above

    def prepared(self, raw: RawBatch) -> Batch:
        """Raw rows on the device -> a batch, without augmentation."""
        return self.prepare(raw, self.generator(0), training=False)

    def given(self, raw: RawBatch) -> Batch:
        """Rows of a user's file on the device -> a batch: not corrupted, as rows of data may be."""
        given = getattr(self.prepare, "given", None)
        batch: Batch = given(raw) if given else self.prepared(raw)
        return self._completed(batch)

    def batches(self, split: Split, items: int | None = None) -> Iterator[Batch]:
        """A split's rows in order, prepared, ``BATCH`` at a time."""
        split = split.to(self.device)
        count = len(split) if items is None else min(items, len(split))
        for start in range(0, count, INFERENCE_BATCH):
            index = torch.arange(start, min(start + INFERENCE_BATCH, count), device=self.device)
            yield self.prepared(split.take(index))

    def conditions(self, cond: Mapping[str, Any] | None, count: int) -> dict[str, Tensor]:
        """Conditions as int64 ``(count,)``; the first class where none is given.

        Raises:
            ConfigError: an unknown condition or class.
        """
        first = dict.fromkeys(self.shape.conditions, 0)
        return self.told({**first, **(cond or {})}, count)

    def told(self, cond: Mapping[str, Any] | None, count: int) -> dict[str, Tensor]:
        """The conditions that are given, as int64 ``(count,)``.

        Raises:
            ConfigError: an unknown condition or class.
        """
        found = conditions.encode_classes(self.shape.conditions, cond or {}, count, self.spec.name)
        return {name: value.to(self.device) for name, value in found.items()}

    def _completed(self, batch: Batch) -> Batch:
        """The batch with every condition, found where its rows do not tell it."""
        if set(self.shape.conditions) <= set(batch.cond):
            return batch
        return concat_batches(
            [conditions.infer_conditions(self.task, part) for part in self._chunks(batch)]
        )

    def _batch(
        self, items: Tensor | Path | str | Sequence[Path | str], cond: Mapping[str, Any] | None
    ) -> Batch:
        if hasattr(items, "__array__") and not isinstance(items, Tensor):
            items = torch.as_tensor(items)
        if isinstance(items, Tensor):
            expected = self.shape.input
            if getattr(self.encoder, "any_size", False) and items.ndim == 1 + len(expected):
                expected = (expected[0], *items.shape[2:])
            if tuple(items.shape[1:]) != expected:
                raise AeplugError(
                    f"'{self.spec.name}' takes items of shape {expected}, "
                    f"got {tuple(items.shape[1:])}"
                )
            if len(items) == 0:
                raise AeplugError("no items were given")
            items = items.to(self.device, torch.int64 if self.shape.classes else torch.float32)
            if self.shape.classes and not 0 <= int(items.min()) <= int(items.max()) < (
                self.shape.classes
            ):
                raise AeplugError(f"tokens are 0..{self.shape.classes - 1}")
            can_infer = conditions.can_infer(self.task)
            found = (self.told if can_infer else self.conditions)(cond, len(items))
            return self._completed(Batch(items, items, found))
        if isinstance(items, (str, Path)):
            items = [items]
        if len(items) == 0:
            raise AeplugError("no items were given")
        return concat_batches([self.pieces(self.read(Path(item).expanduser())) for item in items])

    def _here(self, raw: RawBatch) -> RawBatch:
        return {name: column.to(self.device) for name, column in raw.items()}

    def _chunks(self, batch: Batch) -> Iterator[Batch]:
        for start in range(0, len(batch.input), INFERENCE_BATCH):
            yield slice_batch(batch, slice(start, start + INFERENCE_BATCH))
