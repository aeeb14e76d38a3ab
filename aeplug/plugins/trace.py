"""What goes to stderr around plug-ins: what they print, and the manager's trace.

``AEPLUG_TRACE_PLUGINS=1`` shows what the plug-in manager does, a line each.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pluggy

VARIABLE = "AEPLUG_TRACE_PLUGINS"

#: Characters of an argument's text that are shown.
SHOWN = 120


class Trace:
    """Registrations and hook calls as they happen; without the variable nothing is watched.

    Args:
        manager: whose calls.
    """

    def __init__(self, manager: pluggy.PluginManager) -> None:
        self.on = os.environ.get(VARIABLE, "0") not in ("", "0")
        self._began: list[float] = []
        if self.on:
            manager.add_hookcall_monitoring(self._before, self._after)

    def say(self, text: str) -> None:
        """One line, if asked for."""
        if self.on:
            print(f"aeplug: trace: {text}", file=sys.stderr)

    def _before(self, hook: str, implementations: Sequence[Any], given: Mapping[str, Any]) -> None:
        arguments = ", ".join(f"{name}={value!r:.{SHOWN}}" for name, value in given.items())
        who = ", ".join(f"'{implementation.plugin_name}'" for implementation in implementations)
        self.say(f"call {hook}({arguments}) of {who or 'nobody'}")
        self._began.append(time.perf_counter())

    def _after(
        self, outcome: Any, hook: str, implementations: Sequence[Any], given: Mapping[str, Any]
    ) -> None:
        milliseconds = 1000 * (time.perf_counter() - self._began.pop())
        error = outcome.exception
        ended = f"raised {type(error).__name__}: {error}" if error else "returned"
        self.say(f"     {hook} {ended} after {milliseconds:.1f} ms")


class DivertedStdout:
    """Stands in for stdout: what is written goes to stderr, as far as there is one."""

    def __init__(self) -> None:
        self.used = False

    def write(self, text: str) -> int:
        """Pass it on; ``used`` says whether anything was written."""
        self.used = self.used or bool(text.strip())
        if sys.stderr is not None:
            with contextlib.suppress(OSError):
                sys.stderr.write(text)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)
