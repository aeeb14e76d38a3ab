"""The one training loop, its optimizers and the average of its weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aeplug._exports import lazy_exports

if TYPE_CHECKING:
    from aeplug.training.scheduled_adamw import ScheduledAdamW
    from aeplug.training.trainer import Trainer

__all__ = ["ScheduledAdamW", "Trainer"]

__getattr__ = lazy_exports(
    __name__,
    {
        "scheduled_adamw": "ScheduledAdamW",
        "trainer": "Trainer",
    },
)
