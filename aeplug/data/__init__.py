"""Splits, batches, labels, and data that ships."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aeplug.runtime.lazy import lazy_exports

if TYPE_CHECKING:
    from aeplug.data.arrays import ArrayCodec, PrepareArrays
    from aeplug.data.batching import (
        INFERENCE_BATCH,
        Result,
        assemble,
        concat_raw,
        count_pieces,
        iter_document_chunks,
    )
    from aeplug.data.build import BuildReport, Skipped, build_dataset
    from aeplug.data.bundled import find_bundled
    from aeplug.data.labels import MEAN, NAME
    from aeplug.data.opening import choose_split, open_dataset
    from aeplug.data.splits import SPLITS, TensorSplit, epoch_order, first_items, iter_rows

__all__ = [
    "INFERENCE_BATCH",
    "MEAN",
    "NAME",
    "SPLITS",
    "ArrayCodec",
    "BuildReport",
    "PrepareArrays",
    "Result",
    "Skipped",
    "TensorSplit",
    "assemble",
    "build_dataset",
    "choose_split",
    "concat_raw",
    "count_pieces",
    "epoch_order",
    "find_bundled",
    "first_items",
    "iter_document_chunks",
    "iter_rows",
    "open_dataset",
]

__getattr__, __dir__ = lazy_exports(__name__)
