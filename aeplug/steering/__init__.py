"""Moving items of a latent space along what can be measured of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aeplug.runtime.lazy import lazy_exports

if TYPE_CHECKING:
    from aeplug.steering.apply import Steering, find_steering, read_inputs
    from aeplug.steering.attributes import find_attribute, measure_attributes
    from aeplug.steering.directions import Directions, check_savable, learn_directions
    from aeplug.steering.search import SearchSettings, SteeringResult, steer

__all__ = [
    "Directions",
    "SearchSettings",
    "SteeringResult",
    "Steering",
    "check_savable",
    "find_attribute",
    "find_steering",
    "learn_directions",
    "measure_attributes",
    "read_inputs",
    "steer",
]

__getattr__, __dir__ = lazy_exports(__name__)
