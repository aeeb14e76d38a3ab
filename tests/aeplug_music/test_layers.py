"""The order of the folders of music and sound: every import goes down, those in functions too."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import ROOT, environment

#: Folders from the ground up; those of a line do not know one another.
LAYERS = {
    "aeplug_audio": (("files",), ("analysis", "synthesis"), ("sounds",)),
    "aeplug_music": (
        ("score",),
        ("midi", "nets", "plots"),
        ("transcription", "playback"),
        ("corpus",),
        ("melodies", "drums"),
    ),
}
#: What each plug-in may know beside itself and the engine.
NEIGHBOURS = {"aeplug_audio": set(), "aeplug_music": {"aeplug_audio"}}
#: Folders that processes at work read, which hold no torch.
LIGHT = ("aeplug_music.score", "aeplug_music.midi", "aeplug_music.corpus", "aeplug_audio.synthesis")


def modules(package: str) -> Iterator[tuple[str, Path]]:
    """Name and file of every module of a plug-in."""
    for path in sorted((ROOT / "plugins" / package).rglob("*.py")):
        name = ".".join(path.relative_to(ROOT / "plugins").with_suffix("").parts)
        yield name.removesuffix(".__init__"), path


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and module of every import of a plug-in's module."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("aeplug_"):
            yield node.lineno, str(node.module)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("aeplug_"):
                    yield node.lineno, alias.name


def rank(package: str, module: str) -> tuple[int, str]:
    """Number of the layer and the folder of a module; the package itself is above all."""
    inner = module.removeprefix(package).removeprefix(".")
    for number, folders in enumerate(LAYERS[package]):
        for folder in folders:
            if inner == folder or inner.startswith(folder + "."):
                return number, folder
    assert inner == "", f"{module} is in no layer"
    return len(LAYERS[package]), ""


@pytest.mark.parametrize("package", LAYERS)
def test_imports_go_down(package):
    wrong = []
    for module, path in modules(package):
        own = rank(package, module)
        for line, target in imports(path):
            neighbour = target.split(".")[0]
            if neighbour != package:
                ok = neighbour in NEIGHBOURS[package]
            else:
                other = rank(package, target)
                ok = other[0] < own[0] or other == own
            if not ok:
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {target}")
    assert not wrong


def test_the_ground_imports_no_torch():
    names = [name for package in LAYERS for name, _ in modules(package) if name.startswith(LIGHT)]
    heavy = "sorted({'torch', 'matplotlib'} & set(sys.modules))"
    code = f"import sys, {', '.join(names)}; print({heavy})"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
