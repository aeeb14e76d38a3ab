"""Tiles: every pixel once, with its surroundings, at a phase that strided models keep."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from aeplug_image.files.tiles import cut_spans, iter_tiles


@given(
    length=st.integers(1, 3000),
    tile=st.integers(16, 600),
    overlap=st.integers(0, 100),
    multiple=st.sampled_from([1, 2, 8, 16, 24]),
)
def test_every_pixel_is_owned_once_and_seen_with_its_surroundings(
    length: int, tile: int, overlap: int, multiple: int
) -> None:
    found = cut_spans(length, tile, overlap, multiple)
    assert found[0].start == 0 and found[-1].stop == length
    for before, after in pairwise(found):
        assert before.stop == after.start
    if length <= tile:
        assert len(found) == 1 and found[0].seen == slice(0, length)
    for span in found:
        assert 0 < span.stop - span.start <= max(-(-tile // multiple) * multiple, multiple)
        assert span.first == 0 or span.start - span.first >= overlap
        assert span.last == length or span.last - span.stop >= overlap
        assert span.first % multiple == 0
        assert span.last == length or span.last % multiple == 0


@given(st.integers(1, 200), st.integers(1, 200), st.integers(1, 4))
def test_own_and_inner_parts_are_the_same_pixels(height: int, width: int, scale: int) -> None:
    for row, column in iter_tiles(height, width, 32, 16, 8):
        for span in (row, column):
            own, inner = span.own(scale), span.inner(scale)
            assert own.stop - own.start == inner.stop - inner.start
            assert inner.start + span.first * scale == own.start
