"""The host of plug-ins: hooks, specs, loading, isolation, look-up. Imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aeplug.runtime.lazy import lazy_exports

if TYPE_CHECKING:
    from aeplug.plugins.current import activate, active, explain_missing_library
    from aeplug.plugins.guard import GuardSpec
    from aeplug.plugins.hookspecs import HOOK_VERSION, hookimpl
    from aeplug.plugins.manager import Plugins
    from aeplug.plugins.plugin import Plugin
    from aeplug.plugins.specs import (
        VERBS,
        OptionSpec,
        PriorSpec,
        RunEvent,
        SamplingDefaults,
        TaskSpec,
        load_attribute,
    )

__all__ = [
    "HOOK_VERSION",
    "VERBS",
    "GuardSpec",
    "OptionSpec",
    "Plugin",
    "Plugins",
    "PriorSpec",
    "RunEvent",
    "SamplingDefaults",
    "TaskSpec",
    "activate",
    "active",
    "explain_missing_library",
    "hookimpl",
    "load_attribute",
]

__getattr__, __dir__ = lazy_exports(__name__)
