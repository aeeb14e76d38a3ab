"""What runs per batch: plain objects and the protocols of the parts.

The objects grow by fields, never by keyword arguments, so that a plug-in written today accepts
tomorrow's. Shapes are written as ``(B, C, H, W)``: B is the number of items in the batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

#: What a data set or a codec hands to ``prepare``: named columns, first dimension B.
RawBatch = dict[str, Tensor]

#: Values of schedules at the present step, as 0-d float32 tensors on the device; tensors, since
#: a compiled module would be compiled anew for every new Python float.
ScheduleValues = Mapping[str, Tensor]


@dataclass(frozen=True)
class DataShape:
    """What one item looks like; every part is built from it.

    Attributes:
        input: shape of one input item without the batch, ``(C, H, W)`` or ``(T,)``.
        target: shape of one target item.
        classes: size of the vocabulary where items are tokens; 0 for real values.
        conditions: condition's name -> names of its classes, in the order of their numbers.

    Example:
        >>> shape = DataShape(input=(16,), target=(16,), classes=90)  # 16 tokens of 90 kinds
        >>> nn.Embedding(shape.classes, 8)(torch.zeros(4, *shape.input).long()).shape
        torch.Size([4, 16, 8])
    """

    input: tuple[int, ...]
    target: tuple[int, ...]
    classes: int = 0
    conditions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass
class Context:
    """What a part may look at beside the tensor it is given.

    Attributes:
        cond: condition's name -> int64 ``(B,)``.
        lengths: valid steps of each item, int64 ``(B,)``; None where items have one size.
        size: shape of one target item.
        input: the model's input; None when sampling.
        target: the target, for teacher forcing; None except in training and evaluation.
        skips: feature maps the encoder hands to the decoder, coarsest last.

    Example:
        >>> skips = [torch.zeros(2, 8, 14, 14)]
        >>> Context({"digit": torch.tensor([3, 5])}, skips=skips).repeat_items(2).cond
        {'digit': tensor([3, 3, 5, 5])}
    """

    cond: Mapping[str, Tensor] = field(default_factory=dict)
    lengths: Tensor | None = None
    size: tuple[int, ...] = ()
    input: Tensor | None = None
    target: Tensor | None = None
    skips: Sequence[Tensor] = ()

    def repeat_items(self, count: int) -> Context:
        """The context of a batch whose every item stands ``count`` times in a row."""
        return replace(
            self,
            cond=_repeat_classes(self.cond, count),
            lengths=_repeat_column(self.lengths, count),
            input=_repeat_column(self.input, count),
            target=_repeat_column(self.target, count),
            skips=[skip.repeat_interleave(count, 0) for skip in self.skips],
        )


@dataclass
class Batch:
    """Items to learn from.

    Attributes:
        input: ``(B, ...)``, what the encoder sees.
        target: ``(B, ...)``, what is to be reconstructed; an autoencoder's is its input.
        cond: condition's name -> int64 ``(B,)``.
        lengths: valid steps of each item, int64 ``(B,)``, or None.

    Example:
        >>> images = torch.zeros(2, 1, 28, 28)
        >>> batch = Batch(images, images, {"digit": torch.tensor([3, 5])})
        >>> batch.repeat_items(10).input.shape, batch.context(with_target=False).size
        (torch.Size([20, 1, 28, 28]), (1, 28, 28))
    """

    input: Tensor
    target: Tensor
    cond: Mapping[str, Tensor] = field(default_factory=dict)
    lengths: Tensor | None = None

    def context(self, *, with_target: bool) -> Context:
        """The context for encoder and decoder; ``with_target`` for teacher forcing."""
        return Context(
            cond=self.cond,
            lengths=self.lengths,
            size=tuple(self.target.shape[1:]),
            input=self.input,
            target=self.target if with_target else None,
        )

    def repeat_items(self, count: int) -> Batch:
        """Every item ``count`` times in a row: ``(B x count, ...)``."""
        return replace(
            self,
            input=self.input.repeat_interleave(count, 0),
            target=self.target.repeat_interleave(count, 0),
            cond=_repeat_classes(self.cond, count),
            lengths=_repeat_column(self.lengths, count),
        )


def _repeat_classes(cond: Mapping[str, Tensor], count: int) -> dict[str, Tensor]:
    return {name: value.repeat_interleave(count, 0) for name, value in cond.items()}


def _repeat_column(column: Tensor | None, count: int) -> Tensor | None:
    return None if column is None else column.repeat_interleave(count, 0)


@dataclass
class Sampling:
    """How to draw from a decoder's output distribution.

    Attributes:
        temperature: divides logits of discrete outputs; above 0. 1 is the model's own.
        top_k: keep the k likeliest classes; 0 keeps all.
        top_p: keep the likeliest classes that together have this probability; 1 keeps all.
        greedy: take the likeliest class.
        generator: source of randomness on the device; None: torch's own.
        logit_bias: added to the logits of discrete outputs before all else, ``(B, T, classes)``,
            where B and T may be 1, for all items or steps; -inf forbids a class, but never all of
            a step. None: nothing is added. Decoders of real values ignore it.

    Example:
        >>> sampling = Sampling(temperature=0.5, generator=torch.Generator().manual_seed(1))
        >>> model.decode(torch.zeros(4, 2), None, sampling).shape
        torch.Size([4, 1, 28, 28])
        >>> never_the_second = torch.tensor([[[0.0, -torch.inf]]])
        >>> Sampling(logit_bias=never_the_second).add_bias(torch.tensor([[1.0, 2.0]]), step=0)
        tensor([[1., -inf]])
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    greedy: bool = False
    generator: torch.Generator | None = None
    logit_bias: Tensor | None = None

    def add_bias(self, logits: Tensor, step: int) -> Tensor:
        """Add the bias of a step to its logits ``(B, classes)``."""
        if self.logit_bias is None:
            return logits
        return logits + self.logit_bias[:, step if self.logit_bias.shape[1] > 1 else 0]

    def select_items(self, items: slice) -> Sampling:
        """How to draw some items of a batch: each keeps its own bias."""
        if self.logit_bias is None or len(self.logit_bias) == 1:
            return self
        return replace(self, logit_bias=self.logit_bias[items])


@dataclass
class Features:
    """An encoder's result where it has more than one tensor to give.

    Attributes:
        values: ``(B, *features_shape)``, for the latent part.
        skips: see :class:`Context`.

    Example:
        >>> encoder = nn.Conv2d(1, 8, 3, stride=2)
        >>> maps = encoder(torch.zeros(4, 1, 28, 28))
        >>> Features(maps.flatten(1), skips=[maps]).values.shape
        torch.Size([4, 1352])
    """

    values: Tensor
    skips: Sequence[Tensor] = ()
