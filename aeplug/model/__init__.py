"""A task as one module, a trained model, its checkpoint and its run folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aeplug.runtime.lazy import lazy_exports

if TYPE_CHECKING:
    from aeplug.model.capabilities import resolve_options
    from aeplug.model.conditions import ConditionEmbedding
    from aeplug.model.model import Model
    from aeplug.model.run_folder import RunFolder
    from aeplug.model.sampling import constrain, draw_conditions
    from aeplug.model.task import Task, objective

__all__ = [
    "ConditionEmbedding",
    "Model",
    "RunFolder",
    "Task",
    "constrain",
    "draw_conditions",
    "objective",
    "resolve_options",
]

__getattr__, __dir__ = lazy_exports(__name__)
