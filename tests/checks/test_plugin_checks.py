"""Checks of a whole plug-in: by name or by path, its parts, its observer, its commands."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aeplug.checks.plugin import examine_plugin
from aeplug.errors import PluginError
from aeplug.plugins import Plugins
from aeplug.testing import CheckFailed, check_plugin

HEAD = "from aeplug.plugins.specs import *\nfrom aeplug import hookimpl\n"
LOSS = HEAD + "@hookimpl\ndef aeplug_losses():\n    yield LossSpec('{name}', '{factory}')\n"
EVENT = HEAD + "@hookimpl\ndef aeplug_run_event(event):\n    {body}\n"
COMMAND = (
    HEAD + "import click\n@hookimpl\ndef aeplug_commands(cli):\n"
    "    @cli.command({name!r})\n    def command():\n        {body}\n"
)
FAKE_LOSS = "aeplug.checks.fakes:FakeLoss"


@pytest.fixture(scope="module")
def built_in() -> Plugins:
    return Plugins(only_builtin=True)


@pytest.fixture
def plugin_file(tmp_path: Path) -> Iterator[Callable[[str, str], Path]]:
    """``plugin_file("name", source)``; its module is forgotten afterwards."""
    before, path = set(sys.modules), list(sys.path)

    def write(name: str, source: str) -> Path:
        file = tmp_path / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source, encoding="utf-8")
        return file

    yield write
    sys.path[:] = path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.mark.parametrize(
    ("source", "check", "found"),
    [
        ("def aeplug_losses():\n    return []\n", "loading", "lacks the decorator @hookimpl"),
        (HEAD + "@hookimpl\ndef aeplug_loses():\n    return []\n", "loading", "'aeplug_losses'"),
        ("raise ValueError('no luck')", "loading", "ValueError: no luck"),
        (LOSS.format(name="x", factory="no_such_module:X"), "parts", "ModuleNotFoundError"),
        (LOSS.format(name="x", factory="broken_parts:PlainConfigLoss"), "parts", "PlainConfig"),
        (LOSS.format(name="x", factory="broken_parts:Vector"), "loss", "shape (8,)"),
        (LOSS.format(name="x", factory="math:floor"), "parts", "in fake-vectors"),
        (EVENT.format(body="open(event.metrics['mse'])"), "observer", "KeyError: 'mse' (wrong"),
        (EVENT.format(body="raise SystemExit(2)"), "observer", "SystemExit"),
        (COMMAND.format(name="train", body="pass"), "commands", "aeplug's 'train' again"),
    ],
)
def test_what_is_wrong_fails_its_check(plugin_file, built_in, source, check, found):
    path = plugin_file("wrong", source)
    only = {"loss": ["loss"]}.get(check, ["loading", "parts", "observer", "commands", "building"])
    with pytest.raises(CheckFailed) as caught:
        check_plugin(path, plugins=built_in, only=only)
    outcome = caught.value.report.of(check)
    failures = [o for o in caught.value.report.failures if o.check == check]
    assert failures, str(caught.value)
    assert found in failures[0].found
    assert outcome.section == f"docs/plugins/checking.md#{check}"


def test_torch_at_the_top_is_a_failure_of_a_package_and_none_of_a_file(plugin_file, built_in):
    source = "import torch\n" + LOSS.format(name="heavy-loss", factory=FAKE_LOSS)
    file = plugin_file("heavy_file", source)
    report = check_plugin(file, plugins=built_in, only=["imports"])
    assert report.of("imports").status == "ok"
    package = plugin_file("heavy_package/__init__", source).parent
    report = examine_plugin(package, plugins=built_in, only=["imports"])
    assert report.of("imports").status == "failed"
    assert "imports no torch" in report.of("imports").expected
    assert "torch on import" in report.of("imports").found


def test_torch_in_a_hook_is_a_failure_too(plugin_file, built_in):
    source = HEAD + "@hookimpl\ndef aeplug_losses():\n    import torch\n    return []\n"
    package = plugin_file("late/__init__", source).parent
    report = examine_plugin(package, plugins=built_in, only=["imports"])
    assert "torch in its hooks" in report.of("imports").found


def test_slow_import_is_a_warning_with_its_seconds(plugin_file, built_in, monkeypatch):
    monkeypatch.setattr("aeplug.checks.loading.SLOW_IMPORT_SECONDS", 0.2)
    source = "import time\ntime.sleep(0.3)\n" + LOSS.format(name="late-loss", factory=FAKE_LOSS)
    report = check_plugin(plugin_file("sluggish", source), plugins=built_in, only=["imports"])
    assert report.of("imports").status == "warning"
    assert report.of("imports").found.startswith("0.")


def test_observer_that_prints_is_a_warning(plugin_file, built_in):
    path = plugin_file("chatty", EVENT.format(body="print('step', event.step)"))
    report = check_plugin(path, plugins=built_in)
    assert report.of("observer").status == "warning"
    assert "'step 0" in report.of("observer").found


def test_observer_hears_every_kind_of_event_and_its_files_are_named(plugin_file, built_in):
    body = "import pathlib; pathlib.Path(event.run, 'kinds.txt').write_text(event.kind)"
    report = check_plugin(plugin_file("writer", EVENT.format(body=body)), plugins=built_in)
    assert report.of("observer").text == "5 events, wrote kinds.txt"


def test_command_without_a_word_of_help_is_a_warning(plugin_file, built_in):
    path = plugin_file("silent", COMMAND.format(name="whisper", body="pass"))
    report = check_plugin(path, plugins=built_in)
    assert report.of("commands").status == "warning"
    good = plugin_file("loud", COMMAND.format(name="shout", body="'''Say it loudly.'''"))
    assert check_plugin(good, plugins=built_in).of("commands").text == "shout"


class TestParts:
    def test_loose_part_is_tried_in_the_first_task_that_will_do(self, plugin_file, built_in):
        path = plugin_file(
            "pixels", LOSS.format(name="mse-again", factory="aeplug_image.nets.losses:MSELoss")
        )
        report = check_plugin(path, plugins=built_in, only=["building", "loss"])
        assert report.outcomes[-1].subject == "loss mse-again in fake-pixels"
        assert report.outcomes[-1].status == "ok"

    def test_the_task_can_be_named_and_set(self, plugin_file, built_in):
        path = plugin_file("named", LOSS.format(name="fake-again", factory=FAKE_LOSS))
        options = {"task": "fake-tokens", "settings": {"latent.size": 3}, "only": ["shapes"]}
        report = check_plugin(path, plugins=built_in, **options)
        assert report.outcomes[-1].subject == "loss fake-again in fake-tokens"
        assert "(3)" in report.outcomes[-1].text

    def test_parts_of_a_task_are_not_tried_apart(self, plugin_file, built_in):
        source = LOSS.format(name="own-loss", factory=FAKE_LOSS) + (
            "@hookimpl\ndef aeplug_tasks():\n"
            "    yield TaskSpec('own', 'a task', dataset='fake-vectors', encoder='fake',\n"
            "        decoder='fake', loss='own-loss', prepare='aeplug.checks.fakes:FakePrepare')\n"
        )
        report = check_plugin(plugin_file("whole", source), plugins=built_in, only=["loss"])
        assert [outcome.subject for outcome in report.outcomes] == ["task own"]


class TestFinding:
    @pytest.fixture
    def project(self, plugin_file, tmp_path) -> Path:
        """A project whose module lies under src."""
        source = LOSS.format(name="src-loss", factory=FAKE_LOSS)
        plugin_file("project/src/hidden_module/__init__", source)
        folder = tmp_path / "project"
        text = '[project]\nname = "x"\n[project.entry-points.aeplug]\nhidden = "hidden_module"\n'
        (folder / "pyproject.toml").write_text(text, encoding="utf-8")
        return folder

    def test_project_is_found_by_its_entry_points(self, project, built_in):
        report = check_plugin(project, plugins=built_in, only=["loading", "imports"])
        assert {outcome.subject for outcome in report.outcomes} == {"plug-in hidden"}
        assert report.of("loading").text == "loss src-loss"

    def test_project_without_entry_points_says_what_is_missing(self, project, built_in):
        (project / "pyproject.toml").write_text('[project]\nname = "x"\n', encoding="utf-8")
        with pytest.raises(PluginError, match=r"names no plug-in; .*project.entry-points.aeplug"):
            check_plugin(project, plugins=built_in)

    def test_damaged_project_is_one_line(self, project, built_in):
        (project / "pyproject.toml").write_text("[project", encoding="utf-8")
        with pytest.raises(PluginError, match="cannot be read"):
            check_plugin(project, plugins=built_in)

    def test_project_whose_module_is_not_there(self, project, built_in):
        text = (project / "pyproject.toml").read_text(encoding="utf-8")
        (project / "pyproject.toml").write_text(text.replace("hidden_m", "other_m"))
        report = examine_plugin(project, plugins=built_in)
        assert "its module 'other_module' is neither in" in report.of("loading").found

    def test_folder_of_files_is_all_of_them(self, plugin_file, tmp_path, built_in):
        for name in ("first", "second"):
            plugin_file(f"many/{name}", LOSS.format(name=f"{name}-loss", factory=FAKE_LOSS))
        report = check_plugin(tmp_path / "many", plugins=built_in, only=["loading"])
        assert [o.subject for o in report.outcomes] == ["plug-in first", "plug-in second"]

    def test_nothing_there(self, tmp_path, built_in):
        with pytest.raises(PluginError, match="Did you mean 'image'"):
            check_plugin("imag", plugins=built_in)
        with pytest.raises(PluginError, match="holds no plug-in: expected a folder"):
            check_plugin(tmp_path, plugins=built_in)

    def test_built_in_is_found_by_name(self, built_in):
        report = check_plugin("core", plugins=built_in, only=["loading", "imports", "parts"])
        assert {outcome.subject for outcome in report.outcomes} == {"plug-in core"}
