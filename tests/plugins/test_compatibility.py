"""Old plug-ins in a new engine, new ones in an old, and checkpoints of other versions."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pluggy
import pytest
import torch
from support import OTHERS, ROOT, TESTS, TINY, warnings_about

from aeplug import HOOK_VERSION, __version__, api, hookimpl
from aeplug.errors import CheckpointError
from aeplug.model import checkpoint
from aeplug.plugins import Plugins, hookspecs
from aeplug.plugins.compatibility import differences
from aeplug.plugins.specs import RunEvent
from aeplug.plugins.validation import HOOKS

HEAD = "from aeplug.plugins.specs import *\nfrom aeplug import hookimpl\n"
LOSS = HEAD + "@hookimpl\ndef aeplug_losses():\n    return [LossSpec('good-loss', 'math:pi')]\n"
WATCHER = HEAD + "@hookimpl\ndef aeplug_run_event(event):\n    pass\n"


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Callable[..., Plugins]]:
    """``load({"name": source})``: plug-ins of a folder beside the built-in ones of images."""
    folder = tmp_path / "plug-ins"
    folder.mkdir()

    def call(sources: dict[str, str], **options: Any) -> Plugins:
        for name, source in sources.items():
            (folder / f"{name}.py").write_text(source, encoding="utf-8")
        return Plugins([folder], block=OTHERS, **options)

    yield call
    for path in folder.glob("*.py"):
        sys.modules.pop(path.stem, None)


def named(plugins: Plugins, name: str) -> Any:
    return next(plugin for plugin in plugins.plugins if plugin.name == name)


class TestHookVersion:
    def test_of_today_is_taken_and_kept(self, load):
        found = named(
            load({"current": f"aeplug_hook_version = {HOOK_VERSION}\n" + LOSS}), "current"
        )
        assert (found.status, found.hook_version) == ("ok", HOOK_VERSION)

    def test_nothing_said_is_nothing_needed(self, load):
        found = named(load({"silent": LOSS}), "silent")
        assert (found.status, found.hook_version) == ("ok", None)

    def test_newer_one_is_named_before_a_hook_that_is_unknown_here(self, load, capsys):
        source = f"aeplug_hook_version = {HOOK_VERSION + 1}\n" + HEAD
        source += "@hookimpl\ndef aeplug_samplers():\n    return []\n"
        assert named(load({"ahead": source}), "ahead").status == "broken"
        (line,) = warnings_about(capsys.readouterr().err, "ahead")
        assert f"needs hook version {HOOK_VERSION + 1}, aeplug {__version__} has" in line
        assert "pip install --upgrade aeplug" in line and "aeplug_samplers" not in line

    @pytest.mark.parametrize("text", ["'1'", "0", "-1", "True", "1.0", "(1, 0)"])
    def test_what_is_no_whole_number_is_refused(self, load, capsys, text):
        assert named(load({"odd": f"aeplug_hook_version = {text}\n" + LOSS}), "odd").status != "ok"
        (line,) = warnings_about(capsys.readouterr().err, "odd")
        assert "expected a whole number from 1" in line


def authors() -> list[Any]:
    """Modules of all plug-ins there are: built-in, of the tests, of strangers."""
    modules = [importlib.import_module(e) for e in ("aeplug.plugins.builtin", "aeplug_image")]
    plugins = Plugins([TINY])
    modules += [m for _, m in plugins.manager.list_name_plugin() if m not in modules]
    paths = [str(project.parent) for project in TESTS.glob("plugins_outside/*/pyproject.toml")]
    sys.path[:0] = paths
    try:
        for name in ("aeplug_sensors", "aeplug_extra_parts", "aeplug_csv_log"):
            modules.append(importlib.import_module(name))
    finally:
        del sys.path[: len(paths)]
    return modules


@pytest.mark.parametrize("hook", HOOKS)
def test_an_argument_added_to_a_hook_breaks_no_implementation(hook, tmp_path):
    """The hook as it would be with one more, called with it: everyone answers as before."""
    today = getattr(hookspecs, hook)
    given: dict[str, Any] = {}
    if hook == "aeplug_run_event":
        given["event"] = RunEvent("started", str(tmp_path), "tiny", 0)
    if hook == "aeplug_commands":
        given["cli"] = click.Group("aeplug")
    assert set(given) == set(inspect.signature(today).parameters)

    space: dict[str, Any] = {}
    exec(f"def {hook}({', '.join([*given, 'tomorrow'])}): ...", space)
    answers = []
    for spec, more in ((today, {}), (hookspecs.hookspec(space[hook]), {"tomorrow": 7})):
        manager = pluggy.PluginManager(hookspecs.PROJECT)
        manager.add_hookspecs(type("Specs", (), {hook: staticmethod(spec)}))
        modules = authors()
        for module in modules:
            manager.register(module)
        called = getattr(manager.hook, hook)
        assert called.get_hookimpls(), "nobody implements it: nothing is tested"
        results = called(**given, **more)
        answers.append([list(r) if isinstance(r, Iterator) else r for r in results])
    assert answers[0] == answers[1]


def test_an_implementation_may_take_the_new_argument_when_it_is_there(monkeypatch):
    heard = []

    class Modern:
        @hookimpl
        def aeplug_run_event(self, event, run_folder):
            heard.append((event.step, run_folder))

    def aeplug_run_event(event, run_folder):
        """As it might be."""

    monkeypatch.setattr(hookspecs, "aeplug_run_event", hookspecs.hookspec(aeplug_run_event))
    plugins = Plugins([TINY])
    plugins.manager.register(Modern())
    plugins.manager.hook.aeplug_run_event(
        event=RunEvent("saved", "runs/x", "tiny", 3), run_folder="runs/x"
    )
    assert heard == [(3, "runs/x")]


class TestDeprecation:
    @pytest.fixture
    def deprecated(self, monkeypatch):
        """The engine as it would be with this hook, and this argument, on their way out."""

        def mark(**how: Any) -> None:
            def aeplug_run_event(event, run=None):
                """As before."""

            marked = hookspecs.hookspec(**how)(aeplug_run_event)
            monkeypatch.setattr(hookspecs, "aeplug_run_event", marked)

        return mark

    @pytest.mark.parametrize("of", ["hook", "argument"])
    def test_one_line_names_the_replacement_and_python_is_told(
        self, load, capsys, deprecated, of, tmp_path
    ):
        old = "hook aeplug_run_event" if of == "hook" else "argument 'event' of aeplug_run_event"
        text = f"implements the {old}, deprecated: implement aeplug_told instead"
        warning = DeprecationWarning(text)
        if of == "hook":
            deprecated(warn_on_impl=warning)
        else:
            deprecated(warn_on_impl_args={"event": warning})
        with pytest.warns(DeprecationWarning, match="aeplug_told instead") as caught:
            plugins = load({"old_hand": WATCHER})
        assert {Path(one.filename) for one in caught} == {tmp_path / "plug-ins" / "old_hand.py"}
        (line,) = warnings_about(capsys.readouterr().err, "old_hand")
        assert line.endswith(f"old_hand.py) {text}")
        found = named(plugins, "old_hand")
        assert (found.status, found.notes) == ("ok", [text])
        plugins.announce(RunEvent("started", "runs/x", "mnist", 0))
        assert warnings_about(capsys.readouterr().err, "old_hand") == []

    def test_nobody_else_is_warned(self, load, capsys, deprecated):
        deprecated(warn_on_impl=DeprecationWarning("gone soon"))
        load({"sound": LOSS})  # a warning would be an error here
        assert capsys.readouterr().err == ""


class TestCheckpointOfAnotherVersion:
    @pytest.fixture
    def rewritten(self, trained, tmp_path) -> Callable[..., Path]:
        """A copy of the trained checkpoint whose header is changed."""

        def make(plugins: dict[str, str], **settings: Any) -> Path:
            folder = tmp_path / "copy"
            shutil.copytree(trained / "checkpoints" / "last", folder)
            path = folder / "config.json"
            header = json.loads(path.read_text(encoding="utf-8"))
            header["plugins"].update(plugins)
            for key, value in settings.items():
                header["config"]["encoder"][key] = value
            path.write_text(json.dumps(header), encoding="utf-8")
            return folder

        return make

    def refused(self, folder: Path, plugins: Plugins) -> str:
        with pytest.raises(CheckpointError) as caught:
            api.load(folder, device="cpu", plugins=plugins)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    def test_missing_distribution_is_named_to_pip(self, rewritten):
        folder = rewritten({"tiny": "their-package 1.2"})
        text = self.refused(folder, Plugins())
        assert "needs the plug-in 'tiny' (their-package 1.2), which is not loaded" in text
        assert "pip install 'their-package==1.2'" in text and str(folder) in text

    def test_missing_file_is_asked_for_by_folder(self, trained):
        text = self.refused(trained, Plugins())
        assert f"needs the plug-in 'tiny' ({TINY / 'tiny.py'})" in text
        assert "name the folder of its file by --plugins-dir" in text and "pip" not in text

    def test_blocked_or_broken_one_says_so_instead(self, trained, tmp_path, capsys, monkeypatch):
        blocked = self.refused(trained, Plugins([TINY], block=["tiny"]))
        assert "which is blocked here: --block" in blocked
        (tmp_path / "tiny.py").write_text("1 / 0")
        monkeypatch.delitem(sys.modules, "tiny")
        broken = self.refused(trained, Plugins([tmp_path]))
        assert "which is broken here: ZeroDivisionError: division by zero" in broken
        capsys.readouterr()

    def test_older_plug_in_with_other_settings_says_what_to_install(self, rewritten, plugins):
        folder = rewritten({"core": "aeplug 9.0"}, of_tomorrow=1)
        text = self.refused(folder, plugins)
        assert "no setting is called 'encoder.of_tomorrow'" in text
        assert f"here it is the older aeplug {__version__}: pip install 'aeplug>=9.0'" in text

    def test_newer_plug_in_with_other_settings_says_what_to_install(self, rewritten, plugins):
        folder = rewritten({"core": "aeplug 0.0.9"}, of_yesterday=1)
        text = self.refused(folder, plugins)
        assert f"here it is the newer aeplug {__version__}: pip install 'aeplug==0.0.9'" in text

    def test_newer_plug_in_with_other_weights_says_what_to_install(self, rewritten, plugins):
        folder = rewritten({"core": "aeplug 0.0.9"})
        header = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        checkpoint.save(folder, header, torch.nn.Linear(2, 2))
        text = self.refused(folder, plugins)
        assert "does not fit the model" in text and "pip install 'aeplug==0.0.9'" in text

    def test_older_plug_in_that_fits_is_a_warning(self, rewritten, plugins, capsys):
        api.load(rewritten({"core": "aeplug 9.0"}), device="cpu", plugins=plugins)
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("aeplug: warning: ") and "the older aeplug" in line

    @pytest.mark.parametrize("version", ["0.0.1", __version__])
    def test_newer_or_same_plug_in_that_fits_is_silent(self, rewritten, plugins, capsys, version):
        api.load(rewritten({"core": f"aeplug {version}"}), device="cpu", plugins=plugins)
        assert capsys.readouterr().err == ""

    def test_damage_is_not_put_down_to_versions(self, rewritten, plugins):
        folder = rewritten({"core": "aeplug 0.0.9"})
        weights = folder / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-4])
        text = self.refused(folder, plugins)
        assert "damaged" in text and "pip install" not in text

    @pytest.mark.parametrize(
        ("origin", "kind"),
        [
            ("aeplug 0.1", None),  # the same numbers
            ("aeplug 0.1.0rc1", "other"),
            ("aeplug 0.1.0.1", "older"),
            ("aeplug 0.10.0", "older"),
            ("aeplug 0.0.99", "newer"),
            ("another 0.1.0", "other"),
            ("/home/a b 3/plugin.py", None),
        ],
    )
    def test_order_of_versions(self, plugins, monkeypatch, origin, kind):
        core = next(p for p in plugins.plugins if p.name == "core")
        monkeypatch.setattr(core, "origin", "aeplug 0.1.0")
        found = differences({"plugins": {"core": origin}}, plugins)
        assert [one.kind for one in found] == ([kind] if kind else [])

    def test_resuming_says_it_too(self, make_training, tmp_path, invoke):
        run = tmp_path / "run"
        make_training({"train.epochs": 1}, run).run()
        path = run / "checkpoints" / "last" / "config.json"
        header = json.loads(path.read_text(encoding="utf-8"))
        header["plugins"]["core"] = "aeplug 9.0"
        header["config"]["encoder"]["of_tomorrow"] = 1
        path.write_text(json.dumps(header), encoding="utf-8")
        result = invoke("train", "tiny-vae", "--run", run, "--resume", "--epochs", 2)
        assert result.code == 1 and "pip install 'aeplug>=9.0'" in result.err


def test_the_matrix_tries_the_oldest_versions_that_are_admitted_and_the_newest():
    if not (ROOT / "Makefile").is_file() or sys.version_info < (3, 11):
        pytest.skip("needs the checkout and tomllib")
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    oldest = dict(text.split(">=") for text in project["dependencies"] if ">=" in text)
    (line,) = re.findall(r"^MATRIX .*= (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    expected = [f"pluggy~={oldest['pluggy']}.0", "pluggy", f"torch~={oldest['torch']}.0", "torch"]
    assert line.split() == expected
    workflow = (ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
    assert f'pins: "{expected[0]}"' in workflow and 'pins: "pluggy"' in workflow
