"""What a model makes, what its latents look like, how a training went: as pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aeplug.runtime.lazy import lazy_exports

if TYPE_CHECKING:
    from aeplug.plots.curve import draw_curve
    from aeplug.plots.error_curve import draw_error_curve
    from aeplug.plots.gallery import draw_reconstructions, draw_samples
    from aeplug.plots.map import draw_map

__all__ = [
    "draw_curve",
    "draw_error_curve",
    "draw_map",
    "draw_reconstructions",
    "draw_samples",
]

__getattr__, __dir__ = lazy_exports(__name__)
