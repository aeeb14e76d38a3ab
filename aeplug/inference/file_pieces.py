"""A file's pieces for the verbs that change it, and those that are passed through instead."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from aeplug.data.batching import slice_batch
from aeplug.interfaces import Batch, ComparableCodec, PassedThrough, RawBatch, supports
from aeplug.model.guard import Passing, find_passing, reconstruct_pieces
from aeplug.model.guard_choice import is_meant_alike
from aeplug.model.model import Model


@dataclass(frozen=True)
class FilePieces:
    """A document's P pieces, as ``vary``, ``interpolate`` and ``attribute`` start from them.

    Attributes:
        model: whose codec split it.
        raw: as that split it.
        batch: the same, prepared.
        passing: those that are passed through; None: the model has no guard.
    """

    model: Model
    raw: RawBatch
    batch: Batch
    passing: Passing | None

    @classmethod
    def of(cls, model: Model, raw: RawBatch, count: int | None = None) -> FilePieces:
        """Prepare what a codec split, and find what is passed through, of the first ``count``."""
        # Prepared as a whole: what a document says of itself must not depend on where it is cut.
        batch = slice_batch(model.prepare_file(raw), slice(0, count))
        cut = {name: column[:count] for name, column in raw.items()}
        bound = model.guard.vary if model.guard else None
        return cls(model, cut, batch, find_passing(model, cut, batch, bound=bound))

    @property
    def passed(self) -> PassedThrough | None:
        """Their counts."""
        return None if self.passing is None else self.passing.count()

    @property
    def is_meant_alike(self) -> bool:
        """Whether results are to be like the file under the model's options."""
        return is_meant_alike(self.model.spec, self.model.options)

    @cached_property
    def results(self) -> Tensor:
        """In the form of results, ``(P, *target)``, on the CPU; of a model that can compare.

        The document's own, or under options for which it is no result, their reconstruction.
        """
        assert supports(self.model.codec, ComparableCodec)
        if self.is_meant_alike:
            return self.model.codec.as_pieces(self.raw).cpu()
        made = reconstruct_pieces(self.model, self.batch)
        return made if self.passing is None else self.passing.restore(made)
