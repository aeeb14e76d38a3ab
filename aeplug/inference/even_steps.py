"""Ways between two pieces in steps that differ by as much each, as their codec compares them.

Decoders jump: between two latents that are as good as one the music may change from one tune to
another. So a way is not cut at equal distances of latents. It leads over pieces that were decoded
from the path and, where two neighbours are far apart, from around the place between them. Of all
ways of so many steps the one is taken whose steps have the smallest sum of sixth powers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from aeplug.data.batching import find_distinct, iter_chunks, slice_batch
from aeplug.interfaces import Batch, ComparableCodec, Sampling
from aeplug.latents.paths import interpolate_latents
from aeplug.model.model import Model
from aeplug.runtime.tracking import track

#: Places on the path that are tried first.
PLACES = 17
#: Share of the whole change that the largest step may have; rounds of refinement at most, steps
#: that are refined in a round, and decoded pieces for each.
LARGEST_SHARE, ROUNDS, STEPS, TRIES = 0.2, 20, 2, 32
#: Most noise on a latent between two others, of a standard deviation as large as theirs.
NOISE = 0.9
#: Pieces refined at once, those with the largest steps: a document of many has even steps sooner.
REFINED = 8
#: Power of a step's distance that the best way has the least sum of: the larger, the more even.
_POWER = 6
#: Share of what is heard in how far a piece is on its way; the rest is where its latent lies.
_HEARD = 0.5
#: What a step costs that changes nothing, and one to a piece under the other end's class.
_STANDSTILL, _FORBIDDEN = 10.0, 1e9


@dataclass
class _Pool:
    """What was decoded for one piece, the two ends first; ``side`` is the end that gave classes.

    ``latents`` ``(N, D...)``, ``data`` ``(N, *target)``, ``side`` ``(N,)``, ``distances``
    ``(N, N)``.
    """

    latents: Tensor
    data: Tensor
    side: Tensor
    distances: npt.NDArray[np.float32]
    way: list[int] = field(default_factory=list)

    @property
    def progress(self) -> npt.NDArray[np.float64]:
        """How far each piece is from the first end to the second, 0..1, ``(N,)``."""
        first, second = self.distances[0].astype(np.float64), self.distances[1].astype(np.float64)
        heard = first / np.maximum(first + second, 1e-9)
        ends = [
            torch.linalg.vector_norm((self.latents - self.latents[n]).flatten(1), dim=1)
            for n in (0, 1)
        ]
        latent = (ends[0] / (ends[0] + ends[1]).clamp(min=1e-9)).double().cpu().numpy()
        progress = _HEARD * heard + (1 - _HEARD) * latent
        progress[[0, 1]] = 0, 1
        return progress

    @property
    def changes(self) -> npt.NDArray[np.float32]:
        """How far apart neighbours on the way are."""
        return self.distances[self.way[:-1], self.way[1:]]


class EvenWay:
    """Ways between the pieces of two documents, for all of them together.

    Args:
        model: what decodes.
        codec: the model's.
        ends: as many pieces of each, prepared.
        originals: the same in the form of results, ``(P, *target)``, on the CPU; they are the ends
            of the ways.
        sampling: how to decode; a way is the same for the same latents only where it is greedy.
    """

    def __init__(
        self,
        model: Model,
        codec: ComparableCodec,
        ends: Sequence[Batch],
        originals: Sequence[Tensor],
        sampling: Sampling,
    ) -> None:
        self._model, self._codec, self._sampling = model, codec, sampling
        # Equal pairs of pieces have one way.
        first, place = find_distinct(ends)
        ends = self._ends = [slice_batch(end, first) for end in ends]
        originals = [side[first.cpu()] for side in originals]
        self._place = place.cpu()
        self._weight = self._place.bincount().numpy()
        self._codes = [
            torch.cat([model.posterior(part)[0].mode() for part in iter_chunks(end)])
            for end in ends
        ]
        self._one_class = [
            all(bool(ends[0].cond[name][row] == ends[1].cond[name][row]) for name in ends[0].cond)
            for row in range(len(ends[0].input))
        ]
        self._generator = torch.Generator().manual_seed(0)
        self._pools = [
            self._new_pool(row, torch.stack([side[row] for side in originals]))
            for row in range(len(originals[0]))
        ]

    def take(self, steps: int) -> Tensor:
        """The pieces of each step, ends included: ``(steps, P, *target)``, on the CPU."""
        places = torch.linspace(0, 1, PLACES)[1:-1].tolist()
        every = range(len(self._pools))
        self._extend(
            (row, self._between(row, 0, 1, place), int(place >= 0.5))
            for row in every
            for place in places
        )
        for row in every:
            self._choose_way(row, steps)
        for _ in track(range(ROUNDS), ROUNDS, "rounds at most"):
            changes = np.stack([pool.changes for pool in self._pools])
            whole = self._weight @ changes
            if steps < 3 or whole.max() <= LARGEST_SHARE * whole.sum():
                break
            largest = self._weight * changes[:, np.argsort(-whole)[:STEPS]].sum(1)
            rows = [int(row) for row in np.argsort(-largest, kind="stable")[:REFINED]]
            self._extend(self._around_largest(rows))
            for row in rows:
                self._choose_way(row, steps)
        ways = [pool.data[pool.way] for pool in self._pools]
        return torch.stack(ways, 1)[:, self._place]

    def _new_pool(self, row: int, ends: Tensor) -> _Pool:
        latents = torch.stack([codes[row] for codes in self._codes])
        pool = _Pool(latents[:0], ends[:0], torch.zeros(0, dtype=torch.int64), _no_distances())
        self._add(row, pool, latents, ends, torch.tensor([0, 1]))
        return pool

    def _between(self, row: int, a: int, b: int, place: float) -> Tensor:
        """A latent between two of a pool, ``(1, D...)``."""
        latents = self._pools[row].latents
        ends = latents[a : a + 1], latents[b : b + 1]
        return interpolate_latents(*ends, place, spherical=self._model.has_prior)

    def _around_largest(self, rows: Sequence[int]) -> Iterator[tuple[int, Tensor, int]]:
        """Latents around the places between the neighbours that are furthest apart."""
        for row in rows:
            pool = self._pools[row]
            for number in np.argsort(-pool.changes, kind="stable")[:STEPS]:
                a, b = pool.way[number], pool.way[number + 1]
                if pool.distances[a, b] == 0:
                    continue
                places, noises = torch.rand(2, TRIES, generator=self._generator).tolist()
                for place, noise in zip(places, noises, strict=True):
                    z = self._between(row, a, b, place)
                    scale = float(z.norm()) / math.sqrt(z.numel())
                    drawn = torch.randn(z.shape, generator=self._generator).to(z) * scale
                    share = NOISE * noise
                    z = math.sqrt(1 - share**2) * z + share * drawn
                    yield row, z, int(pool.side[b if place >= 0.5 else a])

    def _extend(self, tries: Iterator[tuple[int, Tensor, int]]) -> None:
        """Decode latents ``(1, D...)`` of rows, under the classes of an end each."""
        listed = list(tries)
        if not listed:
            return
        rows, latents, sides = zip(*listed, strict=True)
        z, where, side = torch.cat(latents), torch.tensor(rows), torch.tensor(sides)
        made = []
        for number, end in enumerate(self._ends):
            chosen = side == number
            if not bool(chosen.any()):
                continue
            part = slice_batch(end, where[chosen].to(end.input.device))
            decoded = self._model.decode(z[chosen], part.cond, self._sampling, part.input)
            made.append((chosen.nonzero()[:, 0], decoded.cpu()))
        order = torch.cat([numbers for numbers, _ in made]).argsort()
        data = torch.cat([decoded for _, decoded in made])[order]
        for row in dict.fromkeys(rows):
            mine = where == row
            self._add(row, self._pools[row], z[mine], data[mine], side[mine])

    def _add(self, row: int, pool: _Pool, latents: Tensor, data: Tensor, side: Tensor) -> None:
        """Add pieces that are not in the pool yet, with their distances from all that are."""
        known = len(pool.data)
        pool.latents = torch.cat([pool.latents, latents])
        pool.data = torch.cat([pool.data, data.to(pool.data.dtype)])
        pool.side = torch.cat([pool.side, side])
        count = len(pool.data)
        grown = np.zeros((count, count), np.float32)
        grown[:known, :known] = pool.distances
        kept = list(range(max(known, 2)))
        for number in range(known, count):
            cond = {
                name: value[row].expand(number).cpu()
                for name, value in self._ends[int(pool.side[number])].cond.items()
            }
            piece = pool.data[number].expand(pool.data[:number].shape)
            apart = self._codec.distance(piece, pool.data[:number], cond).numpy()
            grown[number, :number] = grown[:number, number] = apart
            is_new = (apart > 0) | (pool.side[:number] != pool.side[number]).numpy()
            if number > 1 and is_new[kept].all():
                kept.append(number)
        pool.distances = grown[np.ix_(kept, kept)]
        pool.latents, pool.data = pool.latents[kept], pool.data[kept]
        pool.side = pool.side[kept]

    def _choose_way(self, row: int, steps: int) -> None:
        """The way of so many steps from the first end to the second with the least cost."""
        pool = self._pools[row]
        apart = pool.distances.astype(np.float64)
        if apart[0, 1] == 0 or steps < 2:
            pool.way = [*[0] * (steps - 1), int(steps > 1)]
            return
        cost = np.where(apart > 0, apart**_POWER, np.inf)
        cost[pool.progress[:, None] >= pool.progress] = np.inf  # a way never goes back
        np.fill_diagonal(cost, _STANDSTILL)
        best = np.full(len(cost), np.inf)
        best[0] = 0
        before = []
        for step in range(1, steps):
            through = best[:, None] + cost
            before.append(through.argmin(0))
            best = through.min(0)
            if not self._one_class[row] and step < steps - 1:
                # All pieces of a document change their class at the same step.
                best = best + _FORBIDDEN * (pool.side.numpy() != nearest_end(step, steps))
        way = [1]
        for previous in reversed(before):
            way.append(int(previous[way[-1]]))
        pool.way = way[::-1]


def nearest_end(step: int, steps: int) -> int:
    """The end, 0 or 1, whose classes a step has; in the middle the second's."""
    return int(2 * step >= steps - 1) if steps > 1 else 0


def _no_distances() -> npt.NDArray[np.float32]:
    return np.zeros((0, 0), np.float32)
