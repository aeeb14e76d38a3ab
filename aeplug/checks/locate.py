"""The plug-ins at a path: of a project's entry points, of a package, or of single files."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from aeplug.errors import PluginError
from aeplug.plugins.discovery import GROUP, Found, import_file, single_files
from aeplug.plugins.validation import isolate_errors


def locate_plugins(path: Path) -> list[Found]:
    """The plug-ins at a path, not loaded yet.

    Args:
        path: a folder with a ``pyproject.toml``, a package's folder, a folder of single files, or
            a single file.

    Raises:
        PluginError: there is none; the message says what was expected.
    """
    path = path.expanduser().resolve()
    if path.is_file() and path.suffix == ".py":
        return [_describe_plugin(path.stem, path, lambda: import_file(path))]
    if (path / "pyproject.toml").is_file():
        return list(_of_project(path))
    if (path / "__init__.py").is_file():
        return [_describe_plugin(path.name, path, lambda: _module(path.name, path.parent))]
    files = list(single_files(path)) if path.is_dir() else []
    if not files:
        raise PluginError(
            f"{path} holds no plug-in: expected a folder with a pyproject.toml, a package, or a "
            f".py file"
        )
    return files


def _describe_plugin(name: str, origin: Path, load: Callable[[], Any]) -> Found:
    return Found(name, str(origin), "", False, load)


def _of_project(folder: Path) -> Iterator[Found]:
    points = _entry_points(folder / "pyproject.toml")
    if not points:
        raise PluginError(
            f"{folder / 'pyproject.toml'} names no plug-in; expected, for example, "
            f'[project.entry-points.{GROUP}] with a line {folder.name} = "MODULE"'
        )
    for name, value in points.items():
        module = value.partition(":")[0].strip()
        yield _describe_plugin(name, folder, partial(_of_folder, module, folder))


def _entry_points(pyproject: Path) -> dict[str, str]:
    toml = _toml()
    if toml is None:
        raise PluginError(
            f"{pyproject} cannot be read by this Python; install the plug-in, and check it by name"
        )
    try:
        project = toml.loads(pyproject.read_text(encoding="utf-8")).get("project", {})
        points = project.get("entry-points", {}).get(GROUP, {})
        return {str(name): str(value) for name, value in points.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise PluginError(f"{pyproject} cannot be read: {error}") from error


def _toml() -> Any:
    """The standard library's reader; of Python 3.10 the one that pytest brings."""
    for name in ("tomllib", "tomli"):
        if importlib.util.find_spec(name):
            return importlib.import_module(name)
    return None


def _of_folder(name: str, folder: Path) -> ModuleType:
    """A module of a project, from its folder or from ``src`` in it."""
    first = Path(*name.split("."))
    for root in (folder / "src", folder):
        if (root / first).with_suffix(".py").is_file() or (root / first / "__init__.py").is_file():
            return _module(name, root)
    if name in sys.modules or importlib.util.find_spec(name.partition(".")[0]):
        return _module(name, folder)
    raise PluginError(f"its module '{name}' is neither in {folder} nor in {folder / 'src'}")


def _module(name: str, root: Path) -> ModuleType:
    """Import from a folder; it stays on the path, since factories are imported by name later."""
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    importlib.invalidate_caches()
    with isolate_errors():
        module = importlib.import_module(name)
    file = Path(getattr(module, "__file__", None) or "").resolve()
    if not file.is_relative_to(root):
        raise PluginError(f"its module '{name}' is that of {file}; uninstall that one, or rename")
    return module
