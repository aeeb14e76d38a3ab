"""The one training loop, its optimizers and the average of its weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aeplug.runtime.lazy import lazy_exports

if TYPE_CHECKING:
    from aeplug.training.scheduled_adamw import ScheduledAdamW
    from aeplug.training.start import training_config
    from aeplug.training.trainer import Trainer

__all__ = [
    "ScheduledAdamW",
    "Trainer",
    "training_config",
]

__getattr__, __dir__ = lazy_exports(__name__)
