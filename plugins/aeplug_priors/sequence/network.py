"""A small causal transformer over the pieces of a document: what may the next one be?

It reads exact content, the means of the pieces' posteriors (Engel et al. and Mittal et al., 2021,
model sequences of latents likewise), and answers in two parts. A *pointer* says whether the next
piece is one of those before, and which (Vinyals et al., NeurIPS 2015): whoever copies does not
forget, so that sections return as they were. Else a *mixture density* says where the latent of a
new piece lies; some of its components are around earlier pieces, for variations of them.

What the copying needs is given, not left to be found: for each earlier piece how long ago it was,
and how many of the pieces just before it equal those just before the next one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

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
#: Numbers that a piece's content has to pass through on its way into the pointer.
FORM_CONTENT = 12
#: Pieces whose means are nearer than this are one, in nats of the posteriors' own noise.
SAME = 0.25
#: Least standard deviation of a component, in the data's own.
NARROWEST = 0.05


class SequenceNetwork(nn.Module):
    """From the pieces before to the next.

    Shapes: B documents of L pieces, D latent dimensions, W width. Place t of a result is of what
    comes next behind the pieces 0..t-1.

    The pointer has a trunk of its own, a small one that hears little of what pieces hold: with one
    trunk for both it knew the training set's tunes by heart long before the density was learnt.

    Args:
        size: D.
        conditions: condition's name -> number of classes.
        width: W, of what the density is made from.
        layers: of its trunk.
        components: of the mixture that are not around earlier pieces.
        form_width: of what the pointer is made from.
        form_layers: of its trunk.
        dropout: share of what each layer adds that is left out in training.
    """

    middle: Tensor
    spread: Tensor
    drawn_spread: Tensor
    noise: Tensor

    def __init__(
        self,
        size: int,
        conditions: Mapping[str, int],
        width: int = 160,
        layers: int = 4,
        components: int = 8,
        form_width: int = 64,
        form_layers: int = 2,
        dropout: float = 0.15,
    ) -> None:
        super().__init__()
        #: What it is built with, JSON-ready.
        self.settings = {
            "width": width,
            "layers": layers,
            "components": components,
            "form_width": form_width,
            "form_layers": form_layers,
        }
        self.conditions = dict(conditions)
        self.register_buffer("middle", torch.zeros(size))
        self.register_buffer("spread", torch.ones(size))
        self.register_buffer("drawn_spread", torch.ones(size))
        self.register_buffer("noise", torch.ones(size))
        self.content = _Trunk(size, conditions, width, layers, 2 * width, dropout)
        self.form = _Trunk(size, conditions, form_width, form_layers, FORM_CONTENT, dropout)
        self.pointer = _Pointer(form_width)
        self.fresh = nn.Linear(form_width, 1)
        self.variation = _Pointer(width)
        self.mixture = nn.Linear(width, components * (2 * size + 1))
        self.change = nn.Linear(width, size)
        for layer in (self.mixture, self.change):
            # At first every component is the data's own Gaussian, with means that differ a little.
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)
        with torch.no_grad():
            self.mixture.bias.view(components, -1)[:, :size].normal_(std=0.3)
            self.change.bias.fill_(-1.0)

    def scale(self, mean: Tensor, noise: Tensor, share: float) -> None:
        """Take the scales of the data.

        Args:
            mean: ``(N, D)``.
            noise: standard deviations of the posteriors, ``(N, D)``.
            share: of the noise that is in what the density is of.
        """
        spread, middle = torch.std_mean(mean, 0, correction=0)
        self.middle.copy_(middle)
        # A dimension that hardly moves says hardly anything.
        self.spread.copy_(spread.clamp(min=0.1 * float(spread.max()) + 1e-6))
        self.noise.copy_(noise.square().mean(0).sqrt() + 1e-6)
        self.drawn_spread.copy_((spread.square() + (share * self.noise).square()).sqrt())

    def scaled(self, mean: Tensor) -> Tensor:
        """Means ``(..., D)`` in the data's own scale."""
        return (mean - self.middle) / self.spread

    def same(self, mean: Tensor) -> Tensor:
        """Which pieces ``(B, L, D)`` are equal, or as good as: bool ``(B, L, L)``."""
        scaled = (mean - self.middle) / self.noise
        nats = 0.5 * torch.cdist(scaled, scaled, compute_mode="donot_use_mm_for_euclid_dist") ** 2
        return nats < SAME

    def read(
        self,
        mean: Tensor,
        same: Tensor,
        cond: Mapping[str, Tensor],
        whole: Tensor,
        first: int = 0,
    ) -> Encoding:
        """What the pieces before each place come to.

        Args:
            mean: of the posteriors, ``(B, L, D)``.
            same: which pieces are equal, bool ``(B, L, L)``; only ``[:, t, j]`` with j < t counts.
            cond: classes of each piece, also of the one that is asked for, int64 ``(B, L)``.
            whole: pieces of the whole document, int64 ``(B,)``; 0: not known.
            first: number of the first piece in its document.
        """
        scaled = self.scaled(mean)
        place = _places(mean.shape[1], whole, first)
        relations = Relations(same)
        return Encoding(
            mean,
            relations,
            *self.content(scaled, place, cond, relations),
            *self.form(scaled, place, cond, relations),
        )

    def choices(self, read: Encoding) -> Tensor:
        """Log-probabilities ``(B, L, L + 1)``: each piece before returns; last, a new one comes."""
        logits = self.pointer(read.form, read.form_pieces, read.relations)
        return torch.cat([logits, self.fresh(read.form)], dim=-1).float().log_softmax(-1)

    def density(self, read: Encoding) -> Components:
        """Where the latents of new pieces lie, for every place."""
        count, length, _ = read.hidden.shape
        size = len(self.middle)
        found = self.mixture(read.hidden).float().view(count, length, -1, 2 * size + 1)
        mean, deviation, weight = found.split([size, size, 1], dim=-1)
        near = self.variation(read.hidden, read.pieces, read.relations)
        return Components(
            torch.cat([weight.squeeze(-1), near], dim=-1).log_softmax(-1),
            mean,
            _deviation(deviation),
            (read.mean - self.middle) / self.drawn_spread,
            _deviation(self.change(read.hidden).float()),
            self.middle,
            self.drawn_spread,
        )


