"""Settings: of parts, of training, of a whole task, and schedules. Imports no torch."""

from aeplug.config.fields import (
    NAMED_ROLES,
    SECTIONS,
    PartConfig,
    TrainConfig,
    config_of,
    setting,
)
from aeplug.config.resolve import (
    TaskConfig,
    flatten,
    parse_assignments,
    read_settings,
    resolve,
)
from aeplug.config.schedules import Schedule, learning_rate

__all__ = [
    "NAMED_ROLES",
    "SECTIONS",
    "PartConfig",
    "Schedule",
    "TaskConfig",
    "TrainConfig",
    "config_of",
    "flatten",
    "learning_rate",
    "parse_assignments",
    "read_settings",
    "resolve",
    "setting",
]
