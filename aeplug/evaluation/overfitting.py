"""Whether a training has gone on for too long: held-out loss rises, training loss still falls."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

#: Evaluations without a new best after which a rise counts as one ...
PATIENCE = 5
#: ... and by how much of itself the loss must have risen.
LEAST_RISE = 0.05


@dataclass
class OverfittingMonitor:
    """Compares losses at each evaluation of a training; warns once.

    Nothing is said where the training loss rises too, as under a weight that grows.
    """

    _best: float = field(default=math.inf, init=False)
    _best_step: int = field(default=0, init=False)
    _train_at_best: float = field(default=math.inf, init=False)
    _evaluations: int = field(default=0, init=False)
    _warned: bool = field(default=False, init=False)

    def check(self, step: int, train: float, held_out: float, say: Callable[[str], None]) -> None:
        """Say so if the model overfits and it was not said before.

        Args:
            step: of the training.
            train: mean loss of the latest steps.
            held_out: loss on data that is not trained on.
            say: called with the line.
        """
        if held_out < self._best:
            self._best, self._best_step, self._train_at_best = held_out, step, train
            self._evaluations = 0
            return
        self._evaluations += 1
        has_risen = held_out - self._best > LEAST_RISE * abs(self._best)
        if self._evaluations < PATIENCE or not has_risen or not train < self._train_at_best:
            return
        if not self._warned:
            self._warned = True
            say(
                f"warning: the model overfits: its held-out loss has risen from {self._best:.4g} "
                f"(step {self._best_step}) to {held_out:.4g} while its training loss fell. The "
                f"checkpoint 'best' is that of step {self._best_step}; more data, fewer steps or "
                f"a smaller model help"
            )
