"""A trained model in use: encode, decode, reconstruct, sample, interpolate, vary.

Batched and seeded, for tensors and for files alike; what a file is, the task's codec knows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from aeplug.config import TaskConfig
from aeplug.errors import AeplugError, ConfigError, nearest
from aeplug.interfaces import (
    Batch,
    Codec,
    Context,
    DataShape,
    Document,
    Encoder,
    Posterior,
    Prepare,
    Raw,
    Sampling,
    Split,
)
from aeplug.interpolation import slerp
from aeplug.pieces import Result, assembled, chunks, divided, gathered, joined, rows
from aeplug.specs import VERBS, TaskSpec
from aeplug.task import Task, build_prepare

#: Pieces run through the model at once. Fixed, since draws of a batch share one generator:
#: the same seed then gives the same result whatever the number of items.
BATCH = 256


class Model:
    """A task with trained weights, in evaluation mode.

    Attributes:
        config: resolved settings.
        task: encoder, latent, decoder, loss.
        shape: what one item looks like.
        device: where it computes.
        header: what its checkpoint says of itself.
    """

    def __init__(
        self,
        config: TaskConfig,
        task: Task,
        device: torch.device,
        header: Mapping[str, Any] | None = None,
    ) -> None:
        self.config, self.device, self.header = config, device, header or {}
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
        needs_prior = () if self.has_prior else ("sample", "vary")
        return tuple(v for v in VERBS if v in self.spec.verbs and v not in needs_prior)

    def require(self, verb: str) -> None:
        """Check that the model can do what it is asked to.

        Raises:
            ConfigError: it cannot; the message says why and what it can do.
        """
        if verb in self.verbs:
            return
        why = ""
        if verb in self.spec.verbs:
            why = f": its latent '{self.config.sections['latent'].name}' has no prior to draw from"
        raise ConfigError(f"'{self.spec.name}' cannot {verb}{why}. It can: {', '.join(self.verbs)}")

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
    ) -> Tensor:
        """Latents ``(B, *latent_shape)`` -> data ``(B, *shape.target)``; greedy by default."""
        sampling = sampling or Sampling(greedy=True)
        expected = self.task.latent.latent_shape
        if tuple(z.shape[1:]) != expected:
            raise AeplugError(f"latents have shape {expected}, got {tuple(z.shape[1:])}")
        conditions = self.conditions(cond, len(z))
        pieces = []
        for start in range(0, len(z), BATCH):
            part = slice(start, start + BATCH)
            context = Context(
                cond={name: value[part] for name, value in conditions.items()},
                size=self.shape.target,
            )
            pieces.append(self.task.decoder.generate(z[part].to(self.device), context, sampling))
        return torch.cat(pieces)

    @torch.no_grad()
    def reconstruct(
        self,
        items: Tensor | Path | str | Sequence[Path | str],
        cond: Mapping[str, Any] | None = None,
        sampling: Sampling | None = None,
    ) -> Tensor:
        """Items or files (as for :meth:`encode`) through the model: ``(B, *shape.target)``.

        Decoded from the posterior's mode; greedy by default.
        """
        chunks = self._chunks(self._batch(items, cond))
        return torch.cat([self.reconstruct_batch(chunk, sampling) for chunk in chunks])

    @torch.no_grad()
    def reconstruct_batch(self, batch: Batch, sampling: Sampling | None = None) -> Tensor:
        """A prepared batch decoded from its posterior's mode, greedily by default."""
        posterior, context = self.posterior(batch)
        data: Tensor = self.task.decoder.generate(
            posterior.mode(), context, sampling or Sampling(greedy=True)
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
    ) -> Tensor:
        """Draw new items, ``(count, *shape.target)``; the same seed gives the same items.

        Args:
            count: how many.
            seed: of every draw.
            temperature: T above 0, 1 is the model's own; by default the task's. The prior gets the
                standard deviation sqrt(T), the logits of tokens are divided by T.
            cond: condition's name -> class.
            top_k: see :class:`aeplug.interfaces.Sampling`, like ``top_p`` and ``greedy``.
            top_p: see there.
            greedy: see there.

        Raises:
            ConfigError: the model has no prior.
        """
        self.require("sample")
        if count < 1:
            raise ConfigError(f"cannot sample {count} items: expected at least 1")
        temperature = self.spec.temperature if temperature is None else temperature
        if not temperature > 0:
            raise ConfigError(f"temperature {temperature}: expected above 0")
        generator = self.generator(seed)
        # The whole model is tempered, p(z)^(1/T) p(x|z)^(1/T): a Gaussian then has the standard
        # deviation sqrt(T), and logits are divided by T.
        spread = math.sqrt(temperature)
        # In whole batches, also where fewer are asked for: draws depend on a tensor's size, and
        # the first items shall be the same however many follow.
        draws = range(0, count, BATCH)
        z = torch.cat([self.task.latent.prior(BATCH, spread, generator) for _ in draws])
        # Of their own, since how many latents were drawn before must not matter either.
        draws_of_tokens = self.generator((seed + 2**40) % 2**63)
        sampling = Sampling(temperature, top_k, top_p, greedy, draws_of_tokens)
        chosen = {
            name: torch.cat([value, value[-1:].expand(len(z) - count)])
            for name, value in self.conditions(cond, count).items()
        }
        return self.decode(z, chosen, sampling)[:count]

    def generator(self, seed: int) -> torch.Generator:
        """A source of randomness on the model's device."""
        return torch.Generator(self.device).manual_seed(seed)

    # Documents

    def read(self, path: Path) -> Document:
        """Read a file; raises :class:`aeplug.errors.FileError`."""
        return self.codec.read(path)

    def pieces(self, document: Document) -> Batch:
        """A document cut into pieces and prepared for the model."""
        return self.given(self._here(self.codec.split(document)))

    def reconstruct_document(self, document: Document, sampling: Sampling) -> Document:
        """A document through the model, chunk by chunk, joined again."""
        results = (
            self.reconstruct_chunks([raw], sampling)[0] for raw in chunks(self.codec, document)
        )
        return assembled(self.codec, results, document)

    @torch.no_grad()
    def reconstruct_chunks(self, raws: Sequence[Raw], sampling: Sampling) -> list[Result]:
        """Chunks of one form, of one document or of several, through the model together."""
        batch = self.given(self._here(gathered(raws)))
        parts = [self.reconstruct_batch(part, sampling) for part in self._chunks(batch)]
        return divided(torch.cat(parts).cpu(), batch.cond, raws)

    def sample_documents(
        self,
        count: int,
        seed: int,
        sampling: Sampling,
        cond: Mapping[str, Any] | None = None,
    ) -> list[Document]:
        """Draw documents of one piece each."""
        data = self.sample(
            count, seed, sampling.temperature, cond, sampling.top_k, sampling.top_p, sampling.greedy
        )
        return self.documents(data, self.conditions(cond, count))

    @torch.no_grad()
    def interpolate_documents(
        self, a: Document, b: Document, steps: int, sampling: Sampling
    ) -> list[Document]:
        """``steps`` documents from ``a`` to ``b``, ends included, piece by piece.

        The longer document is cut to the pieces of the shorter. Between Gaussian posteriors the
        way is spherical (White, 2016), between plain codes straight. A condition in which the
        ends differ changes at half way.
        """
        ends = [self.pieces(document) for document in (a, b)]
        count = min(len(end.input) for end in ends)
        ends = [rows(end, slice(0, count)) for end in ends]
        codes = [self.posterior(end)[0].mode() for end in ends]
        documents = []
        for step in range(steps):
            t = step / max(steps - 1, 1)
            z = (slerp if self.has_prior else torch.lerp)(codes[0], codes[1], t)
            end = ends[0] if t < 0.5 else ends[1]
            data = self.decode(z, end.cond, sampling)
            documents.append(self.codec.join(data, end.cond, a if t < 0.5 else b))
        return documents

    @torch.no_grad()
    def vary_document(
        self, document: Document, count: int, similarity: float, seed: int, sampling: Sampling
    ) -> list[Document]:
        """``count`` variations: the document's latents turned towards draws from the prior.

        Args:
            document: what to vary; every piece is turned towards a draw of its own.
            count: how many.
            similarity: the cosine of the angle by which latents are turned: 1 keeps them, 0
                replaces them by draws from the prior.
            seed: of every draw.
            sampling: how to decode.
        """
        self.require("vary")
        generator = self.generator(seed)
        sampling = Sampling(
            sampling.temperature, sampling.top_k, sampling.top_p, sampling.greedy, generator
        )
        batch = self.pieces(document)
        z = self.posterior(batch)[0].mode()
        documents = []
        for _ in range(count):
            draw = self.task.latent.prior(len(z), 1.0, generator)
            turned = similarity * z + math.sqrt(1 - similarity**2) * draw
            data = self.decode(turned, batch.cond, sampling)
            documents.append(self.codec.join(data, batch.cond, document))
        return documents

    # Parts of the above

    def documents(self, data: Tensor, cond: Mapping[str, Tensor]) -> list[Document]:
        """Each row of data ``(B, *shape.target)`` as a document of its own."""
        return [
            self.codec.join(
                data[row : row + 1],
                {name: value[row : row + 1] for name, value in cond.items()},
                None,
            )
            for row in range(len(data))
        ]

    def prepared(self, raw: Raw) -> Batch:
        """Raw rows on the device -> a batch, without augmentation."""
        return self.prepare(raw, self.generator(0), training=False)

    def given(self, raw: Raw) -> Batch:
        """Rows of a user's file on the device -> a batch: not corrupted, as rows of data may be."""
        given = getattr(self.prepare, "given", None)
        batch: Batch = given(raw) if given else self.prepared(raw)
        return batch

    def batches(self, split: Split, items: int | None = None) -> Iterator[Batch]:
        """A split's rows in order, prepared, ``BATCH`` at a time."""
        split = split.to(self.device)
        count = len(split) if items is None else min(items, len(split))
        for start in range(0, count, BATCH):
            index = torch.arange(start, min(start + BATCH, count), device=self.device)
            yield self.prepared(split.take(index))

    def conditions(self, cond: Mapping[str, Any] | None, count: int) -> dict[str, Tensor]:
        """Conditions as int64 ``(count,)``; the first class where none is given.

        Raises:
            ConfigError: an unknown condition or class.
        """
        given = dict(cond or {})
        found: dict[str, Tensor] = {}
        for name, classes in self.shape.conditions.items():
            value = given.pop(name, 0)
            if isinstance(value, str):
                if value not in classes:
                    raise ConfigError(f"{name} has no class '{value}'. {nearest(value, classes)}")
                value = classes.index(value)
            if not isinstance(value, Tensor):
                value = torch.full((count,), int(value), dtype=torch.int64)
            if len(value) and not 0 <= int(value.min()) <= int(value.max()) < len(classes):
                raise ConfigError(f"{name} has {len(classes)} classes, got number {value.max()}")
            found[name] = value.to(self.device)
        if given:
            name = next(iter(given))
            hint = nearest(name, self.shape.conditions)
            raise ConfigError(f"'{self.spec.name}' takes no condition '{name}'. {hint}")
        return found

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
            return Batch(items, items, self.conditions(cond, len(items)))
        if isinstance(items, (str, Path)):
            items = [items]
        if len(items) == 0:
            raise AeplugError("no items were given")
        return joined([self.pieces(self.read(Path(item).expanduser())) for item in items])

    def _here(self, raw: Raw) -> Raw:
        return {name: column.to(self.device) for name, column in raw.items()}

    def _chunks(self, batch: Batch) -> Iterator[Batch]:
        for start in range(0, len(batch.input), BATCH):
            yield rows(batch, slice(start, start + BATCH))
