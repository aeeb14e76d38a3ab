"""Layers of the network over pieces: relations, trunk, attention, pointer."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Distances between pieces beyond this are one.
FARTHEST = 64


#: Equal pieces before two places that are counted, at most.
LONGEST_MATCH = 4


#: Pieces that the rhythm of a form is counted in.
PERIODS = (2, 4, 8, 16, 32, 64, 128)


#: Heads of attention.
HEADS = 4


class Relations:
    """How places stand to pieces, and to each other: ``[:, t, j]`` of place t and piece j.

    Attributes:
        lag: pieces between the two, ``(L, L)``.
        matched: equal pieces just before the two, ``(B, L, L)``.
        before: whether the piece is before the place, ``(L, L)``.
        visible: before it or just coming, ``(L, L)``.

    Args:
        same: which pieces are equal, bool ``(B, L, L)``.
    """

    def __init__(self, same: Tensor) -> None:
        places = torch.arange(same.shape[1], device=same.device)
        self.lag = (places[:, None] - places).clamp(0, FARTHEST)
        self.matched = count_matches(same)
        self.before = places[:, None] > places
        self.visible = places[:, None] >= places


def count_matches(same: Tensor) -> Tensor:
    """How many pieces just before places t and j are equal, up to ``LONGEST_MATCH``.

    Args:
        same: bool ``(B, L, L)``.

    Returns:
        int64 ``(B, L, L)``.
    """
    run = same
    lengths = torch.zeros(same.shape, dtype=torch.int64, device=same.device)
    for distance in range(1, min(LONGEST_MATCH, same.shape[1] - 1) + 1):
        shifted = torch.zeros_like(same)
        shifted[:, distance:, distance:] = same[:, :-distance, :-distance]
        run = shifted if distance == 1 else run & shifted
        lengths += run
    return lengths


class Trunk(nn.Module):
    """Pieces, where they are and their conditions -> what has been at each place."""

    def __init__(
        self,
        size: int,
        conditions: Mapping[str, int],
        width: int,
        layers: int,
        hidden: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.piece = nn.Sequential(
            nn.Linear(size, hidden), nn.GELU(), nn.Linear(hidden, width), nn.LayerNorm(width)
        )
        self.classes = nn.ModuleDict(
            {name: nn.Embedding(count, width) for name, count in conditions.items()}
        )
        self.beginning = nn.Parameter(0.1 * torch.randn(width))
        self.place = nn.Linear(4 * len(PERIODS) + 4, width)
        self.blocks = nn.ModuleList(_Block(width, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(
        self, scaled: Tensor, place: Tensor, cond: Mapping[str, Tensor], relations: Relations
    ) -> tuple[Tensor, Tensor]:
        """Means ``(B, L, D)`` and places ``(B, L, F)`` -> places and pieces, ``(B, L, W)`` each."""
        pieces = self.piece(scaled)
        beginning = self.beginning.expand(len(scaled), 1, -1).to(pieces.dtype)
        x = torch.cat([beginning, pieces[:, :-1]], dim=1) + self.place(place)
        for name, table in self.classes.items():
            x = x + table(cond[name])
        for block in self.blocks:
            x = block(x, relations)
        return self.norm(x), pieces


class _Block(nn.Module):
    """Attention with a bias for distance and for equal pieces before, then an MLP."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.attend = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )
        self.dropout = nn.Dropout(dropout)
        self.lag = nn.Parameter(torch.zeros(HEADS, FARTHEST + 1))
        self.matched = nn.Parameter(torch.zeros(HEADS, LONGEST_MATCH + 1))

    def forward(self, x: Tensor, relations: Relations) -> Tensor:
        count, length, width = x.shape
        query, key, value = (
            part.view(count, length, HEADS, -1).transpose(1, 2)
            for part in self.attend(self.norms[0](x)).chunk(3, dim=-1)
        )
        bias = self.lag[:, relations.lag] + self.matched[:, relations.matched].transpose(0, 1)
        bias = bias.masked_fill(~relations.visible, float("-inf")).to(query.dtype)
        seen = functional.scaled_dot_product_attention(query, key, value, bias)
        x = x + self.dropout(self.mix(seen.transpose(1, 2).reshape(count, length, width)))
        return x + self.dropout(self.mlp(self.norms[1](x)))


class Pointer(nn.Module):
    """How well each piece before fits a place: what it is, what stood before it, how far it is."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, width)
        self.of_piece = nn.Linear(width, width)
        self.of_place = nn.Linear(width, width, bias=False)
        self.lag = nn.Parameter(torch.zeros(FARTHEST + 1))
        self.matched = nn.Parameter(torch.zeros(LONGEST_MATCH + 1))

    def forward(self, hidden: Tensor, pieces: Tensor, relations: Relations) -> Tensor:
        """Logits ``(B, L, L)``, -inf from the place itself on."""
        query = self.query(hidden)
        key = self.of_piece(pieces) + self.of_place(hidden)
        logits = query @ key.transpose(1, 2) / math.sqrt(query.shape[-1])
        logits = logits + self.lag[relations.lag] + self.matched[relations.matched]
        return logits.float().masked_fill(~relations.before, float("-inf"))
