"""The machine: console, devices and processes, signals, files; no knowledge of models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aeplug._exports import lazy_exports

if TYPE_CHECKING:
    from aeplug.runtime.console import Progress, say
    from aeplug.runtime.distributed import Distributed, pick_device
    from aeplug.runtime.figures import write_figure
    from aeplug.runtime.files import atomic_replace, atomic_write, describe_error, require_regular

__all__ = [
    "Distributed",
    "Progress",
    "atomic_replace",
    "atomic_write",
    "describe_error",
    "pick_device",
    "require_regular",
    "say",
    "write_figure",
]

__getattr__ = lazy_exports(
    __name__,
    {
        "console": "Progress say",
        "distributed": "Distributed pick_device",
        "figures": "write_figure",
        "files": "atomic_replace atomic_write describe_error require_regular",
    },
)
