"""The machine: console, devices and processes, signals, files; no knowledge of models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aeplug._exports import lazy_exports

if TYPE_CHECKING:
    from aeplug.runtime.console import Progress, say
    from aeplug.runtime.distributed import Distributed, pick_device
    from aeplug.runtime.figures import is_figure, write_figure, write_sheet
    from aeplug.runtime.files import atomic_replace, atomic_write, describe_error, require_regular

__all__ = [
    "Distributed",
    "Progress",
    "atomic_replace",
    "atomic_write",
    "describe_error",
    "is_figure",
    "pick_device",
    "require_regular",
    "say",
    "write_figure",
    "write_sheet",
]

__getattr__ = lazy_exports(
    __name__,
    {
        "console": "Progress say",
        "distributed": "Distributed pick_device",
        "figures": "is_figure write_figure write_sheet",
        "files": "atomic_replace atomic_write describe_error require_regular",
    },
)
