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

from aeplug_priors.sequence.components import NARROWEST, Components
from aeplug_priors.sequence.layers import PERIODS, Pointer, Relations, Trunk

#: Numbers that a piece's content has to pass through on its way into the pointer.
POINTER_CONTENT = 12
#: Pieces whose means are nearer than this are one, in nats of the posteriors' own noise.
SAME = 0.25


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
        pointer_width: of what the pointer is made from.
        pointer_layers: of its trunk.
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
        pointer_width: int = 64,
        pointer_layers: int = 2,
        dropout: float = 0.15,
    ) -> None:
        super().__init__()
        #: What it is built with, JSON-ready.
        self.settings = {
            "width": width,
            "layers": layers,
            "components": components,
            "pointer_width": pointer_width,
            "pointer_layers": pointer_layers,
        }
        self.conditions = dict(conditions)
        self.register_buffer("middle", torch.zeros(size))
        self.register_buffer("spread", torch.ones(size))
        self.register_buffer("drawn_spread", torch.ones(size))
        self.register_buffer("noise", torch.ones(size))
        self.content = Trunk(size, conditions, width, layers, 2 * width, dropout)
        self.pointer_trunk = Trunk(
            size, conditions, pointer_width, pointer_layers, POINTER_CONTENT, dropout
        )
        self.pointer = Pointer(pointer_width)
        self.new_piece_head = nn.Linear(pointer_width, 1)
        self.variation = Pointer(width)
        self.mixture = nn.Linear(width, components * (2 * size + 1))
        self.change = nn.Linear(width, size)
        for layer in (self.mixture, self.change):
            # At first every component is the data's own Gaussian, with means that differ a little.
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)
        with torch.no_grad():
            self.mixture.bias.view(components, -1)[:, :size].normal_(std=0.3)
            self.change.bias.fill_(-1.0)

    def fit_scales(self, mean: Tensor, noise: Tensor, share: float) -> None:
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

    def standardize(self, mean: Tensor) -> Tensor:
        """Means ``(..., D)`` in the data's own scale."""
        return (mean - self.middle) / self.spread

    def find_equal_pieces(self, mean: Tensor) -> Tensor:
        """Which pieces ``(B, L, D)`` are equal, or as good as: bool ``(B, L, L)``."""
        scaled = (mean - self.middle) / self.noise
        nats = 0.5 * torch.cdist(scaled, scaled, compute_mode="donot_use_mm_for_euclid_dist") ** 2
        return nats < SAME

    def encode(
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
        scaled = self.standardize(mean)
        place = _places(mean.shape[1], whole, first)
        relations = Relations(same)
        return Encoding(
            mean,
            relations,
            *self.content(scaled, place, cond, relations),
            *self.pointer_trunk(scaled, place, cond, relations),
        )

    def choices(self, encoding: Encoding) -> Tensor:
        """Log-probabilities ``(B, L, L + 1)``: each piece before returns; last, a new one comes."""
        logits = self.pointer(encoding.pointer_hidden, encoding.pointer_pieces, encoding.relations)
        return (
            torch.cat([logits, self.new_piece_head(encoding.pointer_hidden)], dim=-1)
            .float()
            .log_softmax(-1)
        )

    def density(self, encoding: Encoding) -> Components:
        """Where the latents of new pieces lie, for every place."""
        count, length, _ = encoding.hidden.shape
        size = len(self.middle)
        parameters = self.mixture(encoding.hidden).float().view(count, length, -1, 2 * size + 1)
        mean, deviation, weight = parameters.split([size, size, 1], dim=-1)
        near = self.variation(encoding.hidden, encoding.pieces, encoding.relations)
        return Components(
            torch.cat([weight.squeeze(-1), near], dim=-1).log_softmax(-1),
            mean,
            _deviation(deviation),
            (encoding.mean - self.middle) / self.drawn_spread,
            _deviation(self.change(encoding.hidden).float()),
            self.middle,
            self.drawn_spread,
        )


@dataclass
class Encoding:
    """What :meth:`SequenceNetwork.encode` gives.

    Attributes:
        mean: ``(B, L, D)`` as given.
        relations: between places and pieces.
        hidden: ``(B, L, W)`` of each place.
        pieces: ``(B, L, W)`` of each piece alone.
        pointer_hidden, pointer_pieces: the same of the pointer's small trunk.
    """

    mean: Tensor
    relations: Relations
    hidden: Tensor
    pieces: Tensor
    pointer_hidden: Tensor
    pointer_pieces: Tensor


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
