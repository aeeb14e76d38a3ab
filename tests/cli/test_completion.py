"""What the shell completes: commands, models, tasks, names of plug-ins, files."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from support import ROOT, command, environment

import aeplug


def complete(line: str, cwd) -> list[tuple[str, str]]:
    """Kind and value of what bash is offered for the last word of a line."""
    words = line.split(" ")
    env = environment(
        _AEPLUG_COMPLETE="bash_complete", COMP_WORDS=line, COMP_CWORD=str(len(words) - 1)
    )
    code = (
        "import atexit, sys\n"
        "atexit.register(lambda: print('torch' in sys.modules, file=sys.stderr))\n"
        "sys.argv = ['aeplug']\n"
        "from aeplug.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, cwd=cwd, capture_output=True, text=True
    )
    assert done.stderr == "False\n", "completion does not wait for torch"
    pairs = [line.partition(",") for line in done.stdout.splitlines()]
    return [(kind, value) for kind, _, value in pairs]


@pytest.fixture
def folder(tmp_path):
    for name in ("runs/mine", "runs/other", "elsewhere/run"):
        (tmp_path / name / "checkpoints").mkdir(parents=True)
    (tmp_path / "runs" / "no-run").mkdir()
    return tmp_path


def values(line, cwd):
    return [value for kind, value in complete(line, cwd) if kind == "plain"]


def test_models_are_tasks_with_weights_and_runs(folder):
    offered = values("aeplug sample ", folder)
    assert {"mnist-vae", "melody-2bar", "runs/mine", "runs/other"} <= set(offered)
    untrained = {task["name"] for task in aeplug.tasks() if not task["weights"]}
    assert not untrained & set(offered)
    assert "runs/no-run" not in offered
    assert values("aeplug evaluate runs/m", folder) == ["runs/mine"]
    assert values("aeplug embed elsewhere/", folder) == ["elsewhere/run"]


def test_where_no_model_begins_so_it_is_a_folder(folder):
    assert complete("aeplug sample elsewhere", folder) == [("dir", "elsewhere")]


def test_tasks(folder):
    offered = values("aeplug train mnist", folder)
    assert {"mnist-vae", "mnist-30"} <= set(offered) and "melody-2bar" not in offered
    assert values("aeplug train --help-task melody-1", folder) == ["melody-16bar"]


@pytest.mark.parametrize(
    "line",
    [
        "aeplug reconstruct mnist-vae sev",
        "aeplug interpolate mnist-vae a.png b",
        "aeplug vary mnist-vae sev",
        "aeplug embed mnist sev",
        "aeplug transcribe hum",
        "aeplug play out",
    ],
)
def test_inputs_are_files(folder, line):
    assert [kind for kind, _ in complete(line, folder)] == ["file"]


def test_names_of_plug_ins_and_options(folder):
    assert values("aeplug fit-prior mnist --kind gm", folder) == ["gmm"]
    assert "--temperature" in values("aeplug sample mnist --temp", folder)


def test_each_shell_of_the_page_gets_its_script():
    page = (ROOT / "docs" / "how-to" / "completion.md").read_text(encoding="utf-8")
    shells = re.findall(r"_AEPLUG_COMPLETE=(\w+)_source aeplug", page)
    assert shells == ["bash", "zsh", "fish"]
    for shell in shells:
        env = environment(_AEPLUG_COMPLETE=f"{shell}_source")
        done = subprocess.run(command(), env=env, capture_output=True, text=True, check=True)
        assert f"_AEPLUG_COMPLETE={shell}_complete" in done.stdout


def test_settings_are_not_completed_as_the_page_says(folder):
    assert values("aeplug train mnist-vae --set la", folder) == []
