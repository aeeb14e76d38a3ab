"""What can be measured of digits and other drawings; how, says :mod:`aeplug_image.attributes`."""

from __future__ import annotations

from aeplug import AttributeSpec

_MODULE = "aeplug_image.attributes"

ATTRIBUTES = (
    AttributeSpec("slant", f"{_MODULE}:slant", "degrees", "lean of the strokes to the right"),
    AttributeSpec("thickness", f"{_MODULE}:thickness", "pixels", "mean width of the strokes"),
    AttributeSpec("length", f"{_MODULE}:length", "pixels", "length of the strokes"),
    AttributeSpec("size", f"{_MODULE}:size", "pixels", "mean of width and height, once upright"),
    AttributeSpec("aspect", f"{_MODULE}:aspect", "width/height", "of the drawing, once upright"),
)
