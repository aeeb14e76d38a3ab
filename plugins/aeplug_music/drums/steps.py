"""Plan and past -> a vector for each step: the base of the drum decoders.

As in :mod:`aeplug_music.melodies.stepwise` there is no recurrent state: a step sees its slice of a
plan made from z (by a conductor, :mod:`aeplug_music.nets.hierarchy`), the last steps, and those 1,
2, 4 and 8 bars ago. The past is given as values of nine drums, not as one of 512 combinations, so
that what is learnt of a drum holds whatever the others play.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from aeplug.config import setting
from aeplug.interfaces import DataShape
from aeplug_music.drums.kit import BAR, DRUMS
from aeplug_music.drums.window_shape import bits_to_combination, count_bars
from aeplug_music.nets.hierarchy import Conductor, ResidualMLP, TreeConfig
from aeplug_music.nets.history import AGREEMENTS, Agreement, agreement, bars_back, corrupt_history

#: Number of preceding steps that a step sees.
STEPS_BACK = 6
#: Steps that it sees in earlier bars, from the corresponding one on.
AHEAD = 2


class DrumStepsConfig(TreeConfig):
    """Settings of the drum decoders."""

    width: int = setting(320, "width of the window's vector", unit="units", ge=1)
    slice: int = setting(64, "width of a step's slice of the plan", unit="units", ge=1)
    agreement: bool = setting(
        False,
        "whether a step sees how long the past has equalled that of 1, 2, 4 and 8 bars before",
    )
    token_noise: float = setting(
        0.0, "share of past drums replaced by those of another window, in training", ge=0, le=0.5
    )
    step_width: int = setting(128, "width of a step's vector", unit="units", ge=1)
    step_layers: int = setting(1, "residual layers per step", unit="layers", ge=0)


class DrumSteps(nn.Module):
    """z and the steps before -> vector of a step."""

    def __init__(
        self,
        config: DrumStepsConfig,
        shape: DataShape,
        latent_shape: tuple[int, ...],
        values: int,
    ) -> None:
        super().__init__()
        bars, width, step_width = count_bars(shape), config.width, config.step_width
        self.steps, self.slice, self.values = bars * BAR, config.slice, values
        self.token_noise = config.token_noise
        self.enter = nn.Linear(math.prod(latent_shape), width)
        levels, widths = config.tree(bars)
        bar_width = widths[-1]
        self.conductor = Conductor(levels, widths, config.hidden, config.layers)
        self.bar_layers = nn.Sequential(
            *(ResidualMLP(bar_width, config.hidden) for _ in range(config.layers)),
            nn.LayerNorm(bar_width),
        )
        self.unroll = nn.Linear(bar_width, BAR * config.slice)
        back = bars_back(bars)
        #: Distance in steps of each view.
        self.views = (
            *range(1, STEPS_BACK + 1),
            *(by * BAR - ahead for by in back for ahead in range(AHEAD)),
        )
        #: Lags in steps at which agreement of the hits is seen; empty: none.
        self.lags = tuple(by * BAR for by in back) if config.agreement else ()
        seen = len(self.views) * (values + 1) + len(self.lags) * AGREEMENTS
        self.step_enter = nn.Linear(config.slice + seen, step_width)
        self.place = nn.Embedding(BAR, step_width)
        self.step_layers = nn.Sequential(
            *(ResidualMLP(step_width, 2 * step_width) for _ in range(config.step_layers))
        )
        self.step_norm = nn.LayerNorm(step_width)
        nn.init.normal_(self.place.weight, std=0.1)

    def plan(self, z: Tensor) -> Tensor:
        """Latents ``(B, *latent_shape)`` -> slices ``(B, T, slice)``."""
        bars = self.bar_layers(self.conductor(self.enter(z.flatten(1))))
        return self.unroll(bars).reshape(len(z), self.steps, self.slice)

    def history(self, values: Tensor) -> Tensor:
        """Past that each step sees: ``(B, T, values)`` -> ``(B, T, seen)``.

        The values of each view, and a flag for steps before the window; then, one-hot, how long the
        hits have agreed at each lag.
        """
        if self.training and self.token_noise:
            # Hit, velocity and offset of a drum are replaced together.
            drums = values.unflatten(2, (-1, DRUMS)).transpose(2, 3)
            values = corrupt_history(drums, self.token_noise).transpose(2, 3).flatten(2)
        marked = functional.pad(values, (0, 1))
        count, steps = values.shape[:2]
        behind = max(self.views)
        before = marked.new_zeros(count, behind, self.values + 1)
        before[..., -1] = 1
        long = torch.cat([before, marked], 1)
        seen = [long[:, behind - by : behind - by + steps] for by in self.views]
        if self.lags:
            hits = bits_to_combination(functional.pad(values[:, :-1, :DRUMS], (0, 0, 1, 0)))
            lags = torch.tensor(self.lags, device=values.device).expand(count, -1)
            seen.append(one_hot(agreement(hits, lags), values.dtype))
        return torch.cat(seen, 2)

    def vectors(self, plan: Tensor, views: Tensor, first: int = 0) -> Tensor:
        """Slices ``(B, S, slice)`` and views ``(B, S, ...)`` from step ``first`` on -> vectors."""
        places = torch.arange(first, first + plan.shape[1], device=plan.device) % BAR
        x = self.step_enter(torch.cat([plan, views.to(plan.dtype)], -1)) + self.place(places)
        return self.step_norm(self.step_layers(x))


class Past:
    """The last row of ``history``, updated step by step."""

    def __init__(self, steps: DrumSteps, count: int, device: torch.device) -> None:
        self._views, self._lags = steps.views, steps.lags
        self._behind = max(steps.views)
        size = (count, self._behind + steps.steps, steps.values + 1)
        self._values = torch.zeros(size, device=device)
        self._values[:, : self._behind, -1] = 1
        lags = torch.tensor(steps.lags, dtype=torch.long, device=device)
        self._agreement = Agreement(lags.expand(count, -1))
        self._step = 0

    def views(self) -> Tensor:
        """Past that the next step sees, ``(B, 1, seen)``."""
        now = self._behind + self._step
        seen = [self._values[:, now - by] for by in self._views]
        if self._lags:
            seen.append(one_hot(self._agreement.classes(), self._values.dtype).squeeze(1))
        return torch.cat(seen, 1).unsqueeze(1)

    def add(self, values: Tensor) -> None:
        """Add the values of the next step, ``(B, values)``."""
        now = self._behind + self._step
        self._values[:, now, :-1] = values
        if self._lags:
            hits = self._values[:, [now - lag for lag in self._lags], :DRUMS] > 0.5
            self._agreement.add((hits == (values[:, None, :DRUMS] > 0.5)).all(2))
        self._step += 1


def one_hot(classes: Tensor, dtype: torch.dtype) -> Tensor:
    """Classes of agreement ``(..., L)`` -> one-hot ``(..., L * AGREEMENTS)``."""
    return functional.one_hot(classes, AGREEMENTS).flatten(-2).to(dtype)
