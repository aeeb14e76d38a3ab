"""Documents as chunks of pieces: cut, run through a model together with others', joined again.

A chunk is what a codec gives at a time: all pieces of a small document, or some, of one shape, of
a document too large to be held as pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from aeplug.interfaces import (
    Batch,
    Codec,
    Document,
    PassedThrough,
    RawBatch,
    StreamingCodec,
    supports,
)


@dataclass
class Result:
    """What a model made of a chunk of P pieces.

    Attributes:
        data: ``(P, *target)``, on the CPU.
        cond: the pieces' conditions, name -> int64 ``(P,)``.
        passed: how many of them are the input's own; None: they were not compared.

    Example:
        >>> Result(torch.zeros(2, 16), {"digit": torch.tensor([3, 5])}).data.shape
        torch.Size([2, 16])
    """

    data: Tensor
    cond: Mapping[str, Tensor]
    passed: PassedThrough | None = None


def iter_document_chunks(codec: Codec, document: Document) -> Iterator[RawBatch]:
    """A document's pieces in order, a chunk at a time.

    How many there are, :func:`operator.length_hint` tells where the codec knows it.

    Example:
        >>> document = model.codec.join(model.sample(1), {}, None)
        >>> [raw["image"].shape for raw in iter_document_chunks(model.codec, document)]
        [torch.Size([1, 1, 28, 28])]
    """
    if supports(codec, StreamingCodec):
        return codec.chunks(document)
    return iter([codec.split(document)])


def assemble(codec: Codec, results: Iterable[Result], like: Document) -> Document:
    """The document of its chunks' results; a result is taken as it comes, and not kept.

    Example:
        >>> document = model.codec.join(model.sample(1), {}, None)
        >>> brighter = assemble(model.codec, [Result(torch.ones(1, 1, 28, 28), {})], document)
        >>> model.codec.split(brighter)["image"].shape
        torch.Size([1, 1, 28, 28])
    """
    if not supports(codec, StreamingCodec):
        (result,) = results
        document = codec.join(result.data, result.cond, like)
        document.passed = result.passed
        return document
    passed: PassedThrough | None = None

    def count_and_take() -> Iterator[Tensor]:
        nonlocal passed
        for result in results:
            if result.passed is not None:
                passed = result.passed + (passed or PassedThrough())
            yield result.data

    document = codec.assemble(count_and_take(), like)
    document.passed = passed
    return document


def slice_batch(batch: Batch, chosen: slice | Tensor) -> Batch:
    """Some items of a batch: a range, or int64 numbers of items."""
    return Batch(
        batch.input[chosen],
        batch.target[chosen],
        {name: value[chosen] for name, value in batch.cond.items()},
        batch.lengths[chosen] if batch.lengths is not None else None,
    )


def iter_chunks(batch: Batch) -> Iterator[Batch]:
    """The batch's items in order, ``INFERENCE_BATCH`` at a time."""
    for start in range(0, len(batch.input), INFERENCE_BATCH):
        yield slice_batch(batch, slice(start, start + INFERENCE_BATCH))


def find_distinct(batches: Sequence[Batch]) -> tuple[Tensor, Tensor]:
    """Which items differ from all before them in input or conditions, in any of the batches.

    Args:
        batches: of equally many items B; what is compared is the n-th of all of them together.

    Returns:
        Numbers of the distinct items ``(U,)``, and of each item its place among these ``(B,)``,
        both int64 on the batches' device.
    """
    columns = []
    for batch in batches:
        columns.append(batch.input.flatten(1).double())
        columns += [value.double()[:, None] for value in batch.cond.values()]
    rows, place = torch.cat(columns, 1).unique(dim=0, return_inverse=True)
    every = torch.arange(len(place), device=place.device)
    first = every.new_full((len(rows),), len(every))
    return first.scatter_reduce(0, place, every, "amin"), place


def concat_batches(batches: Sequence[Batch]) -> Batch:
    """The items of all batches, which have the same conditions."""
    if len(batches) == 1:
        return batches[0]
    lengths = [batch.lengths for batch in batches if batch.lengths is not None]
    return Batch(
        torch.cat([batch.input for batch in batches]),
        torch.cat([batch.target for batch in batches]),
        {name: torch.cat([batch.cond[name] for batch in batches]) for name in batches[0].cond},
        torch.cat(lengths) if lengths else None,
    )


def batch_key(raw: RawBatch) -> tuple[object, ...]:
    """What two chunks must have in common to go through the model as one batch."""
    return tuple((name, raw[name].dtype, *raw[name].shape[1:]) for name in sorted(raw))


def concat_raw(raws: Sequence[RawBatch]) -> RawBatch:
    """Chunks of one form as one.

    Example:
        >>> raws = [{"array": torch.zeros(count, 16)} for count in (2, 3)]
        >>> concat_raw(raws)["array"].shape
        torch.Size([5, 16])
    """
    if len(raws) == 1:
        return raws[0]
    return {name: torch.cat([raw[name] for raw in raws]) for name in raws[0]}


def split_results(
    data: Tensor,
    cond: Mapping[str, Tensor],
    raws: Sequence[RawBatch],
    count_passed: Callable[[slice], PassedThrough] | None = None,
) -> list[Result]:
    """What a model made of gathered chunks, as the result of each.

    ``count_passed`` counts which of a range of pieces are the input's own, if they were compared.
    """
    results, start = [], 0
    for raw in raws:
        part = slice(start, start + count_pieces(raw))
        classes = {name: value[part] for name, value in cond.items()}
        passed = count_passed(part) if count_passed is not None else None
        results.append(Result(data[part], classes, passed))
        start = part.stop
    return results


def count_pieces(raw: RawBatch) -> int:
    """Pieces of a chunk.

    Example:
        >>> count_pieces({"array": torch.zeros(3, 16), "length": torch.full((3,), 16)})
        3
    """
    return len(next(iter(raw.values())))


def num_bytes(raw: RawBatch) -> int:
    """Bytes of a chunk."""
    return sum(column.nbytes for column in raw.values())


#: Pieces run through the model at once. Fixed, since draws of a batch share one generator:
#: the same seed then gives the same result whatever the number of items.
INFERENCE_BATCH = 256
