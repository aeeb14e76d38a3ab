"""Where plug-ins are found: entry points of distributions, and folders of single files."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from aeplug.errors import PluginError
from aeplug.plugins.validation import isolate_errors

GROUP = "aeplug"
DISTRIBUTION = "aeplug"


@dataclass(frozen=True)
class Found:
    """A plug-in that is there, not yet imported.

    Attributes:
        name: its entry point's name, or its file's stem.
        origin: distribution and version, or the file's path.
        version: of the distribution; empty for a single file.
        builtin: it comes with aeplug itself.
        load: imports it and returns its module.
    """

    name: str
    origin: str
    version: str
    builtin: bool
    load: Callable[[], Any]


def installed() -> Iterator[Found]:
    """Plug-ins of the entry-point group ``aeplug``: aeplug's own first, then by distribution."""

    def order(entry_point: importlib.metadata.EntryPoint) -> tuple[bool, str, str]:
        home = entry_point.dist.name if entry_point.dist else ""
        return home != DISTRIBUTION, home, entry_point.name

    # A distribution found twice on sys.path (checkout and installation) yields each twice.
    unique = {(e.name, e.value): e for e in importlib.metadata.entry_points(group=GROUP)}
    for entry_point in sorted(unique.values(), key=order):
        distribution = entry_point.dist
        home = distribution.name if distribution else "unknown"
        version = distribution.version if distribution else ""
        origin = f"{home} {version}".strip()
        yield Found(
            entry_point.name, origin, version, home == DISTRIBUTION, partial(_loaded, entry_point)
        )


def _loaded(entry_point: importlib.metadata.EntryPoint) -> Any:
    with isolate_errors():
        return entry_point.load()


def single_files(folder: Path) -> Iterator[Found]:
    """The ``*.py`` of a folder, by name; private files and tests are none.

    Raises:
        PluginError: there is no such folder.
    """
    if not folder.is_dir():
        raise PluginError(f"plug-in folder '{folder}' does not exist or is not a folder")
    for path in sorted(folder.glob("*.py")):
        if is_plugin_file(path.name):
            yield Found(path.stem, str(path), "", False, partial(import_file, path))


def is_plugin_file(name: str) -> bool:
    """Whether a file of this name, in a folder of plug-ins, is one: not private, and no test."""
    return not name.startswith(("_", "test_", "conftest"))


def import_file(path: Path) -> Any:
    """Import a single-file plug-in under its stem, so that ``"stem:Class"`` factories work."""
    name = path.stem
    present = sys.modules.get(name)
    if present is not None:
        if Path(getattr(present, "__file__", None) or "").resolve() == path.resolve():
            return present
        raise PluginError(f"its name '{name}' is taken by another module; rename the file")
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PluginError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with isolate_errors():
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
