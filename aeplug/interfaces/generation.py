"""What a codec may say of pieces that are made anew: what is allowed, and what goes on best."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from torch import Tensor

from aeplug.interfaces.codecs import Codec, Document


@runtime_checkable
class ConstrainableCodec(Codec, Protocol):
    """A codec whose options constrain what is decoded, such as the key of a melody.

    A constraint is a mask or a weighting of the classes that a decoder draws from, so the engine
    need not know what it means. It holds for verbs that make something new (``sample``, ``vary``,
    ``interpolate``, ``continue``), not for ``reconstruct``. The options are those that
    :class:`WithOptions` was given.

    Example:
        >>> from aeplug.data import ArrayCodec
        >>> class StepsCodec(ArrayCodec):
        ...     highest = 2
        ...     def logit_bias(self, like):
        ...         classes = torch.arange(4)
        ...         return torch.where(classes <= self.highest, 0.0, -torch.inf).view(1, 1, -1)
        >>> StepsCodec(None, DataShape((16,), (16,))).logit_bias(None)
        tensor([[[0., 0., 0., -inf]]])
    """

    def logit_bias(self, like: Document | None) -> Tensor | None:
        """What is added to a decoder's logits, float32 ``(1, T, classes)``, T also 1.

        The same for all pieces; see :class:`aeplug.interfaces.Sampling`. ``like`` is the document
        that is changed or continued; None: there is none. Returns None where nothing is
        constrained.

        Raises:
            ConfigError: the constraints leave nothing to draw.
        """
        ...


@runtime_checkable
class CandidateCodec(Codec, Protocol):
    """A codec that weighs candidates for a piece by what stands before it and whether it is last.

    Several candidates are drawn and one is kept, so that what is kept is a sample from the model
    under a condition that no single piece can see: a tune that ends on its tonic. A prior over
    documents asks for every piece; ``sample`` draws ``item_candidates`` for each single item,
    which stands alone and so is the last.

    Attributes:
        item_candidates: how many, at least 1, of which one is kept.

    Example:
        >>> from aeplug.data import ArrayCodec
        >>> class RisingCodec(ArrayCodec):
        ...     item_candidates = 2
        ...     def weigh_candidates(self, before, candidates, logits, cond, last):
        ...         rises = candidates.flatten(1)[:, 0] > before.flatten()[-1]
        ...         return logits + rises.float()  # e times as often as the model has it
        >>> codec = RisingCodec(None, DataShape((1,), (1,)))
        >>> low_and_high = torch.tensor([[50], [70]])
        >>> codec.weigh_candidates(torch.tensor([[60]]), low_and_high, torch.zeros(2), {}, True)
        tensor([0., 1.])
    """

    item_candidates: int

    def weigh_candidates(
        self,
        before: Tensor,
        candidates: Tensor,
        logits: Tensor,
        cond: Mapping[str, Tensor],
        last: bool,
    ) -> Tensor:
        """Log-weights by which one of the candidates is drawn, float32 ``(C,)``.

        Args:
            before: pieces of the document so far, ``(P, *shape.target)``, P from 0.
            candidates: ``(C, *shape.target)``, C from 1.
            logits: log-weights that the model gives them, float32 ``(C,)``; -inf: never.
            cond: classes of the pieces before and, last, of the candidates, int64 ``(P + 1,)``.
            last: whether the document ends with the piece.
        """
        ...
