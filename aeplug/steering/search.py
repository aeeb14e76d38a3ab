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
from aeplug.runtime.tracking import track
from aeplug.steering.directions import Directions


@dataclass(frozen=True)
class SearchSettings:
    """How long and how far to try.

    Attributes:
        rounds: of correction after the first, linear one.
        tries: decoded a round and item.
        near: tolerance of the target attribute, in standard deviations.
        hold: tolerance of each held attribute, in standard deviations.
        far: price of the distance: a shift as long as two items lie apart costs as much as this
            error, squared, in standard deviations.
        weight: of the target attribute's squared error, those of the others being 1.
        noise: standard deviation of random tries, whitened.
        neighbours: items of the data with the target value, towards which shifts are tried.
        seed: of the random tries.

    Example:
        >>> slant, z = find_steering(model, "slant", items=200).directions, torch.zeros(4, 2)
        >>> quick = SearchSettings(rounds=1, tries=4)
        >>> steer(model, slant, z, {}, "slant", amount=1.0, search=quick).latents.shape
        torch.Size([4, 2])
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
class SteeringResult:
    """B items, shifted.

    Attributes:
        latents: ``(B, D)``.
        data: decoded, ``(B, *shape.target)``.
        change: of each attribute against the model's own reconstruction, in standard deviations,
            ``(B, K)``; NaN where it is undefined before or after.
        distance: Mahalanobis length of the shift, ``(B,)``.

    Example:
        >>> slant = find_steering(model, "slant", items=200)
        >>> result = steer(model, slant.directions, torch.zeros(4, 2), {}, "slant", amount=1.0)
        >>> result.data.shape, result.change.shape, result.distance.shape
        (torch.Size([4, 1, 28, 28]), torch.Size([4, 5]), torch.Size([4]))
    """

    latents: Tensor
    data: Tensor
    change: Tensor
    distance: Tensor


#: Multiples of the linear shift that are tried first: decoders often follow late.
_SCALES = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
_CORRECTIONS = (0.5, 1.0, 1.5, 2.0)
#: Shares of the way to a neighbour, and of a shift, that are tried.
_TOWARDS = (0.35, 0.5, 0.65, 0.8, 1.0)
_KEPT = (0.7, 0.85)
#: Ridge of the equations for a shift, and of an item's own slopes.
_DAMPING, _PRIOR = 0.02, 1.0
#: Longest correction, as a share of the distance of two items.
_LONGEST = 0.25
#: Cost of an attribute that becomes undefined, in squared standard deviations.
_LOST = 9.0


@torch.no_grad()
def steer(
    model: Model,
    directions: Directions,
    latents: Tensor,
    cond: Mapping[str, Tensor],
    target: str,
    amount: float,
    keep: Sequence[str] | None = None,
    search: SearchSettings | None = None,
    input: Tensor | None = None,
) -> SteeringResult:
    """Shift latents so that an attribute of what they decode to changes by an amount.

    The first shift is the shortest (by Mahalanobis length) that would do so, and hold the others,
    if attributes were linear in the latents. Items that have not arrived are then corrected, round
    by round: slopes are fitted to each item's own tries, and steps along them and at random are
    decoded and measured. Items that still miss half of the amount are also tried part of the way
    towards items of the data that have it. The best so far stays. Items do not influence one
    another.

    Args:
        model: decodes, greedily.
        directions: the attributes' directions.
        latents: ``(B, D)``.
        cond: conditions, name -> int64 ``(B,)``.
        target: the attribute's name.
        amount: in standard deviations over the data.
        keep: names of those to hold; None: all others.
        search: how long and how far to try; None: the defaults, and between examples only along
            the way between them.
        input: what the latents are of, ``(B, *shape.input)``, for decoders that look at it.

    Raises:
        ConfigError: no attribute of such a name.
        AeplugError: latents of another size.

    Example:
        >>> slant = find_steering(model, "slant", items=200)
        >>> result = steer(model, slant.directions, torch.zeros(1, 2), {}, "slant", amount=1.0)
        >>> result.change[0, slant.directions.index("slant")] > 0.5
        tensor(True)
    """
    if latents.shape[1:] != directions.centre.shape:
        raise AeplugError(
            f"latents have {len(directions.centre)} dimensions, got {latents.shape[1:]}"
        )
    others = [name for name in directions.names if name != target] if keep is None else keep
    column = directions.index(target)
    columns = [column, *(directions.index(name) for name in others if name != target)]
    if search is None:
        # Items on the far side of some examples may be of a third kind: no neighbours and no
        # random tries, only the way between the examples' own means.
        by_examples = directions.ends is not None and target == directions.names[-1]
        search = SearchSettings(neighbours=0, noise=0.0) if by_examples else SearchSettings()
    state = _SearchState(model, directions, latents, cond, columns, amount, search, input)
    if amount:
        state.run()
    return state.result()


class _SearchState:
    """Shifts tried so far of every item, in whitened space, and what they did."""

    def __init__(
        self,
        model: Model,
        directions: Directions,
        latents: Tensor,
        cond: Mapping[str, Tensor],
        columns: list[int],
        amount: float,
        search: SearchSettings,
        input: Tensor | None,
    ) -> None:
        self.model, self.directions, self.search = model, directions, search
        self.latents, self.columns = latents.float(), columns
        self.cond = model.conditions(cond, len(latents))
        self.input = input
        self.slopes = directions.slopes[columns]
        self.goal = self.slopes.new_zeros(len(columns))
        self.goal[0] = amount
        self.generator = torch.Generator().manual_seed(search.seed)
        self.data = model.decode(self.latents, self.cond, input=input)
        self.start = directions.measure(model, self.data, self.cond)
        count, size = len(latents), self.slopes.shape[1]
        #: Of each item the best shift, all attributes' change by it, and its cost.
        self.best = self.slopes.new_zeros(count, size)
        self.change = self.start - self.start
        self.cost = self._cost(self.change[:, None], self.best[:, None], slice(None))[:, 0]
        #: Shifts tried and what they did, from which an item's own slopes are fitted.
        self.tried = self.slopes.new_zeros(count, 0, size)
        self.observed = self.slopes.new_zeros(count, 0, len(columns))

    def run(self) -> None:
        first = self._shift(self.slopes, self.goal)
        scales = first.new_tensor(_SCALES)
        every = torch.arange(len(self.latents), device=self.latents.device)
        # An item without the attribute cannot be moved along it.
        defined = every[~self.start[:, self.columns[0]].isnan()]
        self._try(defined, (scales[:, None] * first).expand(len(defined), -1, -1))
        for number in track(range(self.search.rounds), self.search.rounds, "rounds"):
            missing = defined[~self._has_arrived()[defined]]
            if not len(missing):
                return
            # First towards a few neighbours; towards more where half of the rounds did not help.
            wider = {0: 1, self.search.rounds // 2: 4}
            if number in wider and self.search.neighbours:
                missed = (self.goal[0] - self.change[missing, self.columns[0]]).abs().nan_to_num(0)
                far = missing[missed > abs(float(self.goal[0])) / 2]
                if len(far):
                    self._try(far, self._towards_neighbours(far, wider[number]), learn=False)
            self._try(missing, self._corrections(missing))

    def result(self) -> SteeringResult:
        shifted = self.latents + self.best @ self.directions.unwhitening.T
        return SteeringResult(shifted, self.data, self.change, self.best.norm(dim=1))

    def _has_arrived(self) -> Tensor:
        change = self.change[:, self.columns]
        off = (change - self.goal).abs().nan_to_num(0)
        return (off[:, 0] <= self.search.near) & (off[:, 1:] <= self.search.hold).all(1)

    def _cost(self, change: Tensor, shifts: Tensor, items: Tensor | slice) -> Tensor:
        """Of tries ``(b, P, K)`` by shifts ``(b, P, E)``: ``(b, P)``."""
        off = (change[..., self.columns] - self.goal).abs()
        free = torch.full_like(self.goal, self.search.hold)
        free[0] = 0
        squares = (off - free).clamp(min=0).square()
        was_defined = ~self.start[items][:, None, self.columns].isnan()
        squares = torch.where(off.isnan(), was_defined * _LOST, squares)
        squares[..., 0] *= self.search.weight
        length = shifts.square().sum(-1) / self.directions.distance**2
        return squares.sum(-1) + self.search.far * length

    def _shift(self, slopes: Tensor, change: Tensor) -> Tensor:
        """The shortest ``(.., E)`` that by slopes ``(.., k, E)`` makes a change ``(.., k)``."""
        gram = slopes @ slopes.transpose(-1, -2)
        damped = gram + _DAMPING * torch.eye(gram.shape[-1]).to(gram)
        solved = torch.linalg.solve(damped, change[..., None])
        return (slopes.transpose(-1, -2) @ solved)[..., 0]

    def _try(self, items: Tensor, shifts: Tensor, learn: bool = True) -> None:
        """Decode the items by shifts ``(b, P, E)`` and keep the best."""
        count, tries, _ = shifts.shape
        if not count:
            return
        z = self.latents[items][:, None] + shifts @ self.directions.unwhitening.T
        cond = {
            name: classes[items].repeat_interleave(tries) for name, classes in self.cond.items()
        }
        seen = None if self.input is None else self.input[items].repeat_interleave(tries, 0)
        data = self.model.decode(z.flatten(0, 1), cond, input=seen)
        values = self.directions.measure(self.model, data, cond).unflatten(0, (count, tries))
        change = values - self.start[items][:, None]
        cost, chosen = self._cost(change, shifts, items).min(1)
        rows = torch.arange(count, device=chosen.device)
        better = cost < self.cost[items]
        improved, rows, chosen = items[better], rows[better], chosen[better]
        self.cost[improved] = cost[better]
        self.best[improved], self.change[improved] = shifts[rows, chosen], change[rows, chosen]
        self.data[improved] = data.unflatten(0, (count, tries))[rows, chosen]
        if learn:
            self._remember(items, shifts, change[..., self.columns].nan_to_num(0))

    def _remember(self, items: Tensor, shifts: Tensor, change: Tensor) -> None:
        """Note tries of some items; the others get zeros, which do not change their slopes."""
        for name, new in (("tried", shifts), ("observed", change)):
            old = getattr(self, name)
            added = old.new_zeros(len(old), *new.shape[1:])
            added[items] = new
            setattr(self, name, torch.cat([old, added], 1))

    def _own_slopes(self, items: Tensor) -> Tensor:
        """Slopes ``(b, k, E)`` that explain an item's tries and stay near those of the data."""
        shifts, seen = self.tried[items], self.observed[items]
        unexplained = seen - shifts @ self.slopes.T
        gram = shifts @ shifts.transpose(1, 2)
        ridge = gram + _PRIOR * torch.eye(gram.shape[1]).to(gram)
        return self.slopes + unexplained.transpose(1, 2) @ torch.linalg.solve(ridge, shifts)

    def _corrections(self, items: Tensor) -> Tensor:
        best = self.best[items]
        gap = (self.goal - self.change[items][:, self.columns]).nan_to_num(0)
        step = self._shift(self._own_slopes(items), gap)
        longest = _LONGEST * self.directions.distance
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
        """Shares of the way to near items of the data that have the target value.

        ``wider`` multiplies their number.
        """
        directions, whitened = self.directions, self.directions.whiten(self.latents[items])
        count = min(self.search.neighbours * wider, len(directions.points))
        aim = self.start[items][:, self.columns] + self.goal
        off = (aim[:, None] - directions.values[:, self.columns]).nan_to_num(0).square().sum(-1)
        length = torch.cdist(whitened, directions.points).square() / directions.distance**2
        cost = off + self.search.far * length
        for name, column in self.cond.items():
            # Items of another class come last.
            cost = cost + _LOST * (column[items][:, None] != directions.cond[name])
        nearby = directions.points[cost.topk(count, largest=False).indices]
        way = nearby - whitened[:, None]
        return (way[:, :, None] * way.new_tensor(_TOWARDS)[:, None]).flatten(1, 2)
