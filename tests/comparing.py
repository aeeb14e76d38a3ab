"""A codec that compares pieces, for tests of what the engine does with one."""

from __future__ import annotations


class Comparing:
    """The tiny codec, whose rows are compared number by number; all zeros are blank."""

    def __init__(self, codec):
        self._codec = codec

    def __getattr__(self, name):
        return getattr(self._codec, name)

    def as_pieces(self, raw):
        return raw["x"].float() / 255

    def distance(self, pieces, others, cond):
        return (pieces - others).abs().mean(1).clamp(0, 1).float()

    def is_blank(self, pieces, cond):
        return (pieces == 0).all(1)
