"""The host of plug-ins: hooks, specs, loading, isolation, look-up. Imports no torch."""

from aeplug.plugins.current import activate, active
from aeplug.plugins.hookspecs import HOOK_VERSION, hookimpl
from aeplug.plugins.manager import Plugin, Plugins
from aeplug.plugins.specs import VERBS, OptionSpec, RunEvent, TaskSpec, load_attribute

__all__ = [
    "HOOK_VERSION",
    "VERBS",
    "OptionSpec",
    "Plugin",
    "Plugins",
    "RunEvent",
    "TaskSpec",
    "activate",
    "active",
    "hookimpl",
    "load_attribute",
]
