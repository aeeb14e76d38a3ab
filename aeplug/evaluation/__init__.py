"""Figures of a trained model on data that it was not trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aeplug._exports import lazy_exports

if TYPE_CHECKING:
    from aeplug.evaluation.pca import fit

__all__ = ["fit"]

__getattr__ = lazy_exports(
    __name__,
    {
        "pca": ("fit",),
    },
)
