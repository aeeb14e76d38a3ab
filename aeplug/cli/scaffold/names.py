"""Which names a new plug-in may have."""

from __future__ import annotations

import importlib.util
import keyword
import re
import sys
from collections.abc import Mapping

from aeplug.errors import PluginError
from aeplug.plugins.discovery import is_plugin_file

#: As in ``aeplug train NAME`` and on a package index.
_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")


#: Beyond this it is a burden to type, and breaks the lines of what is written.
LONGEST = 28


def module_name(name: str, taken: Mapping[str, str]) -> str:
    """The module of a plug-in of this name.

    Args:
        name: lower case letters and digits in words, with hyphens between them.
        taken: names that it may not have, with what they belong to (``"a task"``).

    Raises:
        PluginError: it is no name, or stands for something else already.
    """
    if not _NAME.fullmatch(name):
        raise PluginError(
            f"'{name}' cannot be the name of a plug-in: expected lower case letters and digits, "
            f"beginning with a letter, words joined by hyphens, as in my-signals"
        )
    if len(name) > LONGEST:
        raise PluginError(f"'{name}' is longer than {LONGEST} characters; choose a shorter name")
    if name in taken:
        raise PluginError(f"{taken[name]} is called '{name}' already; choose another name")
    module = name.replace("-", "_")
    if keyword.iskeyword(module) or keyword.issoftkeyword(module):
        raise PluginError(f"'{module}' is a word of Python; choose another name, as in my-{name}")
    if not is_plugin_file(f"{module}.py"):
        raise PluginError(
            f"a file '{module}.py' would be taken for a test; choose another name, as in my-{name}"
        )
    if module in sys.stdlib_module_names or _importable(module):
        raise PluginError(
            f"a module is called '{module}' already, which the plug-in's would hide; choose "
            f"another name, as in my-{name}"
        )
    return module


def _importable(module: str) -> bool:
    if module in sys.modules:
        return True
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
