"""A kit for authors of plug-ins: is it right, and what to test one's own with.

``check_task("waves")`` in a test makes every check of a task; ``check_plugin("waves")`` those of
everything that a plug-in brings, as ``aeplug plugins check waves`` does. ``IsolatedPlugins`` are
plug-ins without those that happen to be installed; :mod:`aeplug.checks.fakes` brings small parts
and tasks to try one's own in; pytest finds the fixtures of :mod:`aeplug.testing.fixtures` itself.

This module imports torch only when one of its functions is called, since pytest loads it in every
project of an environment.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from aeplug.checks.outcome import CHECKS, CheckFailed, Outcome, Report
from aeplug.runtime.lazy import lazy_exports

if TYPE_CHECKING:
    from aeplug.checks.isolation import IsolatedPlugins, PluginSource
    from aeplug.checks.suite import check_task, tiny_batch

__all__ = [
    "CHECKS",
    "CheckFailed",
    "Outcome",
    "Report",
    "check_plugin",
    "check_task",
    "isolated_plugins",
    "tiny_batch",
]


def check_plugin(plugin: str | Path, **options: Any) -> Report:
    """Make all checks of a plug-in; see :func:`aeplug.checks.plugin.examine_plugin`.

    Raises:
        CheckFailed: an AssertionError with a line for each failure.

    Example:
        >>> check_plugin("image", only=["commands"]).ok
        True
    """
    from aeplug.checks.plugin import examine_plugin
    from aeplug.cli.registry import COMMANDS

    report = examine_plugin(plugin, reserved=COMMANDS, **options)
    report.require_ok()
    return report


def isolated_plugins(*sources: PluginSource) -> IsolatedPlugins:
    """The built-in plug-ins, those given (modules or files), and the fakes; no others.

    Raises:
        PluginError: one of them is broken.

    Example:
        >>> isolated_plugins().task("mnist-vae").latent
        'gaussian'
    """
    from aeplug.checks import fakes
    from aeplug.checks.isolation import IsolatedPlugins

    return IsolatedPlugins(*sources, fakes)


__getattr__, __dir__ = lazy_exports(__name__)
