"""``AEPLUG_TRACE_PLUGINS=1``: what the plug-in manager does, on stderr, a line each."""

from __future__ import annotations

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
