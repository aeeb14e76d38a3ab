"""Bottlenecks: posteriors, priors of their own, quantised codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aeplug.runtime.lazy import lazy_exports

if TYPE_CHECKING:
    from aeplug.latents.importance import ImportanceSamples, importance_bound
    from aeplug.latents.paths import interpolate_latents, slerp
    from aeplug.latents.quantised import CodesPosterior

__all__ = [
    "CodesPosterior",
    "ImportanceSamples",
    "importance_bound",
    "interpolate_latents",
    "slerp",
]

__getattr__, __dir__ = lazy_exports(__name__)
