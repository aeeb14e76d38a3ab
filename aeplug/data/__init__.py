"""Splits, batches, labels, and data that ships."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aeplug._exports import lazy_exports

if TYPE_CHECKING:
    from aeplug.data.batching import INFERENCE_BATCH, concat_raw, count_pieces, slice_batch
    from aeplug.data.build import BuildReport, Skipped
    from aeplug.data.bundled import bundled
    from aeplug.data.labels import MEAN, NAME
    from aeplug.data.opening import choose_split, open_dataset
    from aeplug.data.splits import TensorSplit, first_items, iter_rows

__all__ = [
    "INFERENCE_BATCH",
    "MEAN",
    "NAME",
    "BuildReport",
    "Skipped",
    "TensorSplit",
    "bundled",
    "choose_split",
    "concat_raw",
    "count_pieces",
    "first_items",
    "iter_rows",
    "open_dataset",
    "slice_batch",
]

__getattr__ = lazy_exports(
    __name__,
    {
        "batching": (
            "INFERENCE_BATCH",
            "concat_raw",
            "count_pieces",
            "slice_batch",
        ),
        "build": (
            "BuildReport",
            "Skipped",
        ),
        "bundled": ("bundled",),
        "labels": (
            "MEAN",
            "NAME",
        ),
        "opening": (
            "choose_split",
            "open_dataset",
        ),
        "splits": (
            "TensorSplit",
            "first_items",
            "iter_rows",
        ),
    },
)
