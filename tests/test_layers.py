"""Imports go down the layers: in the engine, between plug-ins, from plug-ins to the engine."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

#: The rooms of the engine from the ground up; a file imports its own room and those before it.
ROOMS = (
    *("errors", "_version"),
    *("runtime", "plugins"),
    *("config", "interfaces"),
    *("data", "latents"),
    "model",
    *("priors", "evaluation", "checks"),
    *("training", "inference"),
    *("steering", "jobs", "plots"),
    "api",
    "cli",
    *("testing", "__main__"),
)
#: What each built-in plug-in may import of the others.
PLUGINS = {
    "aeplug_image": (),
    "aeplug_denoise": ("aeplug_image",),
    "aeplug_superres": ("aeplug_image",),
    "aeplug_audio": (),
    "aeplug_music": ("aeplug_audio",),
    "aeplug_priors": (),
}
#: Modules of the engine that are public although they are no folder.
PUBLIC_MODULES = ("aeplug", "aeplug.errors")


def module_name(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> Iterator[tuple[int, str, str]]:
    """Line, module and name of each import, those in functions and for type checkers too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, ""
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            for alias in node.names:
                yield node.lineno, node.module or "", alias.name


def is_module(dotted: str, root: Path) -> bool:
    path = root.joinpath(*dotted.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def target_of(module: str, name: str, root: Path) -> str:
    """The module that an import reaches: ``from aeplug import api`` reaches ``aeplug.api``."""
    dotted = f"{module}.{name}"
    return dotted if name and is_module(dotted, root) else module


ENGINE = sorted((ROOT / "aeplug").rglob("*.py"))


def test_every_room_of_the_engine_is_in_the_table():
    rooms = {
        path.stem
        for path in (ROOT / "aeplug").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    assert rooms == {*ROOMS, "__init__"}
    assert len(list((ROOT / "aeplug").iterdir())) <= 24  # with py.typed and a cache of Python's


def test_the_page_on_the_architecture_has_the_same_layers():
    page = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    table = page[page.index("## The layers") : page.index("**The rule**")]
    named = [name.removesuffix(".py") for name in re.findall(r"\[`([\w.]+)/?`\]", table)]
    assert named == [room for room in ROOMS if room[0] != "_" and room != "errors"]


def test_imports_of_the_engine_go_down():
    upward = []
    for path in ENGINE:
        module = module_name(path, ROOT)
        if module == "aeplug":
            continue
        room = ROOMS.index(module.split(".")[1])
        for line, source, name in imports_of(path):
            target = target_of(source, name, ROOT)
            if target.split(".")[0] != "aeplug":
                continue
            parts = target.split(".")
            if len(parts) == 1 or ROOMS.index(parts[1]) > room:
                upward.append(f"{path.relative_to(ROOT)}:{line} imports {target}")
    assert upward == []


def circles(modules: dict[str, set[str]]) -> list[str]:
    """Modules that reach themselves, found by taking away those that import none of the rest."""
    left = {name: targets & set(modules) - {name} for name, targets in modules.items()}
    while free := [name for name, targets in left.items() if not targets & set(left)]:
        for name in free:
            del left[name]
    # What is left is in a circle or leads to one.
    while outer := [name for name in left if not any(name in left[other] for other in left)]:
        for name in outer:
            del left[name]
    return sorted(left)


@pytest.mark.parametrize("root", ["aeplug", *(f"plugins/{name}" for name in PLUGINS)])
def test_no_circle_of_modules(root):
    base = ROOT / root
    top = base.parent
    graph: dict[str, set[str]] = {}
    for path in base.rglob("*.py"):
        if path.name == "__init__.py":
            continue  # a face exports what lies below it; who imports a module does not use it
        graph[module_name(path, top)] = {
            target_of(source, name, top) for _, source, name in imports_of(path)
        }
    assert circles(graph) == []


def test_the_engine_never_imports_a_plug_in():
    wrong = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in ENGINE
        for line, source, _ in imports_of(path)
        if source.split(".")[0] in {*PLUGINS, "plugins"}
    ]
    assert wrong == []


def test_plug_ins_import_only_what_is_exported():
    """By a folder of the engine, or by a module of another plug-in."""
    private = []
    for path in sorted((ROOT / "plugins").rglob("*.py")):
        plugin = path.relative_to(ROOT / "plugins").parts[0]
        for line, source, name in imports_of(path):
            owner = source.split(".")[0]
            if owner == plugin or owner not in {"aeplug", *PLUGINS}:
                continue
            is_folder = (ROOT.joinpath(*source.split(".")) / "__init__.py").is_file()
            if (
                not name
                or not (source in PUBLIC_MODULES or is_folder or owner in PLUGINS)
                or name not in getattr(import_module(source), "__all__", ())
            ):
                private.append(f"{path.relative_to(ROOT)}:{line}: {source}.{name}")
    assert private == []


def test_plug_ins_import_each_other_as_the_table_says():
    assert set(PLUGINS) == {p.name for p in (ROOT / "plugins").iterdir() if p.is_dir()} - {
        "__pycache__"
    }
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {source}"
        for plugin, others in PLUGINS.items()
        for path in (ROOT / "plugins" / plugin).rglob("*.py")
        for line, source, _ in imports_of(path)
        if source.split(".")[0] in {*PLUGINS} - {plugin, *others}
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "package",
    [
        "aeplug",
        *sorted(
            f"aeplug.{p.parent.name}"
            for p in ENGINE
            if p.parent.parent.name == "aeplug" and p.name == "__init__.py"
        ),
    ],
)
def test_what_is_exported_is_there_and_says_what_it_is(package):
    module = import_module(package)
    assert module.__doc__
    for name in getattr(module, "__all__", ()):
        value = getattr(module, name)
        if inspect.isclass(value) or (inspect.isroutine(value) and not package.endswith(".cli")):
            assert value.__doc__, f"{package}.{name} has no docstring"


def test_no_file_is_longer_than_400_lines_and_small_ones_say_why():
    long, crumbs = [], []
    for path in [*ENGINE, *sorted((ROOT / "plugins").rglob("*.py"))]:
        lines = path.read_text(encoding="utf-8").splitlines()
        if len(lines) > 400:
            long.append(f"{path.relative_to(ROOT)}: {len(lines)}")
        if len(lines) < 35 and path.name != "__init__.py":
            first = (ast.get_docstring(ast.parse("\n".join(lines))) or "").partition("\n\n")[0]
            if not any(mark in first for mark in (" so that ", "no torch", "python -m")):
                crumbs.append(f"{path.relative_to(ROOT)}: {len(lines)}")
    assert long == []
    assert crumbs == []
