"""Trees over the bars of a window: the conductor, and the encoder's mirror of it.

MusicVAE's conductor (Roberts et al., ICML 2018) gives each bar an embedding from which the bar is
decoded. Here a tree of any number of levels leads from a window's vector to its bars: a node's
vector is unrolled into those of its children by weights that all nodes of a level share, window ->
phrases -> bars. So a level has the same number of weights however many nodes it has, and what all
phrases have in common is learnt once. :class:`Gatherer` is the same tree upwards.

This module does not depend on the content of a bar.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from aeplug.config import PartConfig, setting

#: Default number of children of a node.
_FAN = 4


class TreeConfig(PartConfig):
    """Settings of a tree, up or down."""

    levels: tuple[int, ...] = setting(
        (),
        "children of a node at each level from the top, [4,4]: 4 phrases of 4 bars; empty: fours, "
        "with the remaining factor at the top",
    )
    width: int = setting(288, "width of the window's vector", unit="units", ge=1)
    bar_width: int = setting(
        0, "width of a bar's vector, if narrower than the window's; 0: the same", unit="units", ge=0
    )
    hidden: int = setting(512, "width inside a residual layer", unit="units", ge=1)
    layers: int = setting(1, "residual layers per node", unit="layers", ge=0)

    def tree(self, bars: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Levels and widths of a tree over bars (:func:`tree_levels`, :func:`tree_widths`).

        Raises:
            ValueError: the levels do not multiply to ``bars``.
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
        levels: as set; empty: as many levels of four as divide ``bars``, with the remaining factor
            at the top (8 bars: 2 phrases of 4).

    Raises:
        ValueError: the levels do not multiply to ``bars``.
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
    """Widths of the vectors of a tree, from the window's to a bar's: one more than levels.

    They fall geometrically. A bar holds less information than its window, so a tree that narrows
    towards its bars makes better use of as many weights.

    Args:
        levels: see :func:`tree_levels`.
        width: of the window's vector.
        bar_width: of a bar's, if narrower; 0: all have the width of the window's.
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
    """A window's vector -> a vector per bar, down the tree.

    Children as wide as their parent are added to it. Narrower ones are not: adding the first
    components of the parent to every child slowed learning.

    Args:
        levels: children of a node at each level, from the top.
        widths: of the vectors at each level, see :func:`tree_widths`.
        hidden: width inside a residual layer.
        layers: residual layers per node.
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
    """A vector per bar -> the window's vector, up the tree; arguments as for :class:`Conductor`."""

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
