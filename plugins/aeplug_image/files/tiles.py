"""Tiles: parts of a picture that go through a model one by one and leave no seams.

Each tile has a part of its own, which its result becomes, and sees some pixels around it as well.
What a fully convolutional model makes of the own part is then what it makes of it in the whole
picture, if it looks no further than the overlap.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["iter_tiles"]


@dataclass(frozen=True)
class Span:
    """A tile along one axis, in pixels.

    Attributes:
        start: first pixel of its own part.
        stop: behind the last pixel of its own part.
        first: first pixel it sees.
        last: behind the last pixel it sees.
    """

    start: int
    stop: int
    first: int
    last: int

    @property
    def seen(self) -> slice:
        """What goes through the model, of the picture."""
        return slice(self.first, self.last)

    def own(self, scale: int = 1) -> slice:
        """What the result becomes, of a result picture ``scale`` times as large."""
        return slice(self.start * scale, self.stop * scale)

    def inner(self, scale: int = 1) -> slice:
        """The own part within what was seen, ``scale`` times as large."""
        return slice((self.start - self.first) * scale, (self.stop - self.first) * scale)


def cut_spans(length: int, tile: int, overlap: int, multiple: int) -> list[Span]:
    """Tiles along an axis of ``length`` pixels, of about one size each.

    Args:
        length: of the axis; up to ``tile`` it is a single tile.
        tile: largest own part.
        overlap: pixels seen on each side of the own part; the picture's border ends it, so that a
            model pads where it would pad the whole picture and nowhere else.
        multiple: tiles begin at multiples of it, so that strided models keep their phase; ``tile``
            and ``overlap`` are rounded up to multiples.
    """
    if length <= tile:
        return [Span(0, length, 0, length)]
    overlap = -(-overlap // multiple) * multiple
    count = -(-length // max(tile, multiple))
    step = -(-length // (count * multiple)) * multiple
    return [
        Span(
            start,
            min(start + step, length),
            max(start - overlap, 0),
            min(start + step + overlap, length),
        )
        for start in range(0, length, step)
    ]


def iter_tiles(
    height: int, width: int, tile: int, overlap: int, multiple: int
) -> Iterator[tuple[Span, Span]]:
    """Rows and columns of each tile of a picture, in reading order; see :func:`cut_spans`.

    Example:
        >>> tiles = iter_tiles(8, 20, tile=10, overlap=2, multiple=1)
        >>> [(columns.own(), columns.seen) for _, columns in tiles]
        [(slice(0, 10, None), slice(0, 12, None)), (slice(10, 20, None), slice(8, 20, None))]
    """
    columns = cut_spans(width, tile, overlap, multiple)
    for rows in cut_spans(height, tile, overlap, multiple):
        for span in columns:
            yield rows, span
