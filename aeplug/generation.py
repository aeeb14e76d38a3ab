"""A trained model in use: all that :class:`TensorModel` does, and whole files.

Reconstruct, sample, interpolate, vary; what a file is, the task's codec knows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from aeplug.interfaces import Document, Raw, Sampling
from aeplug.interpolation import slerp
from aeplug.pieces import Result, assembled, chunks, divided, gathered, rows
from aeplug.tensor_model import BATCH as BATCH
from aeplug.tensor_model import TensorModel


class Model(TensorModel):
    """A task with trained weights, for tensors and files alike; see :class:`TensorModel`."""

    def reconstruct_document(self, document: Document, sampling: Sampling) -> Document:
        """A document through the model, chunk by chunk, joined again."""
        results = (
            self.reconstruct_chunks([raw], sampling)[0] for raw in chunks(self.codec, document)
        )
        return assembled(self.codec, results, document)

    @torch.no_grad()
    def reconstruct_chunks(
        self, raws: Sequence[Raw], sampling: Sampling, to: Mapping[str, Any] | None = None
    ) -> list[Result]:
        """Chunks of one form, of one document or of several, through the model together.

        ``to``: see :meth:`reconstruct`; one class for all.
        """
        batch = self.given(self._here(gathered(raws)))
        parts = [
            self.reconstruct_batch(part, sampling, self.told(to, len(part.input)))
            for part in self._chunks(batch)
        ]
        cond = {**batch.cond, **self.told(to, len(batch.input))}
        return divided(torch.cat(parts).cpu(), cond, raws)

    def sample_documents(
        self,
        count: int,
        seed: int,
        sampling: Sampling,
        cond: Mapping[str, Any] | None = None,
        prior: str = "",
    ) -> list[Document]:
        """Draw documents of one piece each; see :meth:`sample`."""
        data = self.sample(
            count,
            seed,
            sampling.temperature,
            cond,
            sampling.top_k,
            sampling.top_p,
            sampling.greedy,
            prior,
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
        self,
        document: Document,
        count: int,
        similarity: float,
        seed: int,
        sampling: Sampling,
        to: Mapping[str, Any] | None = None,
    ) -> list[Document]:
        """``count`` variations: the document's latents turned towards draws from the prior.

        Args:
            document: what to vary; every piece is turned towards a draw of its own.
            count: how many.
            similarity: the cosine of the angle by which latents are turned: 1 keeps them, 0
                replaces them by draws from the prior.
            seed: of every draw.
            sampling: how to decode.
            to: change the class: condition's name -> class.
        """
        self.require("vary")
        generator = self.generator(seed)
        sampling = Sampling(
            sampling.temperature, sampling.top_k, sampling.top_p, sampling.greedy, generator
        )
        batch = self.pieces(document)
        z = self.posterior(batch)[0].mode()
        cond = {**batch.cond, **self.told(to, len(z))}
        documents = []
        for _ in range(count):
            draw = self.task.latent.prior(len(z), 1.0, generator)
            turned = similarity * z + math.sqrt(1 - similarity**2) * draw
            data = self.decode(turned, cond, sampling)
            documents.append(self.codec.join(data, cond, document))
        return documents

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
