"""Whole files through a trained model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aeplug._exports import lazy_exports

if TYPE_CHECKING:
    from aeplug.inference.embed import concat_embeddings, embed_files, embed_split
    from aeplug.inference.interpolate import interpolate_documents, interpolate_grid
    from aeplug.inference.reconstruct import (
        FixedLatents,
        fix_latents,
        reconstruct_chunks,
        reconstruct_document,
    )
    from aeplug.inference.results import require_free, write_documents
    from aeplug.inference.sample import join_documents, sample_documents
    from aeplug.inference.vary import add_noise, vary_document

__all__ = [
    "FixedLatents",
    "add_noise",
    "concat_embeddings",
    "embed_files",
    "embed_split",
    "fix_latents",
    "interpolate_documents",
    "interpolate_grid",
    "join_documents",
    "reconstruct_chunks",
    "reconstruct_document",
    "require_free",
    "sample_documents",
    "vary_document",
    "write_documents",
]

__getattr__ = lazy_exports(
    __name__,
    {
        "embed": "concat_embeddings embed_files embed_split",
        "interpolate": "interpolate_documents interpolate_grid",
        "reconstruct": "FixedLatents fix_latents reconstruct_chunks reconstruct_document",
        "results": "require_free write_documents",
        "sample": "join_documents sample_documents",
        "vary": "add_noise vary_document",
    },
)
