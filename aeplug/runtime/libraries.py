"""Libraries that may not be installed: which are missing, and the line that installs them."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from collections.abc import Mapping
from types import MappingProxyType, ModuleType

from aeplug.errors import AeplugError

#: What the engine itself imports: name of the module -> what pip installs.
ENGINE: Mapping[str, str] = MappingProxyType(
    {
        "torch": "torch",
        "numpy": "numpy",
        "pluggy": "pluggy",
        "click": "click",
        "rich": "rich",
        "pydantic": "pydantic",
        "safetensors": "safetensors",
        "matplotlib": "matplotlib",
        "PIL": "Pillow",
    }
)


def missing_libraries(requires: Mapping[str, str]) -> str:
    """Which libraries are not installed, in one line with the command; empty where none is.

    They are looked for, not imported: some tens of microseconds each.

    Args:
        requires: name of a top-level module -> what pip installs.

    Example:
        >>> missing_libraries({"torch": "torch", "wavelib": "wavelib>=2"})
        "wavelib is not installed: pip install 'wavelib>=2'"
    """
    missing = {name: what for name, what in requires.items() if not _is_installed(name)}
    if not missing:
        return ""
    *others, last = missing
    names = f"{', '.join(others)} and {last} are" if others else f"{last} is"
    return f"{names} not installed: {install_command(*missing.values())}"


def install_command(*requirements: str) -> str:
    """What to type to install libraries: ``pip install librosa 'soxr>=0.3'``."""
    plain = [what if re.fullmatch(r"[\w.-]+", what) else f"'{what}'" for what in requirements]
    return " ".join(["pip install", *plain])


def distribution_name(requirement: str) -> str:
    """``librosa`` of ``librosa>=0.10``."""
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0]


def import_library(module: str, requirement: str, purpose: str) -> ModuleType:
    """Import a library that only some users need.

    Args:
        module: its name, with a submodule's where that is wanted.
        requirement: what pip installs.
        purpose: what needs it, as the beginning of a sentence.

    Raises:
        AeplugError: it is not installed; the line says how to.

    Example:
        >>> ndimage = import_library("scipy.ndimage", "scipy", "blurring")
        >>> ndimage.gaussian_filter(np.eye(3), 1.0).shape
        (3, 3)
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if not error.name or error.name.split(".")[0] != module.split(".")[0]:
            raise  # what it needs itself
        raise AeplugError(
            f"{purpose} needs {requirement}: {install_command(requirement)}"
        ) from error


def describe_missing(error: ModuleNotFoundError, requires: Mapping[str, str]) -> str:
    """What to install where a module was not found; empty for one that nobody declares.

    Args:
        error: as Python raised it.
        requires: what plug-ins declare, as for :func:`missing_libraries`.
    """
    name = (error.name or "").split(".")[0]
    what = ENGINE.get(name) or requires.get(name)
    if what is None or _is_installed(name):
        return ""
    who = "aeplug" if name in ENGINE else "this"
    return f"{who} needs {name}: {install_command(what)}"


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ImportError:  # some finder's way to say no
        return False
    except ValueError:  # a module without a spec, put together by somebody
        return sys.modules.get(name) is not None
