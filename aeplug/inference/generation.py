"""A trained model in use: all that :class:`TensorModel` does, and whole files.

Reconstruct, sample, interpolate, vary; what a file is, the task's codec knows.
"""

from __future__ import annotations

import copy
import hashlib
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from aeplug.data.batching import INFERENCE_BATCH as BATCH
from aeplug.data.batching import (
    Result,
    assemble,
    chunks,
    concat_raw,
    count_pieces,
    slice_batch,
    split_results,
)
from aeplug.errors import ConfigError
from aeplug.inference.interpolate import slerp
from aeplug.interfaces import Document, RawBatch, Sampling, StreamingCodec
from aeplug.model.model import TensorModel


class Model(TensorModel):
    """A task with trained weights, for tensors and files alike; see :class:`TensorModel`."""

    #: What pieces are decoded from in place of their own latents (:meth:`under_latents_of`).
    _latents: Tensor | None = None
    #: By what those are known; empty: each piece is decoded from its own.
    latents_digest: str = ""

    @torch.no_grad()
    def under_latents_of(self, document: Document) -> Model:
        """The same model, decoding the n-th piece of each document from the n-th of this one's.

        After its last piece comes the first again. All but the latent is still each document's
        own: its length, and what else the decoder looks at, such as notes that it keeps.

        Raises:
            ConfigError: the task's latents are feature maps of the document itself.
            FileError: the document gives no pieces.
        """
        if isinstance(self.codec, StreamingCodec) or getattr(self.encoder, "any_size", False):
            raise ConfigError(
                f"'{self.spec.name}' cannot decode one file under another's latents: they are "
                f"feature maps"
            )
        batch = self.pieces(document)
        found = copy.copy(self)
        z = torch.cat([self.posterior(one)[0].mode() for one in self._chunks(batch)])
        found._latents = z
        found.latents_digest = hashlib.sha256(z.float().cpu().numpy().tobytes()).hexdigest()
        return found

    def _latents_for(self, raws: Sequence[RawBatch]) -> Tensor | None:
        """For the pieces of chunks that are whole documents."""
        z = self._latents
        if z is None:
            return None
        pieces = torch.cat([torch.arange(count_pieces(raw)) for raw in raws])
        return z[(pieces % len(z)).to(z.device)]

    def reconstruct_document(self, document: Document, sampling: Sampling) -> Document:
        """A document through the model, chunk by chunk, joined again."""
        results = (
            self.reconstruct_chunks([raw], sampling)[0] for raw in chunks(self.codec, document)
        )
        return assemble(self.codec, results, document)

    @torch.no_grad()
    def reconstruct_chunks(
        self, raws: Sequence[RawBatch], sampling: Sampling, to: Mapping[str, Any] | None = None
    ) -> list[Result]:
        """Chunks of one form, of one document or of several, through the model together.

        ``to``: see :meth:`reconstruct`; one class for all.
        """
        batch = self.given(self._here(concat_raw(raws)))
        z = self._latents_for(raws)
        parts = [
            self.reconstruct_batch(part, sampling, self.told(to, len(part.input)), latents)
            for part, latents in zip(
                self._chunks(batch),
                z.split(BATCH) if z is not None else itertools.repeat(None),
                strict=False,
            )
        ]
        cond = {**batch.cond, **self.told(to, len(batch.input))}
        return split_results(torch.cat(parts).cpu(), cond, raws)

    def sample_documents(
        self,
        count: int,
        seed: int,
        sampling: Sampling,
        cond: Mapping[str, Any] | None = None,
        prior: str = "",
        pieces: int = 1,
        spread: float | None = None,
    ) -> list[Document]:
        """Draw documents of so many pieces each; see :meth:`sample`.

        Those of several are made by the prior ``sequence``, unless another is named: then pieces
        that know nothing of each other stand in a row.
        """
        from aeplug.priors.mixture import SEQUENCE

        if prior == SEQUENCE or (pieces > 1 and not prior):
            return self.compose_documents(count, pieces, seed, sampling, cond)
        prior = prior or self.default_prior
        chosen = {
            name: value.repeat_interleave(pieces)
            for name, value in self.drawn_conditions(cond, count, seed, prior).items()
        }
        data = self.sample(
            count * pieces,
            seed,
            sampling.temperature,
            chosen,
            sampling.top_k,
            sampling.top_p,
            sampling.greedy,
            prior,
            spread,
        )
        return self.documents(data, chosen, pieces)

    def compose_documents(
        self,
        count: int,
        pieces: int,
        seed: int,
        sampling: Sampling,
        cond: Mapping[str, Any] | None = None,
    ) -> list[Document]:
        """Whole documents; see :func:`aeplug_priors.sequence.generation.generate_documents`."""
        from aeplug_priors.sequence.generation import generate_documents

        return generate_documents(self, count, pieces, seed, sampling, cond)

    def continue_document(
        self,
        document: Document,
        count: int,
        pieces: int,
        seed: int,
        sampling: Sampling,
        to: Mapping[str, Any] | None = None,
    ) -> list[Document]:
        """A document that goes on."""
        from aeplug_priors.sequence.generation import continue_documents

        return continue_documents(self, document, count, pieces, seed, sampling, to)

    @torch.no_grad()
    def interpolate_documents(
        self, a: Document, b: Document, steps: int, sampling: Sampling
    ) -> list[Document]:
        """``steps`` documents from ``a`` to ``b``, ends included, piece by piece.

        The longer document is cut to the pieces of the shorter. Between Gaussian posteriors the
        way is spherical (White, 2016), between plain codes straight. A condition in which the
        ends differ changes at half way, and so does what the decoder sees of the input.
        """
        ends = [self.pieces(document) for document in (a, b)]
        count = min(len(end.input) for end in ends)
        ends = [slice_batch(end, slice(0, count)) for end in ends]
        codes = [self.posterior(end)[0].mode() for end in ends]
        documents = []
        for step in range(steps):
            t = step / max(steps - 1, 1)
            z = (slerp if self.has_prior else torch.lerp)(codes[0], codes[1], t)
            end = ends[0] if t < 0.5 else ends[1]
            data = self.decode(z, end.cond, sampling, end.input)
            documents.append(self.codec.join(data, end.cond, a if t < 0.5 else b))
        return documents

    @torch.no_grad()
    def vary_document(
        self,
        document: Document,
        count: int,
        similarity: float,
        seed: int,
        sampling: Sampling,
        to: Mapping[str, Any] | None = None,
        prior: str = "",
    ) -> list[Document]:
        """``count`` variations: the document's latents turned towards draws from the prior.

        What the decoder sees of the input beside its latents is kept.

        Args:
            document: what to vary; every piece is turned towards a draw of its own.
            count: how many.
            similarity: the cosine of the angle by which latents are turned: 1 keeps them, 0
                replaces them by draws from the prior.
            seed: of every draw.
            sampling: how to decode.
            to: change the class: condition's name -> class.
            prior: what is drawn from; see :meth:`sample`.

        Raises:
            ConfigError: the model has no prior, or none of this name.
        """
        prior = prior or self.default_prior
        self.require("vary", prior)
        fitted = self.item_prior(prior)
        generator = self.generator(seed)
        sampling = Sampling(
            sampling.temperature, sampling.top_k, sampling.top_p, sampling.greedy, generator
        )
        batch = self.pieces(document)
        z = self.posterior(batch)[0].mode()
        cond = {**batch.cond, **self.told(to, len(z))}
        documents = []
        for _ in range(count):
            draw = (
                fitted.prior(len(z), 1.0, generator, cond)
                if fitted
                else self.task.latent.prior(len(z), 1.0, generator)
            )
            turned = similarity * z + math.sqrt(1 - similarity**2) * draw
            data = self.decode(turned, cond, sampling, batch.input)
            documents.append(self.codec.join(data, cond, document))
        return documents

    def documents(
        self, data: Tensor, cond: Mapping[str, Tensor], pieces: int = 1
    ) -> list[Document]:
        """Every ``pieces`` rows of data ``(B, *shape.target)`` as a document of its own."""
        return [
            self.codec.join(
                data[row : row + pieces],
                {name: value[row : row + pieces] for name, value in cond.items()},
                None,
            )
            for row in range(0, len(data), pieces)
        ]
