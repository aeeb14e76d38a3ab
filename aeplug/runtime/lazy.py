"""Lazy packages, so that start-up imports no torch: a name's module is imported on first use.

A package's ``__init__`` runs before any of its modules. Where some of them bring torch and others
must not (start-up, worker processes), the package exports its names this way: it imports them for
type checkers alone, and what it says there is where they are looked up when the program runs, as
Scientific Python's SPEC 1 has it.
"""

from __future__ import annotations

import ast
import linecache
import sys
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any


def lazy_exports(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The ``__getattr__`` and ``__dir__`` of a package (PEP 562).

    Its exports are those of ``__all__`` that it imports under ``if TYPE_CHECKING``.

    Args:
        package: its ``__name__``.
    """
    homes: dict[str, str] = {}

    def load(name: str) -> Any:
        if name in sys.modules[package].__all__:
            if not homes:
                homes.update(_find_homes(sys.modules[package]))
            return getattr(import_module(homes[name]), name)
        raise AttributeError(f"module '{package}' has no attribute '{name}'")

    def list_names() -> list[str]:
        module = sys.modules[package]
        return sorted({*vars(module), *module.__all__})

    return load, list_names


def _find_homes(module: ModuleType) -> dict[str, str]:
    """Name -> module, of what a package imports for type checkers."""
    lines = linecache.getlines(str(module.__file__), vars(module))
    return {
        alias.name: str(node.module)
        for block in ast.parse("".join(lines)).body
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
