"""What plug-ins print goes to stderr."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    pass


class _Diverted:
    """Stands in for stdout: what is written goes to stderr, as far as there is one."""

    def __init__(self) -> None:
        self.used = False

    def write(self, text: str) -> int:
        self.used = self.used or bool(text.strip())
        if sys.stderr is not None:
            with contextlib.suppress(OSError):
                sys.stderr.write(text)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)
