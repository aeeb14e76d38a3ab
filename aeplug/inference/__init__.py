"""Whole files through a trained model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aeplug.runtime.lazy import lazy_exports

if TYPE_CHECKING:
    from aeplug.inference.embed import concat_embeddings, embed_data, embed_files, embed_split
    from aeplug.inference.embedding_file import check_embedding_file, write_embedding
    from aeplug.inference.interpolate import interpolate_documents, interpolate_grid
    from aeplug.inference.reconstruct import (
        reconstruct_chunks,
        reconstruct_document,
    )
    from aeplug.inference.results import (
        Results,
        number_documents,
        require_free,
        write_results,
    )
    from aeplug.inference.sample import sample_documents
    from aeplug.inference.vary import Variation, add_noise, draw_variations, vary_document
    from aeplug.inference.verbs import (
        make_interpolation,
        make_noisy_variations,
        make_samples,
        make_variations,
    )

__all__ = [
    "Results",
    "Variation",
    "add_noise",
    "check_embedding_file",
    "concat_embeddings",
    "draw_variations",
    "embed_data",
    "embed_files",
    "embed_split",
    "interpolate_documents",
    "interpolate_grid",
    "make_interpolation",
    "make_noisy_variations",
    "make_samples",
    "make_variations",
    "number_documents",
    "reconstruct_chunks",
    "reconstruct_document",
    "require_free",
    "sample_documents",
    "vary_document",
    "write_embedding",
    "write_results",
]

__getattr__, __dir__ = lazy_exports(__name__)
