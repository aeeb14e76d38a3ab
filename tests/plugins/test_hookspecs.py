"""The hooks: documented, exercised, rare; and the core knows no plug-in."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import click
import pytest
from support import ROOT, TINY, environment

from aeplug.plugins import Plugins, hookspecs
from aeplug.plugins.specs import RunEvent
from aeplug.plugins.validation import COLLECTED, HOOKS

HOOK_FUNCTIONS = {
    name: value
    for name, value in vars(hookspecs).items()
    if name.startswith("aeplug_") and inspect.isfunction(value)
}


def test_the_engine_knows_every_hook():
    assert set(HOOKS) == set(HOOK_FUNCTIONS)


@pytest.mark.parametrize("name", HOOK_FUNCTIONS)
def test_every_hook_has_an_example_that_is_python_and_implements_it(name):
    text = inspect.getdoc(HOOK_FUNCTIONS[name])
    assert text is not None and "Example::" in text
    example = inspect.cleandoc(text.split("Example::", 1)[1])
    (function,) = ast.parse(example).body
    assert isinstance(function, ast.FunctionDef)
    assert function.name == name
    assert [decorator.id for decorator in function.decorator_list] == ["hookimpl"]
    # pluggy 1.6 and 1.7 treat defaults differently: no example may teach them.
    assert function.args.defaults == [] and function.args.kwonlyargs == []


@pytest.mark.parametrize("name", COLLECTED)
def test_every_example_of_a_spec_makes_that_spec(name):
    import aeplug

    text = inspect.getdoc(HOOK_FUNCTIONS[name])
    space: dict = dict(vars(aeplug))
    exec(inspect.cleandoc(text.split("Example::", 1)[1]), space)
    found = list(space[name]())
    assert found and all(type(spec) is COLLECTED[name] for spec in found)


def test_the_tests_plug_in_exercises_every_hook():
    plugins = Plugins([TINY])
    called = set()
    undo = plugins.manager.add_hookcall_monitoring(
        lambda name, impls, kwargs: called.update({name} if impls else ()), lambda *rest: None
    )
    plugins.add_commands(click.Group("aeplug"))
    plugins.collect()
    plugins.announce(RunEvent("started", "runs/x", "tiny", 0))
    undo()
    assert called == set(HOOK_FUNCTIONS)
    (tiny,) = [plugin for plugin in plugins.plugins if plugin.name == "tiny"]
    assert set(tiny.hooks) == set(HOOK_FUNCTIONS)
    assert tiny.status == "ok"


def test_no_hook_is_called_in_a_step(make_training, tmp_path, plugins):
    """A training twice as long calls no hook more often."""
    counts = []
    for steps in (50, 100):
        settings = {
            "train.steps": steps,
            "train.eval_every": 1000,
            "train.save_every": 1000,
            "train.log_every": 1000,
        }
        training = make_training(settings, tmp_path / str(steps))
        calls: list[str] = []
        undo = plugins.manager.add_hookcall_monitoring(
            lambda name, impls, kwargs, calls=calls: calls.append(name), lambda *rest: None
        )
        training.run()
        undo()
        assert set(calls) == {"aeplug_run_event"}
        counts.append(len(calls))
    # started, logged, evaluated, saved twice (best, last), finished; one observer
    assert counts == [6, 6]


def test_no_hook_is_called_between_the_steps_that_report(make_training, tmp_path, plugins):
    """Which steps hooks are called at, by one's own count of steps."""
    settings = {"train.steps": 30, "train.log_every": 10, "train.eval_every": 15}
    training = make_training({**settings, "train.save_every": 30}, tmp_path / "run")
    step, calls = training._step, []
    done = 0

    def counted():
        nonlocal done
        done += 1
        return step()

    training._step = counted
    undo = plugins.manager.add_hookcall_monitoring(
        lambda name, impls, kwargs: calls.append(done), lambda *rest: None
    )
    training.run()
    undo()
    assert done == 30
    assert set(calls) == {0, 10, 15, 20, 30}


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add((node.module or "").split(".")[0])
    return found


def test_the_core_imports_no_plug_in():
    packages = {path.name for path in (ROOT / "plugins").iterdir() if path.is_dir()}
    assert "aeplug_image" in packages
    for path in (ROOT / "aeplug").rglob("*.py"):
        assert not _imports(path) & (packages | {"plugins"}), path
        text = path.read_text(encoding="utf-8")
        for package in packages:
            for mark in (".", ":"):
                assert f'"{package}{mark}' not in text, path


def private_names(source: str) -> list[str]:
    """Private names of aeplug that a source uses, however it comes by them."""
    found = []
    modules: dict[str, str] = {}  # what a name here stands for

    def private(dotted: str) -> bool:
        return any(p.startswith("_") and not p.endswith("__") for p in dotted.split("."))

    def ours(dotted: str) -> bool:
        return dotted.split(".")[0] == "aeplug"

    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if ours(alias.name):
                    modules[alias.asname or "aeplug"] = alias.name if alias.asname else "aeplug"
                    found += [alias.name] * private(alias.name)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and ours(node.module or ""):
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                modules[alias.asname or alias.name] = full
                found += [full] * private(full)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            parts = [node.attr]
            inner = node.value
            while isinstance(inner, ast.Attribute):
                parts.append(inner.attr)
                inner = inner.value
            if isinstance(inner, ast.Name) and inner.id in modules:
                full = ".".join([modules[inner.id], *reversed(parts)])
                found += [full] * private(full)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            path = node.value.replace(":", ".")
            if ours(path) and path.replace(".", "").isidentifier():
                found += [path] * private(path)
    return found


@pytest.mark.parametrize(
    "source",
    [
        "from aeplug.config import _factory",
        "from aeplug.config import _factory as factory",
        "import aeplug._secret",
        "import aeplug.config\naeplug.config._factory()",
        "from aeplug import config\nconfig._factory",
        "import aeplug.config as c\nc._factory",
        "from aeplug.plugins import Plugins\nPlugins._call",
        "'aeplug.config:_factory'",
    ],
)
def test_a_private_name_is_found(source):
    assert private_names(source)


def test_what_is_public_or_ones_own_is_not_taken_for_one():
    assert not private_names(
        "import aeplug\nfrom aeplug import config\nfrom aeplug_image.nets.mlp import _layers\n"
        "aeplug.__version__\nself._x\nconfig.PartConfig\n'aeplug.data.arrays:PrepareArrays'"
    )


PLUG_INS = sorted(
    path
    for folder in (ROOT / "plugins", ROOT / "tests" / "plugins_outside")
    for path in folder.rglob("*.py")
)


def test_no_plug_in_uses_a_private_name_of_the_engine():
    assert {"aeplug_image", "aeplug_sensors"} <= {path.parent.name for path in PLUG_INS}
    found = {path: private_names(path.read_text(encoding="utf-8")) for path in PLUG_INS}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "package", sorted(p.name for p in (ROOT / "plugins").iterdir() if (p / "__init__.py").exists())
)
def test_built_in_plug_ins_import_nothing_heavy_when_loaded(package):
    code = (
        f"import sys, importlib; module = importlib.import_module({package!r})\n"
        "[list(getattr(module, n)()) for n in dir(module) if n.startswith('aeplug_') "
        "and n not in ('aeplug_commands', 'aeplug_run_event') and callable(getattr(module, n))]\n"
        "heavy = {'torch', 'numpy', 'librosa', 'matplotlib', 'pretty_midi', 'symusic', 'PIL'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(PYTHONPATH=str(ROOT / "plugins")),
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "[]", done.stderr
