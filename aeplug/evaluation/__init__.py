"""Figures of a trained model on data that it was not trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aeplug.runtime.lazy import lazy_exports

if TYPE_CHECKING:
    from aeplug.evaluation.heldout import compute_mean_losses
    from aeplug.evaluation.pca import fit_pca
    from aeplug.evaluation.pca_comparison import Source, compare_with_pca

__all__ = [
    "Source",
    "compare_with_pca",
    "compute_mean_losses",
    "fit_pca",
]

__getattr__, __dir__ = lazy_exports(__name__)
