"""Trees over the bars of a window: the conductor, and the encoder's mirror of it.

MusicVAE's conductor (Roberts et al., ICML 2018) gives each bar an embedding of its own, from which
the bar is decoded. Here the way from a window's vector to its bars goes down a tree of any number
of levels: a node's vector is unrolled into those of its children by weights that all nodes of a
level share, window -> phrases -> bars. So a level costs the same weights however many nodes it
has, and what holds of a phrase is learnt once. :class:`Gatherer` goes the same way up.

Nothing here knows what a bar holds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from aeplug.config import PartConfig, setting

#: Children of a node where levels are not given.
_FAN = 4


class TreeConfig(PartConfig):
    """Settings of a tree, up or down."""

    levels: tuple[int, ...] = setting(
        (),
        "children of a node at each level from the top, [4,4] for 4 phrases of 4 bars; empty: "
        "fours, with the rest above them",
    )
    width: int = setting(288, "width of the window's vector", unit="units", ge=1)
    bar_width: int = setting(
        0, "width of a bar's vector, if narrower; 0: as the window's", unit="units", ge=0
    )
    hidden: int = setting(512, "width inside a residual layer", unit="units", ge=1)
    layers: int = setting(1, "residual layers of a node", unit="layers", ge=0)

    def tree(self, bars: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Levels and widths of a tree over so many bars (:func:`tree_levels`, :func:`tree_widths`).

        Raises:
            ValueError: the levels do not give so many bars.
        """
        levels = tree_levels(bars, self.levels)
        return levels, tree_widths(levels, self.width, self.bar_width)


class ResidualMLP(nn.Module):
    """``x + linear(gelu(linear(norm(x))))``."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, hidden)
        self.narrow = nn.Linear(hidden, width)
        nn.init.zeros_(self.narrow.bias)
        with torch.no_grad():
            self.narrow.weight.mul_(0.3)

    def forward(self, x: Tensor) -> Tensor:
        """``(..., width)`` -> the same shape."""
        inner = functional.gelu(self.widen(self.norm(x)), approximate="tanh")
        return x + self.narrow(inner)


def tree_levels(bars: int, levels: Sequence[int] = ()) -> tuple[int, ...]:
    """Children of a node at each level, from the top; their product is ``bars``.

    Args:
        bars: of a window.
        levels: what was asked for; empty: as many levels of four as go into ``bars``, with the
            rest above them (8 bars: 2 phrases of 4).

    Raises:
        ValueError: the levels do not give so many bars.
    """
    if levels:
        if min(levels) < 1 or math.prod(levels) != bars:
            raise ValueError(
                f"levels {tuple(levels)} give {math.prod(levels)} bars, a window has {bars}"
            )
        return tuple(levels)
    fans: list[int] = []
    while bars > _FAN and bars % _FAN == 0:
        fans.insert(0, _FAN)
        bars //= _FAN
    return (bars, *fans)


def tree_widths(levels: Sequence[int], width: int, bar_width: int = 0) -> tuple[int, ...]:
    """Widths of the vectors of a tree, from the window's down to a bar's, one more than levels.

    Those between are evenly spaced by their ratio. A bar has less to say than the window that
    holds it, so a tree that narrows towards its bars does more with as many weights.

    Args:
        levels: as :func:`tree_levels` gives them.
        width: of the window's vector.
        bar_width: of a bar's, if that is narrower; 0: all are as wide as the window's.
    """
    if not 0 < bar_width < width:
        return (width,) * (len(levels) + 1)
    narrower = (bar_width / width) ** (1 / len(levels))
    between = (round(width * narrower**level / 16) * 16 for level in range(1, len(levels)))
    return (
        width,
        *(min(max(size, bar_width), width) for size in between),
        bar_width,
    )


class Conductor(nn.Module):
    """A window's vector -> one vector a bar, down the tree.

    Children as wide as their parent add to it. Narrower ones do not: the first numbers of the
    parent, added to every child, made learning slower.

    Args:
        levels: children of a node at each level, from the top.
        widths: of the vectors at each level, from the window's (:func:`tree_widths`).
        hidden: width inside a residual layer.
        layers: residual layers of a node.
    """

    def __init__(
        self, levels: Sequence[int], widths: Sequence[int], hidden: int, layers: int
    ) -> None:
        super().__init__()
        self.levels, self.widths = tuple(levels), tuple(widths)
        self.nodes = nn.ModuleList(
            nn.Sequential(*(ResidualMLP(width, hidden) for _ in range(layers)), nn.LayerNorm(width))
            for width in self.widths[:-1]
        )
        self.unroll = nn.ModuleList(
            nn.Linear(above, fan * below)
            for fan, (above, below) in zip(self.levels, pairwise(self.widths), strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """``(B, widths[0])`` -> ``(B, bars, widths[-1])``."""
        count = len(x)
        x = x.unsqueeze(1)
        parts = zip(self.levels, self.widths[1:], self.nodes, self.unroll, strict=True)
        for fan, width, node, unroll in parts:
            parent = node(x)  # (B, nodes, width above)
            children = unroll(parent).unflatten(2, (fan, width))
            if width == x.shape[2]:
                children = children + x.unsqueeze(2)
            x = children.reshape(count, -1, width)
        return x


class Gatherer(nn.Module):
    """One vector a bar -> the window's vector, up the tree; arguments as of :class:`Conductor`."""

    def __init__(
        self, levels: Sequence[int], widths: Sequence[int], hidden: int, layers: int
    ) -> None:
        super().__init__()
        self.levels, self.widths = tuple(levels), tuple(widths)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in self.widths[1:])
        self.gather = nn.ModuleList(
            nn.Linear(fan * below, above)
            for fan, (above, below) in zip(self.levels, pairwise(self.widths), strict=True)
        )
        self.nodes = nn.ModuleList(
            nn.Sequential(*(ResidualMLP(width, hidden) for _ in range(layers)))
            for width in self.widths[:-1]
        )

    def forward(self, x: Tensor) -> Tensor:
        """``(B, bars, widths[-1])`` -> ``(B, widths[0])``."""
        count = len(x)
        parts = list(zip(self.levels, self.norms, self.gather, self.nodes, strict=True))
        for fan, norm, gather, node in reversed(parts):
            children = norm(x).reshape(count, -1, fan * x.shape[2])
            x = node(gather(children))  # (B, nodes, width above)
        return x.squeeze(1)