@dataclass
class Encoding:
    """What :meth:`SequenceNetwork.read` gives.

    Attributes:
        mean: ``(B, L, D)`` as given.
        relations: between places and pieces.
        hidden: ``(B, L, W)`` of each place.
        pieces: ``(B, L, W)`` of each piece alone.
        form, form_pieces: the same of the small trunk.
    """

    mean: Tensor
    relations: Relations
    hidden: Tensor
    pieces: Tensor
    form: Tensor
    form_pieces: Tensor


@dataclass
class Components:
    """A mixture for every place, of K components and one around each piece before.

    Attributes:
        weights: log, ``(B, L, K + L)``.
        mean, deviation: ``(B, L, K, D)``, in the data's own scale.
        near: ``(B, L, D)`` of each piece.
        around: ``(B, L, D)`` of each place.
        middle, spread: of the data, ``(D,)``.
    """

    weights: Tensor
    mean: Tensor
    deviation: Tensor
    near: Tensor
    around: Tensor
    middle: Tensor
    spread: Tensor

    def log_prob(self, z: Tensor) -> Tensor:
        """Log-density at ``(B, L, D)``, nats, ``(B, L)``."""
        z = (z - self.middle) / self.spread
        own = _log_normal(z.unsqueeze(2), self.mean, self.deviation)
        varied = _log_normal(z.unsqueeze(2), self.near.unsqueeze(1), self.around.unsqueeze(2))
        found: Tensor = (self.weights + torch.cat([own, varied], -1)).logsumexp(-1)
        return found - self.spread.log().sum()

    def draw(
        self,
        count: int,
        spread: float | Tensor,
        generator: torch.Generator | None,
        places: int = 0,
    ) -> Tensor:
        """``count`` draws for each of the last ``places`` (0: all), ``(B, places, count, D)``.

        ``spread`` scales a draw's distance from the middle of its component: of all, or of each,
        ``(count, 1)``.
        """
        weights, mean, deviation, around = (
            one[:, -places:] for one in (self.weights, self.mean, self.deviation, self.around)
        )
        batch, length, own, size = mean.shape
        chosen = torch.multinomial(
            weights.exp().flatten(0, 1), count, replacement=True, generator=generator
        ).view(batch, length, count)
        row = torch.arange(batch, device=chosen.device)[:, None, None]
        place = torch.arange(length, device=chosen.device)[:, None]
        is_own = (chosen < own).unsqueeze(-1)
        number, piece = chosen.clamp(max=own - 1), (chosen - own).clamp(min=0)
        middle = torch.where(is_own, mean[row, place, number], self.near[row, piece])
        scale = torch.where(is_own, deviation[row, place, number], around.unsqueeze(2))
        noise = torch.empty(batch, length, count, size, device=chosen.device)
        noise.normal_(generator=generator)
        return (middle + spread * scale * noise) * self.spread + self.middle


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
        self.matched = matches(same)
        self.before = places[:, None] > places
        self.visible = places[:, None] >= places


def matches(same: Tensor) -> Tensor:
    """How many pieces just before places t and j are equal, up to ``LONGEST_MATCH``.

    Args:
        same: bool ``(B, L, L)``.

    Returns:
        int64 ``(B, L, L)``.
    """
    run = same
    found = torch.zeros(same.shape, dtype=torch.int64, device=same.device)
    for distance in range(1, min(LONGEST_MATCH, same.shape[1] - 1) + 1):
        shifted = torch.zeros_like(same)
        shifted[:, distance:, distance:] = same[:, :-distance, :-distance]
        run = shifted if distance == 1 else run & shifted
        found += run
    return found


class _Trunk(nn.Module):
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


class _Pointer(nn.Module):
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


def _places(length: int, whole: Tensor, first: int) -> Tensor:
    """Numbers that say where each place is, from the start and from the end, ``(B, L, F)``."""
    place = (first + torch.arange(length, device=whole.device)).expand(len(whole), -1)
    known = (whole > 0)[:, None].float().expand(-1, length)
    left = (whole[:, None] - place).clamp(min=0) * known
    features = [known, place.log1p() / 4, left.log1p() / 4, (left == 1).float() * known]
    for count, weight in ((place, torch.ones_like(known)), (left, known)):
        for period in PERIODS:
            angle = count * (2 * math.pi / period)
            features += [angle.cos() * weight, angle.sin() * weight]
    return torch.stack(features, -1).float()


def _deviation(raw: Tensor) -> Tensor:
    return torch.exp(raw.clamp(-8.0, 3.0)).clamp(min=NARROWEST)


def _log_normal(z: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    scaled = (z - mean) / deviation
    constant = 0.5 * z.shape[-1] * math.log(2 * math.pi)
    found: Tensor = -0.5 * scaled.square().sum(-1) - deviation.log().sum(-1) - constant
    return found
