"""Documents through a model and back: reconstruction, and decoding under another one's latents."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from aeplug.data.batching import (
    INFERENCE_BATCH,
    Result,
    assemble,
    concat_raw,
    count_pieces,
    iter_chunks,
    iter_document_chunks,
    split_results,
)
from aeplug.errors import ConfigError
from aeplug.interfaces import (
    AnySizeEncoder,
    Document,
    RawBatch,
    Sampling,
    StreamingCodec,
    supports,
)
from aeplug.model.guard import find_passing
from aeplug.model.model import Model


@dataclass(frozen=True)
class FixedLatents:
    """Latents that documents are decoded from in place of their own.

    Attributes:
        z: ``(P, *latent_shape)``: the n-th piece is decoded from the n-th, after the last from
            the first again.
    """

    z: Tensor

    @property
    def digest(self) -> str:
        """The same for the same latents."""
        return hashlib.sha256(self.z.float().cpu().numpy().tobytes()).hexdigest()

    def select(self, raws: Sequence[RawBatch]) -> Tensor:
        """For the pieces of chunks that are whole documents."""
        pieces = torch.cat([torch.arange(count_pieces(raw)) for raw in raws])
        return self.z[(pieces % len(self.z)).to(self.z.device)]


@torch.no_grad()
def fix_latents(model: Model, document: Document) -> FixedLatents:
    """The latents of a document's pieces, for :func:`reconstruct_chunks`.

    Raises:
        ConfigError: the task's latents are feature maps of the document itself.
        FileError: the document gives no pieces.
    """
    if supports(model.codec, StreamingCodec) or supports(model.encoder, AnySizeEncoder):
        raise ConfigError(
            f"'{model.spec.name}' cannot decode one file under another's latents: they are "
            f"feature maps"
        )
    batch = model.pieces(document)
    return FixedLatents(torch.cat([model.posterior(b)[0].mode() for b in iter_chunks(batch)]))


def reconstruct_document(
    model: Model,
    document: Document,
    sampling: Sampling,
    latents: FixedLatents | None = None,
) -> Document:
    """A document through the model, chunk by chunk; see :func:`reconstruct_chunks`.

    Example:
        >>> document = model.codec.join(model.sample(1), {}, None)
        >>> again = reconstruct_document(model, document, Sampling())
        >>> model.codec.split(again)["image"].shape
        torch.Size([1, 1, 28, 28])
    """
    results = (
        reconstruct_chunks(model, [raw], sampling, latents=latents)[0]
        for raw in iter_document_chunks(model.codec, document)
    )
    return assemble(model.codec, results, document)


@torch.no_grad()
def reconstruct_chunks(
    model: Model,
    raws: Sequence[RawBatch],
    sampling: Sampling,
    to: Mapping[str, Any] | None = None,
    latents: FixedLatents | None = None,
) -> list[Result]:
    """Chunks of one form, of one document or of several, through the model together.

    Where the model has a guard, pieces that it does not reconstruct stay as they are, and so do
    empty ones; each result counts its own.

    Args:
        model: what they go through.
        raws: chunks as the codec gives them.
        sampling: how to decode.
        to: change the class: condition's name -> class, one for all.
        latents: decode from these. All else that the decoder looks at stays each document's own:
            its length, notes that it keeps.

    Example:
        >>> raw = model.codec.split(model.codec.join(model.sample(1), {}, None))
        >>> [result.data.shape for result in reconstruct_chunks(model, [raw, raw], Sampling())]
        [torch.Size([1, 1, 28, 28]), torch.Size([1, 1, 28, 28])]
    """
    raw = concat_raw(raws)
    batch = model.prepare_file(raw)
    z = latents.select(raws) if latents else None
    parts = [
        model.reconstruct_batch(part, sampling, model.encode_conditions(to, len(part.input)), own)
        for part, own in zip(
            iter_chunks(batch),
            z.split(INFERENCE_BATCH) if z is not None else itertools.repeat(None),
            strict=False,
        )
    ]
    cond = {**batch.cond, **model.encode_conditions(to, len(batch.input))}
    made = torch.cat(parts).cpu()
    if model.guard is None:
        return split_results(made, cond, raws)
    if to or latents:  # it is to become another: what counts is whether the model knows this one
        passing = find_passing(model, raw, batch, bound=model.guard.vary)
    else:
        passing = find_passing(model, raw, batch, made, bound=model.guard.reconstruct)
    if passing is None:
        return split_results(made, cond, raws)
    cond = passing.restore_classes(cond, batch.cond)
    return split_results(passing.restore(made), cond, raws, passing.count)
