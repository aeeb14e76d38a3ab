"""The plug-ins of this process, loaded on first use from the environment's settings."""

from __future__ import annotations

import os
from pathlib import Path

from aeplug.plugins.manager import Plugins
from aeplug.runtime.libraries import describe_missing

PLUGINS_DIR_VARIABLE = "AEPLUG_PLUGINS_DIR"


BLOCK_VARIABLE = "AEPLUG_BLOCK"


_active: Plugins | None = None


def active() -> Plugins:
    """The plug-ins of this process; loaded on first use, from the environment's settings.

    ``AEPLUG_PLUGINS_DIR`` (folders, separated as in ``PATH``) and ``AEPLUG_BLOCK`` (names,
    separated by commas) hold outside the command line too.

    Example:
        >>> active().task("mnist-vae").latent
        'gaussian'
    """
    global _active
    if _active is None:
        _active = Plugins(folders_from_environment(), blocked_from_environment())
    return _active


def activate(plugins: Plugins) -> None:
    """Make ``plugins`` those of this process (the CLI does, after reading its options).

    Example:
        >>> activate(Plugins(block=["music"]))
        >>> active().named("music").status
        'blocked'
    """
    global _active
    _active = plugins


def explain_missing_library(error: BaseException) -> str:
    """The line that installs what an import did not find.

    Args:
        error: whatever was raised.

    Returns:
        ``"this needs soxr: pip install soxr"``; empty for another error, and for a module of
        which neither aeplug nor a plug-in says that it needs it.

    Example:
        >>> explain_missing_library(FileNotFoundError("a.mid"))
        ''
    """
    if not isinstance(error, ModuleNotFoundError):
        return ""
    requires: dict[str, str] = {}
    for plugin in active().plugins:
        requires.update(plugin.requires)
    return describe_missing(error, requires)


def folders_from_environment() -> list[Path]:
    """Folders named by ``AEPLUG_PLUGINS_DIR``."""
    value = os.environ.get(PLUGINS_DIR_VARIABLE, "")
    return [Path(part).expanduser() for part in value.split(os.pathsep) if part]


def blocked_from_environment() -> list[str]:
    """Names listed by ``AEPLUG_BLOCK``."""
    return [part.strip() for part in os.environ.get(BLOCK_VARIABLE, "").split(",") if part.strip()]
