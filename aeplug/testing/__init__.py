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

if TYPE_CHECKING:
    from aeplug.checks.isolation import Given, IsolatedPlugins
    from aeplug.interfaces import Batch
    from aeplug.plugins.specs import TaskSpec

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


def check_task(task: str | TaskSpec, **options: Any) -> Report:
    """Make all checks of a task; see :func:`aeplug.checks.suite.examine_task` for the options.

    Example:
        >>> report = check_task("mnist", only=["shapes"])
        >>> print(report)
        ok       task mnist: shapes: (1, 28, 28) -> (3136) -> (32) -> (1, 28, 28)

    Raises:
        CheckFailed: an AssertionError that says of each failure what was expected, what was
            found, and where the guide explains it.
    """
    from aeplug.checks.suite import check_task as check

    return check(task, **options)


def check_plugin(plugin: str | Path, **options: Any) -> Report:
    """Make all checks of a plug-in; see :func:`aeplug.checks.plugin.examine_plugin`.

    Raises:
        CheckFailed: as :func:`check_task`.

    Example:
        >>> check_plugin("image", only=["commands"]).ok
        True
    """
    from aeplug.checks.plugin import check_plugin as check
    from aeplug.cli.registry import COMMANDS

    return check(plugin, reserved=COMMANDS, **options)


def isolated_plugins(*given: Given) -> IsolatedPlugins:
    """The built-in plug-ins, those given (modules or files), and the fakes; no others.

    Raises:
        PluginError: one of them is broken.

    Example:
        >>> isolated_plugins().task("mnist-vae").latent
        'gaussian'
    """
    from aeplug.checks import fakes
    from aeplug.checks.isolation import IsolatedPlugins

    return IsolatedPlugins(*given, fakes)


def tiny_batch(task: str | TaskSpec, **options: Any) -> Batch:
    """The first items of a task's training data, prepared; the same at every call.

    Args:
        task: its name or description.
        **options: ``plugins``, ``settings`` and ``data`` as for :func:`check_task`; ``count``,
            how many items (8); ``training``, with augmentation and corruption (False).

    Returns:
        A batch on the CPU.

    Example:
        >>> tiny_batch("mnist", count=2).input.shape
        torch.Size([2, 1, 28, 28])
    """
    from aeplug.checks.suite import tiny_batch as make

    return make(task, **options)
