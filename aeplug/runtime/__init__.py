"""The machine: console, devices and processes, signals, files; no knowledge of models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aeplug.runtime.lazy import lazy_exports

if TYPE_CHECKING:
    from aeplug.runtime.console import Progress, say
    from aeplug.runtime.distributed import Distributed, pick_device
    from aeplug.runtime.figures import check_picture, is_figure, write_figure, write_sheet
    from aeplug.runtime.files import (
        atomic_replace,
        atomic_write,
        describe_write_error,
        encode_json,
        require_new_folder,
        require_regular,
    )
    from aeplug.runtime.libraries import import_library, missing_libraries
    from aeplug.runtime.tracking import track

__all__ = [
    "Distributed",
    "Progress",
    "atomic_replace",
    "atomic_write",
    "check_picture",
    "describe_write_error",
    "encode_json",
    "import_library",
    "is_figure",
    "missing_libraries",
    "pick_device",
    "require_new_folder",
    "require_regular",
    "say",
    "track",
    "write_figure",
    "write_sheet",
]

__getattr__, __dir__ = lazy_exports(__name__)
