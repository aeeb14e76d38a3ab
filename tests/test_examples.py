"""What a package exports has an example in its docstring, and every example runs.

An example may use ``aeplug``, ``torch``, ``nn``, ``np``, ``Path``; what its module defines; what
``aeplug.interfaces``, its own package and those around it export; and ``model``, the trained
``mnist-vae``. It imports the rest. It runs alone, seeded, in an empty folder, without a network.
"""

from __future__ import annotations

import doctest
import inspect
import re
import socket
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support import ROOT
from torch import nn

import aeplug
from aeplug.plugins import current

MODULES = {
    ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
    for root in (ROOT, ROOT / "plugins")
    for path in sorted(root.glob("aeplug*/**/*.py"))
    if "scaffold" not in path.parts
}
#: Packages, and a few modules, that say what they export.
FACES = [
    name
    for name, path in MODULES.items()
    if re.search(r"^__all__\b", path.read_text(encoding="utf-8"), re.MULTILINE)
]


def needs_example(value: Any) -> bool:
    """Functions and classes of the project do, but for exceptions that are a name alone."""
    if not (inspect.isfunction(value) or inspect.isclass(value)):
        return False
    if value.__module__ not in MODULES:
        return False  # what click makes of an option
    return not (isinstance(value, type) and issubclass(value, Exception)) or (
        "__init__" in vars(value)
    )


@cache
def names_around(module: str) -> dict[str, Any]:
    """What examples of a module may use without importing it."""
    names: dict[str, Any] = {
        "aeplug": aeplug,
        "torch": torch,
        "nn": nn,
        "np": np,
        "Path": Path,
    }
    parts = module.split(".")
    for face in ("aeplug.interfaces", *(".".join(parts[: n + 1]) for n in range(len(parts)))):
        if face in FACES:
            exports = import_module(face)
            names |= {name: getattr(exports, name) for name in exports.__all__}
    own = vars(import_module(module)).items()
    return names | {n: value for n, value in own if getattr(value, "__module__", "") == module}


def find_examples() -> dict[str, doctest.DocTest]:
    """All docstrings with examples, each once, by the name of what they are of."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    return {
        test.name: test
        for name, path in MODULES.items()
        if ">>> " in path.read_text(encoding="utf-8")
        for test in finder.find(import_module(name), name, globs=names_around(name))
        if test.examples
    }


EXAMPLES = find_examples()


@pytest.mark.parametrize("package", FACES)
def test_what_is_exported_has_an_example(package):
    face = import_module(package)
    exported = {name: getattr(face, name) for name in face.__all__}
    missing = [
        name
        for name, value in exported.items()
        if needs_example(value) and f"{value.__module__}.{value.__qualname__}" not in EXAMPLES
    ]
    assert missing == []


@pytest.mark.parametrize("package", FACES)
def test_dir_lists_what_is_exported(package):
    face = import_module(package)
    assert set(face.__all__) <= set(dir(face))


@pytest.mark.parametrize("test", EXAMPLES.values(), ids=EXAMPLES)
def test_the_example_runs(test, tmp_path, monkeypatch):
    def refuse(*arguments: object) -> None:
        raise AssertionError("an example reaches for the network")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr("sys.argv", ["aeplug"])
    monkeypatch.setattr(current, "_active", current.active())  # so that it is put back
    monkeypatch.setenv("AEPLUG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "100")
    test.globs["model"] = aeplug.load("mnist-vae", device="cpu")
    torch.manual_seed(0)
    runner = doctest.DocTestRunner(
        optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS, verbose=False
    )
    report: list[str] = []
    runner.run(test, out=report.append)
    assert runner.tries > 0
    assert runner.failures == 0, "".join(report)
