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

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Children of a node where levels are not given.
_FAN = 4


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
        y: Tensor = x + self.narrow(inner)
        return y


def levels_of(bars: int, levels: Sequence[int] = ()) -> tuple[int, ...]:
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
    found: list[int] = []
    while bars > _FAN and bars % _FAN == 0:
        found.insert(0, _FAN)
        bars //= _FAN
    return (bars, *found)


class Conductor(nn.Module):
    """A window's vector -> one vector a bar, down the tree."""

    def __init__(self, levels: Sequence[int], width: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.levels = tuple(levels)
        self.nodes = nn.ModuleList(
            nn.Sequential(*(ResidualMLP(width, hidden) for _ in range(layers)), nn.LayerNorm(width))
            for _ in self.levels
        )
        self.unroll = nn.ModuleList(nn.Linear(width, fan * width) for fan in self.levels)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, width)`` -> ``(B, bars, width)``."""
        count, width = x.shape
        x = x.unsqueeze(1)
        for fan, node, unroll in zip(self.levels, self.nodes, self.unroll, strict=True):
            parent = node(x)  # (B, nodes, width)
            children = unroll(parent).unflatten(2, (fan, width))
            x = (x.unsqueeze(2) + children).reshape(count, -1, width)
        return x


class Gatherer(nn.Module):
    """One vector a bar -> the window's vector, up the tree."""

    def __init__(self, levels: Sequence[int], width: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.levels = tuple(levels)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in self.levels)
        self.gather = nn.ModuleList(nn.Linear(fan * width, width) for fan in self.levels)
        self.nodes = nn.ModuleList(
            nn.Sequential(*(ResidualMLP(width, hidden) for _ in range(layers))) for _ in self.levels
        )

    def forward(self, x: Tensor) -> Tensor:
        """``(B, bars, width)`` -> ``(B, width)``."""
        count, _, width = x.shape
        parts = zip(self.levels, self.norms, self.gather, self.nodes, strict=True)
        for fan, norm, gather, node in reversed(list(parts)):
            children = norm(x).reshape(count, -1, fan * width)
            x = node(gather(children))  # (B, nodes, width)
        return x.squeeze(1)
