"""Variations of a document as near to it as is asked for, drawn for all of its pieces together.

A variation turns the latents of all pieces by one angle towards one draw from the prior. So pieces
that are alike stay alike. The angle is searched for at which the pieces are, by the codec's own
distance, as similar to the document's as was asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from aeplug.data.batching import find_distinct, iter_chunks, slice_batch
from aeplug.interfaces import Batch, ComparableCodec, Prior, Sampling
from aeplug.model.model import Model

#: Intervals of angles from nothing to a right one that are tried first; angles within the best
#: interval, and how often that is narrowed at most; draws at most.
ANGLES, WITHIN, ROUNDS, DRAWS = 5, 3, 4, 4
#: Difference from the similarity asked for at which the search ends; at which no other draw is
#: tried; and that is not worth a word.
CLOSE, ACCEPTABLE, NEAR_ENOUGH = 0.02, 0.05, 0.1


@dataclass(frozen=True)
class VariedPieces:
    """A variation.

    Attributes:
        data: ``(P, *shape.target)``, on the model's device.
        similarity: mean over the pieces of 1 - distance to the document's, under its own classes.
    """

    data: Tensor
    similarity: float


class VariationSearch:
    """Finds variations of a document's pieces.

    Args:
        model: whose decoder; its codec can compare.
        codec: the model's.
        batch: the pieces that may change, prepared.
        reference: what they are compared with, ``(P, *shape.target)``, on the CPU.
        source: prior that is drawn from.
        sampling: how to decode; drawn tokens are the same at every angle, by ``seed``.
        to: classes that the variations are decoded under, int64 ``(P,)`` each, where others.
        seed: of all draws.
    """

    def __init__(
        self,
        model: Model,
        codec: ComparableCodec,
        batch: Batch,
        reference: Tensor,
        source: Prior,
        sampling: Sampling,
        to: Mapping[str, Tensor],
        seed: int,
    ) -> None:
        self._model, self._codec, self._source = model, codec, source
        self._sampling, self._seed = sampling, seed
        self._generator = model.generator(seed)
        self._unturned: float | None = None
        # Equal pieces are decoded once: they get one variation, drawn tokens included.
        first, self._place = find_distinct([batch])
        distinct = slice_batch(batch, first)
        self._input, self._cond = distinct.input, distinct.cond
        self._reference = reference[first.cpu()]
        self._to = {name: value[first] for name, value in to.items()}
        self._weight = self._place.cpu().bincount().float() / len(self._place)
        self._z = torch.cat([model.posterior(part)[0].mode() for part in iter_chunks(distinct)])

    def vary(self, similarity: float) -> VariedPieces:
        """The next variation: of a few draws the one nearest to the similarity.

        One that changes nothing counts only where nothing is to be changed.
        """
        best: tuple[float, float, Tensor] | None = None
        for _ in range(DRAWS):
            cond = {name: value[:1] for name, value in self._cond.items()}
            draw = self._source.sample(1, 1.0, self._generator, cond)
            angle, reached = self._search(draw, similarity)
            miss = _miss(reached, similarity)
            if best is None or miss < _miss(best[1], similarity):
                best = angle, reached, draw
            if miss <= ACCEPTABLE:
                break
        assert best is not None
        angle, reached, draw = best
        (data,) = self._decode(draw, [angle], {**self._cond, **self._to})
        return VariedPieces(data[self._place], reached)

    def _search(self, draw: Tensor, similarity: float) -> tuple[float, float]:
        """The angle at which pieces turned towards a draw are about so similar, and how similar."""
        angles = [math.pi / 2 * (step + 1) / ANGLES for step in range(ANGLES)]
        if self._unturned is None:
            (self._unturned,) = self._similarities(draw, [0.0])
        found = {
            0.0: self._unturned,
            **dict(zip(angles, self._similarities(draw, angles), strict=True)),
        }
        for _ in range(ROUNDS):
            if min(_miss(reached, similarity) for reached in found.values()) <= CLOSE:
                break
            order = sorted(found)
            crossing = next((n for n, a in enumerate(order) if found[a] <= similarity), 0)
            if not crossing:
                break
            low, high = order[crossing - 1], order[crossing]
            within = [low + (high - low) * (n + 1) / (WITHIN + 1) for n in range(WITHIN)]
            found.update(zip(within, self._similarities(draw, within), strict=True))
        angle = min(found, key=lambda a: (_miss(found[a], similarity), a))
        return angle, found[angle]

    def _similarities(self, draw: Tensor, angles: Sequence[float]) -> list[float]:
        cond = {name: value.cpu() for name, value in self._cond.items()}
        return [
            float((1 - self._codec.distance(self._reference, data.cpu(), cond)) @ self._weight)
            for data in self._decode(draw, angles, self._cond)
        ]

    def _decode(
        self, draw: Tensor, angles: Sequence[float], cond: Mapping[str, Tensor]
    ) -> list[Tensor]:
        """The distinct pieces at each angle, ``(U, *shape.target)`` each."""
        turned = [math.cos(angle) * self._z + math.sin(angle) * draw for angle in angles]
        if not self._sampling.greedy:
            return [
                self._model.decode(
                    z,
                    cond,
                    replace(self._sampling, generator=self._model.generator(self._seed)),
                    self._input,
                )
                for z in turned
            ]
        count = len(angles)
        repeated = {name: value.repeat(count) for name, value in cond.items()}
        inputs = self._input.repeat(count, *[1] * (self._input.ndim - 1))
        data = self._model.decode(torch.cat(turned), repeated, self._sampling, inputs)
        return list(data.split(len(self._z)))


def _miss(reached: float, similarity: float) -> float:
    """How far a variation is from what was asked for; one that is no variation is far."""
    unchanged = reached >= 1 - 1e-6 and similarity < 1
    return abs(reached - similarity) + unchanged
