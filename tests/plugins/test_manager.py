"""Plug-ins: found, isolated, blocked, and named when something is wrong with them."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from support import (
    OTHERS,
    ROOT,
    aeplug,
    assert_one_line_error,
    environment,
    one_object,
    warnings_about,
)

from aeplug.errors import PluginError
from aeplug.plugins import Plugins
from aeplug.plugins.specs import RunEvent

HEAD = "from aeplug.plugins.specs import *\nfrom aeplug import hookimpl\n"
GOOD = HEAD + "@hookimpl\ndef aeplug_losses():\n    return [LossSpec('good-loss', 'math:pi')]\n"
TASK = (
    HEAD
    + "@hookimpl\ndef aeplug_tasks():\n"
    + "    yield TaskSpec('{name}', 'again', dataset='d', encoder='e', decoder='d', loss='l',"
    + " codec='c', prepare='p:P', weights={weights!r})\n"
)

#: name -> source, what the reason says. Each must be set aside alone, in one line.
BROKEN: dict[str, tuple[str, str]] = {
    "raises_on_import": ("raise ValueError('no\\nluck')", "ValueError: no luck"),
    "missing_import": ("import no_such_package", "No module named 'no_such_package'"),
    "syntax_error": ("def (", "SyntaxError"),
    "exits_on_import": ("raise SystemExit(3)", "SystemExit: 3"),
    "exits_quietly": ("import sys\nsys.exit()", "SystemExit"),
    "recursion": ("def f():\n    f()\nf()", "RecursionError"),
    "raises_in_hook": (
        HEAD + "@hookimpl\ndef aeplug_tasks():\n    raise KeyError('x')\n",
        "KeyError: 'x'",
    ),
    "raises_late_in_hook": (
        HEAD + "@hookimpl\ndef aeplug_losses():\n"
        "    yield LossSpec('half-loss', 'math:pi')\n    1 / 0\n",
        "ZeroDivisionError",
    ),
    "exits_in_hook": (
        HEAD + "@hookimpl\ndef aeplug_tasks():\n    raise SystemExit\n",
        "SystemExit",
    ),
    "returns_text": (
        HEAD + "@hookimpl\ndef aeplug_tasks():\n    return 'mnist'\n",
        "aeplug_tasks gave str 'mnist', expected to yield TaskSpecs",
    ),
    "returns_number": (
        HEAD + "@hookimpl\ndef aeplug_tasks():\n    return 5\n",
        "aeplug_tasks gave int 5, expected to yield TaskSpecs",
    ),
    "returns_other_spec": (
        HEAD + "@hookimpl\ndef aeplug_tasks():\n    yield LossSpec('x', 'y:z')\n",
        "aeplug_tasks gave LossSpec",
    ),
    "nameless_spec": (
        HEAD + "@hookimpl\ndef aeplug_losses():\n    yield LossSpec(None, 'y:z')\n",
        "LossSpec",
    ),
    "summary_missing": (
        HEAD + "@hookimpl\ndef aeplug_losses():\n    yield LossSpec('x', 'y:z', None)\n",
        "aeplug_losses gave LossSpec without name or summary",
    ),
    "odd_option": (
        HEAD + "@hookimpl\ndef aeplug_codecs():\n"
        "    o = OptionSpec('size', 'path', 1, 'help')\n"
        "    yield CodecSpec('x', 'y:z', options=(o,))\n",
        "ValueError: option 'size' has type 'path'",
    ),
    "misspelt_hook": (
        HEAD + "@hookimpl\ndef aeplug_encoder():\n    return []\n",
        "no hook 'aeplug_encoder'. Did you mean 'aeplug_encoders'?",
    ),
    "forgot_hookimpl": (
        "def aeplug_tasks():\n    return []\n",
        "'aeplug_tasks' lacks the decorator @hookimpl",
    ),
    "no_hook": ("x = 1\n", "implements no hook"),
    "wrong_argument": (
        HEAD + "@hookimpl\ndef aeplug_run_event(evt):\n    pass\n",
        "evt",
    ),
    "replaces_command": (
        HEAD + "@hookimpl\ndef aeplug_commands(cli):\n"
        "    @cli.command()\n    def train():\n        pass\n",
        "it replaces the command 'train'",
    ),
    "removes_command": (
        HEAD + "@hookimpl\ndef aeplug_commands(cli):\n    cli.commands.clear()\n",
        "it replaces the command",
    ),
    "raises_in_commands": (
        HEAD + "@hookimpl\ndef aeplug_commands(cli):\n    raise OSError('full')\n",
        "OSError: full",
    ),
}


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Callable[..., Plugins]]:
    """``load({"name": source}, strict=True)``: plug-ins of a folder, in this process."""
    before = set(sys.modules)

    def call(sources: dict[str, str], **options: Any) -> Plugins:
        for name, source in sources.items():
            (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
        return Plugins([tmp_path], **options)

    yield call
    for name in set(sys.modules) - before:
        if (tmp_path / f"{name}.py").exists():
            del sys.modules[name]


def use(plugins: Plugins) -> click.Group:
    """Everything the program does with plug-ins before a command runs."""
    cli = click.Group("aeplug", commands={"train": click.Command("train")})
    plugins.add_commands(cli)
    plugins.collect()
    plugins.announce(RunEvent("started", "runs/x", "mnist", 0))
    return cli


def by_name(plugins: Plugins, name: str) -> Any:
    return [plugin for plugin in plugins.plugins if plugin.name == name][-1]


def test_built_in_plug_ins_come_through_entry_points(plugins):
    for name in ("core", "image"):
        plugin = by_name(plugins, name)
        assert plugin.status == "ok"
        assert plugin.origin.startswith("aeplug ")
    assert {"mnist", "mnist-vae"} <= {task.name for task in plugins.specs("task")}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_plug_in_is_one_line_and_the_rest_works(load, capsys, name):
    source, reason = BROKEN[name]
    plugins = load({name: source, "sound": GOOD})
    cli = use(plugins)
    captured = capsys.readouterr()
    (line,) = warnings_about(captured.err, name)
    assert reason in line
    assert "is not used" in line and f"{name}.py" in line
    assert captured.out == ""
    broken = by_name(plugins, name)
    assert (broken.status, broken.provides) == ("broken", {})
    assert reason in broken.reason and "\n" not in broken.reason
    assert by_name(plugins, "sound").status == "ok"
    assert plugins.find("loss", "good-loss").name == "good-loss"
    assert plugins.task("mnist").name == "mnist"
    # What was there, and what built-in plug-ins add.
    assert set(cli.commands) == {"train", "play", "transcribe", "adapt", "continue"}


def test_nothing_of_a_broken_plug_in_is_left_over(load):
    plugins = load({"raises_late_in_hook": BROKEN["raises_late_in_hook"][0]})
    with pytest.raises(PluginError, match=r"called 'half-loss'.*not loaded: .*raises_late"):
        plugins.find("loss", "half-loss")


def test_program_works_among_many_broken_plug_ins(tmp_path):
    for name, (source, _) in BROKEN.items():
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
    chatty = GOOD.replace("good-loss", "chatty-loss").replace(
        "    return", "    print('from a hook')\n    return"
    )
    (tmp_path / "chatty.py").write_text("print('{\"tasks\": 0}')\n" + chatty, encoding="utf-8")
    env = environment(AEPLUG_PLUGINS_DIR=str(tmp_path))
    listed = aeplug("plugins", "--json", env=env)
    assert listed.returncode == 0
    found = {plugin["name"]: plugin for plugin in one_object(listed.stdout)["plugins"]}
    for name, (_, reason) in BROKEN.items():
        assert found[name]["status"] == "broken"
        assert reason in found[name]["reason"]
        assert len(warnings_about(listed.stderr, name)) == 1
    assert found["chatty"]["status"] == found["image"]["status"] == "ok"
    assert found["chatty"]["provides"] == {"loss": ["chatty-loss"]}
    assert "Traceback" not in listed.stderr
    tasks = aeplug("tasks", "--json", env=env)
    assert tasks.returncode == 0
    assert "mnist" in [task["name"] for task in one_object(tasks.stdout)["tasks"]]
    help_ = aeplug("--help", env=env)
    assert help_.returncode == 0 and " train " in help_.stdout


def test_task_with_weights_in_a_missing_package_is_listed_as_without(invoke, tmp_path):
    source = TASK.format(name="lonely", weights="no_such_package.inner:weights")
    (tmp_path / "lonely.py").write_text(source, encoding="utf-8")
    result = invoke("--plugins-dir", tmp_path, "tasks", "--json")
    sys.modules.pop("lonely", None)
    assert result.code == 0, result.err
    found = {task["name"]: task for task in one_object(result.out)["tasks"]}
    assert found["lonely"]["weights"] is False


def test_slow_plug_in_is_named_with_its_seconds(load, capsys, monkeypatch):
    monkeypatch.setattr("aeplug.plugins.manager.SLOW_IMPORT_SECONDS", 0.05)
    plugins = load({"sluggish": "import time\ntime.sleep(0.1)\n" + GOOD})
    (line,) = warnings_about(capsys.readouterr().err, "sluggish")
    assert re.search(r"took 0\.[1-9] s to load", line)
    assert by_name(plugins, "sluggish").status == "ok"
    assert by_name(plugins, "sluggish").seconds >= 0.1


def test_import_that_fails_slowly_is_timed_too(load):
    plugins = load({"late": "import time\ntime.sleep(0.1)\n1 / 0"})
    assert by_name(plugins, "late").status == "broken"
    assert by_name(plugins, "late").seconds >= 0.1


def test_stdout_can_be_asked_what_it_is_while_it_is_diverted(load, capsys):
    source = "import sys\nassert sys.stdout.writable()\nsys.stdout.flush()\n" + GOOD
    plugins = load({"careful": source})
    assert by_name(plugins, "careful").status == "ok"
    assert by_name(plugins, "careful").notes == []
    assert capsys.readouterr().out == ""


class TestDuplicates:
    def test_task_brought_twice_is_an_error_that_names_both(self, load, capsys):
        plugins = load(
            {n: TASK.format(name="twice", weights=None) for n in ("first_one", "second_one")}
        )
        plugins.collect()
        (line,) = [line for line in capsys.readouterr().err.splitlines() if "'twice'" in line]
        assert "'first_one'" in line and "'second_one'" in line
        with pytest.raises(PluginError, match=r"'first_one' .* and 'second_one' .*--block"):
            plugins.task("twice")
        assert "twice" not in [task.name for task in plugins.specs("task")]
        for name in ("first_one", "second_one"):
            (note,) = by_name(plugins, name).notes
            assert "task 'twice' is brought by 'first_one'" in note
        assert plugins.task("mnist").name == "mnist"

    def test_blocking_one_of_them_gives_the_other(self, load):
        plugins = load(
            {n: TASK.format(name="twice", weights=None) for n in ("first_one", "second_one")},
            block=["second_one"],
        )
        assert plugins.owner("task", "twice").name == "first_one"

    def test_stranger_cannot_take_over_a_built_in_task_in_silence(self, load):
        plugins = load({"thief": TASK.format(name="mnist", weights=None)})
        with pytest.raises(PluginError, match=r"task 'mnist' is brought by 'image' .* and 'thief'"):
            plugins.task("mnist")

    def test_second_plug_in_of_a_name_is_not_used(self, load, capsys):
        plugins = load({"image": GOOD})
        plugins.collect()
        assert [p.status for p in plugins.plugins if p.name == "image"] == ["ok", "broken"]
        (line,) = warnings_about(capsys.readouterr().err, "image")
        assert "its name is taken by the plug-in of aeplug" in line
        assert plugins.task("mnist").name == "mnist"

    def test_file_named_as_a_module_does_not_replace_it(self, load, capsys):
        plugins = load({"json": GOOD})
        plugins.collect()
        assert by_name(plugins, "json").status == "broken"
        assert "taken by another module; rename the file" in capsys.readouterr().err
        import json

        assert hasattr(json, "loads")


class TestObserver:
    @pytest.mark.parametrize("error", ["ValueError('no disk')", "SystemExit(9)"])
    def test_what_it_raises_is_said_once_and_ignored(self, load, capsys, error):
        source = HEAD + f"@hookimpl\ndef aeplug_run_event(event):\n    raise {error}\n"
        plugins = load({"watcher": source})
        for step in range(3):
            plugins.announce(RunEvent("logged", "runs/x", "mnist", step))
        (line,) = warnings_about(capsys.readouterr().err, "watcher")
        assert "'logged'" in line and "training goes on" in line

    def test_strict_lets_it_through(self, load):
        source = HEAD + "@hookimpl\ndef aeplug_run_event(event):\n    raise ValueError('no')\n"
        plugins = load({"watcher": source}, strict=True, block=OTHERS)
        with pytest.raises(ValueError, match="no"):
            plugins.announce(RunEvent("logged", "runs/x", "mnist", 1))

    def test_others_hear_the_event_all_the_same(self, load, capsys):
        bad = HEAD + "@hookimpl\ndef aeplug_run_event(event):\n    raise ValueError\n"
        good = HEAD + "@hookimpl\ndef aeplug_run_event(event):\n    print('heard', event.step)\n"
        plugins = load({"a_bad": bad, "b_good": good})
        plugins.announce(RunEvent("saved", "runs/x", "mnist", 5))
        captured = capsys.readouterr()
        assert "heard 5" in captured.err and captured.out == ""


class TestChoosing:
    MARKS = "import pathlib\npathlib.Path(__file__).with_suffix('.ran').touch()\n"

    def test_blocked_plug_in_is_not_even_imported(self, load, tmp_path, capsys):
        plugins = load({"marked": self.MARKS + GOOD}, block=["marked"])
        plugins.collect()
        assert not (tmp_path / "marked.ran").exists()
        assert by_name(plugins, "marked").status == "blocked"
        assert by_name(plugins, "marked").reason == "--block"
        assert warnings_about(capsys.readouterr().err, "marked") == []
        load({})
        assert (tmp_path / "marked.ran").exists()

    def test_unknown_name_to_block_is_a_warning_with_the_nearest(self, load, capsys):
        load({}, block=["imge"])
        (line,) = [ln for ln in capsys.readouterr().err.splitlines() if "imge" in ln]
        assert "no such plug-in. Did you mean 'image'?" in line

    def test_only_builtin_leaves_files_and_strangers_out(self, load, tmp_path):
        plugins = load({"marked": self.MARKS + GOOD}, only_builtin=True)
        assert not (tmp_path / "marked.ran").exists()
        assert by_name(plugins, "marked").reason == "--no-plugins"
        assert by_name(plugins, "image").status == "ok"

    def test_missing_folder_is_an_error(self, tmp_path):
        with pytest.raises(PluginError, match="does not exist or is not a folder"):
            Plugins([tmp_path / "nowhere"])

    def test_private_and_test_files_are_no_plug_ins(self, load):
        names = {"_private": "boom", "test_x": "boom", "conftest": "boom", "sound": GOOD}
        plugins = load(names)
        assert [p.name for p in plugins.plugins if p.origin.endswith(".py")] == ["sound"]

    def test_strict_raises_what_the_plug_in_raised(self, load):
        with pytest.raises(PluginError, match=r"'raises_on_import'.* ValueError: no luck"):
            load({"raises_on_import": BROKEN["raises_on_import"][0]}, strict=True, block=OTHERS)
        with pytest.raises(PluginError, match="'raises_in_hook'") as caught:
            load(
                {"raises_in_hook": BROKEN["raises_in_hook"][0]},
                block=["raises_on_import", *OTHERS],
                strict=True,
            ).collect()
        assert isinstance(caught.value.__cause__, KeyError)


class TestCommandLine:
    @pytest.fixture
    def stranger(self, tmp_path: Path) -> Path:
        """A distribution of somebody else's on the path, with a good and a bad plug-in."""
        site = tmp_path / "site"
        info = site / "stranger-1.2.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(
            "[aeplug]\nstrange = stranger_good\nodd = stranger_bad\ngone = stranger_missing\n"
        )
        (site / "stranger_good.py").write_text(TestChoosing.MARKS + GOOD)
        (site / "stranger_bad.py").write_text("raise RuntimeError('odd')")
        return site

    def listed(self, *arguments: object, env: dict[str, str]) -> dict[str, Any]:
        result = aeplug(*arguments, "plugins", "--json", env=env)
        assert result.returncode == 0, result.stderr
        return {plugin["name"]: plugin for plugin in one_object(result.stdout)["plugins"]}

    def test_installed_strangers_are_found_isolated_and_left_out(self, stranger):
        env = environment(PYTHONPATH=str(stranger))
        found = self.listed(env=env)
        assert found["strange"]["status"] == "ok"
        assert found["strange"]["origin"] == "stranger 1.2"
        assert found["strange"]["provides"] == {"loss": ["good-loss"]}
        assert found["odd"]["reason"] == "RuntimeError: odd"
        assert "stranger_missing" in found["gone"]["reason"]
        ran = stranger / "stranger_good.ran"
        ran.unlink()
        assert self.listed("--no-plugins", env=env)["strange"]["status"] == "blocked"
        assert self.listed("--block", "strange", env=env)["strange"]["status"] == "blocked"
        assert self.listed(env={**env, "AEPLUG_BLOCK": "x, strange"})["strange"]["reason"]
        assert not ran.exists()

    def test_strict_stops_the_program_with_one_line(self, stranger):
        env = environment(PYTHONPATH=str(stranger), AEPLUG_BLOCK=",".join(OTHERS))
        result = aeplug("--strict", "--block", "gone", "plugins", env=env)
        assert result.returncode == 1
        assert_one_line_error(result.stderr, "plug-in 'odd' (stranger 1.2)", "RuntimeError: odd")
        debug = aeplug("--strict", "--debug", "plugins", env=env)
        assert "Traceback" in debug.stderr and debug.returncode != 0

    def test_strict_does_not_end_with_the_plug_ins_own_exit_code(self, tmp_path):
        (tmp_path / "quits.py").write_text("raise SystemExit(0)")
        env = environment(AEPLUG_BLOCK=",".join(OTHERS))
        result = aeplug("--strict", "--plugins-dir", tmp_path, "tasks", env=env)
        assert result.returncode == 1
        assert_one_line_error(result.stderr, "quits")

    def test_folders_come_from_the_option_and_from_the_environment(self, tmp_path):
        folders = []
        for name in ("one", "two", "three"):
            folders.append(tmp_path / name)
            folders[-1].mkdir()
            source = GOOD.replace("good-loss", f"loss-{name}")
            (folders[-1] / f"plugin_{name}.py").write_text(source)
        env = environment(AEPLUG_PLUGINS_DIR=f"{folders[0]}:{folders[1]}")
        found = self.listed("--plugins-dir", folders[2], env=env)
        assert {"plugin_one", "plugin_two", "plugin_three"} <= set(found)

    def test_missing_folder_is_one_line(self, tmp_path):
        result = aeplug("--plugins-dir", tmp_path / "nowhere", "tasks")
        assert result.returncode == 1
        assert_one_line_error(result.stderr, "nowhere", "does not exist")

    def test_commands_of_plug_ins_work_and_stand_in_the_help(self, tmp_path):
        source = HEAD + (
            "@hookimpl\ndef aeplug_commands(cli):\n"
            "    @cli.command()\n    def greet():\n"
            '        """Greet."""\n        print("good day")\n'
        )
        (tmp_path / "greeter.py").write_text(source)
        env = environment(AEPLUG_PLUGINS_DIR=str(tmp_path))
        assert aeplug("greet", env=env).stdout == "good day\n"
        assert "greet" in aeplug("--help", env=env).stdout


def test_built_ins_of_the_checkout_are_the_wheels():
    # The two lists in pyproject.toml that must agree: entry points and packages.
    if sys.version_info < (3, 11):
        pytest.skip("tomllib")
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    values = project["project"]["entry-points"]["aeplug"].values()
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert {value.split(".")[0] for value in values} == {Path(path).name for path in packages}
