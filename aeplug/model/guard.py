"""Pieces of a file that a model is not trusted with: verbs pass them through as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from aeplug.data.batching import iter_chunks
from aeplug.interfaces import Batch, ComparableCodec, PassedThrough, RawBatch, supports
from aeplug.model.trained import TrainedModel


@dataclass(frozen=True)
class Passing:
    """Which of P pieces are passed through; on the CPU.

    Attributes:
        originals: the pieces of the file, ``(P, *target)``.
        blank: those with nothing in them, bool ``(P,)``.
        unlike: the others that the model does not reconstruct, bool ``(P,)``.
    """

    originals: Tensor
    blank: Tensor
    unlike: Tensor

    @property
    def kept(self) -> Tensor:
        """Those that are passed through, bool ``(P,)``."""
        return self.blank | self.unlike

    def count(self, part: slice = slice(None)) -> PassedThrough:
        """How many there are, of all pieces or of a range."""
        blank, unlike = self.blank[part], self.unlike[part]
        return PassedThrough(len(blank), int(blank.sum()), int(unlike.sum()))

    def restore(self, made: Tensor) -> Tensor:
        """What a model made, ``(P, *target)``, with the originals in their places; on the CPU."""
        made = made.cpu()
        kept = self.kept.view(-1, *[1] * (made.ndim - 1))
        return torch.where(kept, self.originals.to(made.dtype), made)

    def restore_classes(
        self, cond: Mapping[str, Tensor], own: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Classes of results, each ``(P,)``, with the pieces' ``own`` where they are kept."""
        return {
            name: torch.where(self.kept.to(value.device), own[name].to(value.device), value)
            for name, value in cond.items()
        }


def find_passing(
    model: TrainedModel,
    raw: RawBatch,
    batch: Batch,
    reconstruction: Tensor | None = None,
    *,
    bound: float | None,
) -> Passing | None:
    """Which pieces of a file a model is not to change; None: it has no guard.

    Args:
        model: whose guard.
        raw: the file's pieces as its codec splits it.
        batch: the same, prepared.
        reconstruction: of them, ``(P, *target)``; None: computed where there is a bound.
        bound: of the distance from a piece to its reconstruction; None: all are near enough.
    """
    codec = model.codec
    if model.guard is None or not supports(codec, ComparableCodec):
        return None
    originals = codec.as_pieces(raw).cpu()
    cond = {name: value.cpu() for name, value in batch.cond.items()}
    blank = codec.is_blank(originals, cond)
    unlike = torch.zeros_like(blank)
    if bound is not None:
        if reconstruction is None:
            reconstruction = reconstruct_pieces(model, batch)
        apart = codec.distance(originals, reconstruction.cpu(), cond)
        unlike = (apart > bound) & ~blank
    return Passing(originals, blank, unlike)


@torch.no_grad()
def reconstruct_pieces(model: TrainedModel, batch: Batch) -> Tensor:
    """A prepared batch of any length decoded from its posterior's mode, greedily: on the CPU."""
    parts = []
    for part in iter_chunks(batch):
        z = model.posterior(part)[0].mode()
        parts.append(model.decode(z, part.cond, None, part.input).cpu())
    return torch.cat(parts)
