"""Move items of a latent space along an attribute, and hold the others.

A decoder is not linear, and one of tokens moves by jumps. So a shift is not only computed but
tried: decoded, measured, corrected, item by item, for some rounds. What counts is the change
against the model's own reconstruction of the item, not against the item: what the model cannot
reconstruct is no effect of the shift.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from aeplug.errors import AeplugError
from aeplug.model.model import Model
from aeplug.steering.directions import Directions


@dataclass(frozen=True)
class Search:
    """How long and how far to try.

    Attributes:
        rounds: of correction after the first, linear one.
        tries: decoded a round and item.
        near: how near, in standard deviations, the attribute must come to what is asked.
        hold: how far, in standard deviations, others may move.
        far: what the distance costs: a shift as long as two items lie apart as much as this
            error, squared, in standard deviations.
        weight: of the wanted attribute's squared error beside that of each other.
        noise: standard deviation of random tries, whitened.
        neighbours: items of the data with what is asked, towards which it is tried to go.
        seed: of the random tries.
    """

    rounds: int = 8
    tries: int = 12
    near: float = 0.1
    hold: float = 0.1
    far: float = 0.5
    weight: float = 2.0
    noise: float = 0.5
    neighbours: int = 4
    seed: int = 0


@dataclass(frozen=True)
class Steered:
    """What became of B items.

    Attributes:
        latents: ``(B, D)``.
        data: decoded, ``(B, *shape.target)``.
        moved: change of each attribute in standard deviations against the model's own
            reconstruction, ``(B, K)``; NaN where it is undefined before or after.
        distance: Mahalanobis length of the shift, ``(B,)``.
    """

    latents: Tensor
    data: Tensor
    moved: Tensor
    distance: Tensor


#: Multiples of the linear shift that are tried first: decoders often follow late.
_SCALES = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
_CORRECTIONS = (0.5, 1.0, 1.5, 2.0)
#: How far it is gone towards a neighbour, and kept of a shift, as shares.
_TOWARDS = (0.35, 0.5, 0.65, 0.8, 1.0)
_KEPT = (0.7, 0.85)
#: Beside what slopes tell of noise, in the solution for a shift and in their correction.
_DAMPING, _PRIOR = 0.02, 1.0
#: Longest correction, as a share of the distance of two items.
_LONGEST = 0.25
#: What an attribute that becomes undefined counts, in squared standard deviations.
_LOST = 9.0


@torch.no_grad()
def steer(
    model: Model,
    found: Directions,
    latents: Tensor,
    cond: Mapping[str, Tensor],
    wanted: str,
    amount: float,
    keep: Sequence[str] | None = None,
    search: Search | None = None,
    input: Tensor | None = None,
) -> Steered:
    """Shift latents so that an attribute of what they decode to changes by an amount.

    The first shift is the one of least Mahalanobis length that, were attributes linear in the
    latents, moved the wanted one by the amount and those to keep by nothing. Then, for items that
    are not there yet: the slopes are fitted to what was seen of each item, steps are taken along
    them and at random; items that still miss half of what is asked are tried part of the way
    towards items of the data that have it. The best so far stays.
    Items do not influence one another.

    Args:
        model: decodes, greedily.
        found: the attributes' directions.
        latents: ``(B, D)``.
        cond: conditions, name -> int64 ``(B,)``.
        wanted: the attribute's name.
        amount: in standard deviations over the data.
        keep: names of those to hold; None: all others.
        search: how long and how far to try; None: :class:`Search`'s own, and between examples
            only along the way between them.
        input: what the latents are of, ``(B, *shape.input)``, for decoders that look at it.

    Raises:
        ConfigError: no attribute of such a name.
        AeplugError: latents of another size.
    """
    if latents.shape[1:] != found.centre.shape:
        raise AeplugError(f"latents have {len(found.centre)} numbers, got {latents.shape[1:]}")
    others = [name for name in found.names if name != wanted] if keep is None else keep
    column = found.index(wanted)
    columns = [column, *(found.index(name) for name in others if name != wanted)]
    if search is None:
        # Other items that look to the model like the far side of some examples may be of a third
        # kind; the way between the examples' own means is kept to.
        by_examples = found.ends is not None and wanted == found.names[-1]
        search = Search(neighbours=0, noise=0.0) if by_examples else Search()
    state = _Search(model, found, latents, cond, columns, amount, search, input)
    if amount:
        state.run()
    return state.result()


class _Search:
    """Shifts tried so far of every item, in whitened space, and what they did."""

    def __init__(
        self,
        model: Model,
        found: Directions,
        latents: Tensor,
        cond: Mapping[str, Tensor],
        columns: list[int],
        amount: float,
        search: Search,
        input: Tensor | None,
    ) -> None:
        self.model, self.found, self.search = model, found, search
        self.latents, self.columns = latents.float(), columns
        self.cond = model.conditions(cond, len(latents))
        self.input = input
        self.slopes = found.slopes[columns]
        self.asked = self.slopes.new_zeros(len(columns))
        self.asked[0] = amount
        self.generator = torch.Generator().manual_seed(search.seed)
        self.data = model.decode(self.latents, self.cond, input=input)
        self.start = found.measured(model, self.data, self.cond)
        count, size = len(latents), self.slopes.shape[1]
        #: Of each item the best shift, all attributes' change by it, and its cost.
        self.best = self.slopes.new_zeros(count, size)
        self.moved = self.start - self.start
        self.cost = self._cost(self.moved[:, None], self.best[:, None], slice(None))[:, 0]
        #: Shifts tried and what they did, from which an item's own slopes are fitted.
        self.tried = self.slopes.new_zeros(count, 0, size)
        self.seen = self.slopes.new_zeros(count, 0, len(columns))

    def run(self) -> None:
        first = self._shift(self.slopes, self.asked)
        scales = first.new_tensor(_SCALES)
        every = torch.arange(len(self.latents), device=self.latents.device)
        # Of an item without the attribute nothing can be asked.
        defined = every[~self.start[:, self.columns[0]].isnan()]
        self._try(defined, (scales[:, None] * first).expand(len(defined), -1, -1))
        for number in range(self.search.rounds):
            left = defined[~self._is_there()[defined]]
            if not len(left):
                return
            # At first towards a few; towards more, where half of the rounds were of no use.
            wider = {0: 1, self.search.rounds // 2: 4}
            if number in wider and self.search.neighbours:
                missed = (self.asked[0] - self.moved[left, self.columns[0]]).abs().nan_to_num(0)
                far = left[missed > abs(float(self.asked[0])) / 2]
                if len(far):
                    self._try(far, self._towards_neighbours(far, wider[number]), learn=False)
            self._try(left, self._corrections(left))

    def result(self) -> Steered:
        shifted = self.latents + self.best @ self.found.spread.T
        return Steered(shifted, self.data, self.moved, self.best.norm(dim=1))

    def _is_there(self) -> Tensor:
        moved = self.moved[:, self.columns]
        off = (moved - self.asked).abs().nan_to_num(0)
        return (off[:, 0] <= self.search.near) & (off[:, 1:] <= self.search.hold).all(1)

    def _cost(self, moved: Tensor, shifts: Tensor, items: Tensor | slice) -> Tensor:
        """Of tries ``(b, P, K)`` by shifts ``(b, P, E)``: ``(b, P)``."""
        off = (moved[..., self.columns] - self.asked).abs()
        free = torch.full_like(self.asked, self.search.hold)
        free[0] = 0
        squares = (off - free).clamp(min=0).square()
        was_defined = ~self.start[items][:, None, self.columns].isnan()
        squares = torch.where(off.isnan(), was_defined * _LOST, squares)
        squares[..., 0] *= self.search.weight
        length = shifts.square().sum(-1) / self.found.distance**2
        return squares.sum(-1) + self.search.far * length

    def _shift(self, slopes: Tensor, wanted: Tensor) -> Tensor:
        """The shortest ``(.., E)`` that by slopes ``(.., k, E)`` does the wanted ``(.., k)``."""
        gram = slopes @ slopes.transpose(-1, -2)
        damped = gram + _DAMPING * torch.eye(gram.shape[-1]).to(gram)
        solved = torch.linalg.solve(damped, wanted[..., None])
        return (slopes.transpose(-1, -2) @ solved)[..., 0]

    def _try(self, items: Tensor, shifts: Tensor, learn: bool = True) -> None:
        """Decode the items by shifts ``(b, P, E)`` and keep the best."""
        count, tries, _ = shifts.shape
        if not count:
            return
        z = self.latents[items][:, None] + shifts @ self.found.spread.T
        cond = {name: one[items].repeat_interleave(tries) for name, one in self.cond.items()}
        seen = None if self.input is None else self.input[items].repeat_interleave(tries, 0)
        data = self.model.decode(z.flatten(0, 1), cond, input=seen)
        values = self.found.measured(self.model, data, cond).unflatten(0, (count, tries))
        moved = values - self.start[items][:, None]
        cost, chosen = self._cost(moved, shifts, items).min(1)
        rows = torch.arange(count, device=chosen.device)
        better = cost < self.cost[items]
        these, rows, chosen = items[better], rows[better], chosen[better]
        self.cost[these] = cost[better]
        self.best[these], self.moved[these] = shifts[rows, chosen], moved[rows, chosen]
        self.data[these] = data.unflatten(0, (count, tries))[rows, chosen]
        if learn:
            self._remember(items, shifts, moved[..., self.columns].nan_to_num(0))

    def _remember(self, items: Tensor, shifts: Tensor, moved: Tensor) -> None:
        """Note tries of some items; the others get as many of no length, which tell nothing."""
        for name, new in (("tried", shifts), ("seen", moved)):
            old = getattr(self, name)
            added = old.new_zeros(len(old), *new.shape[1:])
            added[items] = new
            setattr(self, name, torch.cat([old, added], 1))

    def _own_slopes(self, items: Tensor) -> Tensor:
        """Slopes ``(b, k, E)`` that explain an item's tries and stay near those of the data."""
        shifts, seen = self.tried[items], self.seen[items]
        unexplained = seen - shifts @ self.slopes.T
        gram = shifts @ shifts.transpose(1, 2)
        ridge = gram + _PRIOR * torch.eye(gram.shape[1]).to(gram)
        return self.slopes + unexplained.transpose(1, 2) @ torch.linalg.solve(ridge, shifts)

    def _corrections(self, items: Tensor) -> Tensor:
        best = self.best[items]
        left = (self.asked - self.moved[items][:, self.columns]).nan_to_num(0)
        step = self._shift(self._own_slopes(items), left)
        longest = _LONGEST * self.found.distance
        step = step * (longest / step.norm(dim=1, keepdim=True).clamp(min=longest))
        along = best[:, None] + step[:, None] * step.new_tensor(_CORRECTIONS)[:, None]
        back = best[:, None] * best.new_tensor(_KEPT)[:, None]
        count = max(0, self.search.tries - len(_CORRECTIONS) - len(_KEPT))
        count = count if self.search.noise else 0
        noise = torch.randn(count, best.shape[1], generator=self.generator).to(best)
        noise = (
            noise
            * torch.linspace(self.search.noise / 4, self.search.noise, count).to(best)[:, None]
        )
        return torch.cat([along, back, best[:, None] + noise], 1)

    def _towards_neighbours(self, items: Tensor, wider: int) -> Tensor:
        """Part of the way to items of the data that have what is asked and lie near.

        ``wider``: times as many of them as ``search`` says.
        """
        found, here = self.found, self.found.whitened(self.latents[items])
        count = min(self.search.neighbours * wider, len(found.points))
        target = self.start[items][:, self.columns] + self.asked
        off = (target[:, None] - found.values[:, self.columns]).nan_to_num(0).square().sum(-1)
        length = torch.cdist(here, found.points).square() / found.distance**2
        cost = off + self.search.far * length
        for name, column in self.cond.items():
            # Last where nothing else is left.
            cost = cost + _LOST * (column[items][:, None] != found.cond[name])
        nearby = found.points[cost.topk(count, largest=False).indices]
        way = nearby - here[:, None]
        return (way[:, :, None] * way.new_tensor(_TOWARDS)[:, None]).flatten(1, 2)
