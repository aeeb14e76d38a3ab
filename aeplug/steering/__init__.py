"""Moving items of a latent space along what can be measured of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aeplug._exports import lazy_exports

if TYPE_CHECKING:
    from aeplug.steering.apply import Steering, find_steering, read_inputs
    from aeplug.steering.attributes import find_attribute, measure
    from aeplug.steering.directions import Directions, check_place, learn
    from aeplug.steering.search import Search, Steered, steer

__all__ = [
    "Directions",
    "Search",
    "Steered",
    "Steering",
    "check_place",
    "find_attribute",
    "find_steering",
    "learn",
    "measure",
    "read_inputs",
    "steer",
]

__getattr__ = lazy_exports(
    __name__,
    {
        "apply": "Steering find_steering read_inputs",
        "attributes": "find_attribute measure",
        "directions": "Directions check_place learn",
        "search": "Search Steered steer",
    },
)
