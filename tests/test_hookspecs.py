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

from aeplug import hookspecs
from aeplug.plugins import COLLECTED, HOOKS, Plugins
from aeplug.specs import RunEvent

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
        assert not _imports(path) & packages, path
        text = path.read_text(encoding="utf-8")
        for package in packages:
            assert f'"{package}' not in text and f"'{package}" not in text, path


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
