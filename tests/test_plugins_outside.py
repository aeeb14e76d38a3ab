"""Plug-ins of strangers: installed as such where no checkout is in sight, used as a user would."""

from __future__ import annotations

import csv
import importlib.util
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support import ROOT, TESTS, build_wheel, clean_python, environment, one_object

OUTSIDE = TESTS / "plugins_outside"
PROJECTS = sorted(path.parent for path in OUTSIDE.glob("*/pyproject.toml"))

pytestmark = pytest.mark.skipif(
    not (ROOT / "pyproject.toml").is_file()
    or not all(map(importlib.util.find_spec, ("hatchling", "pip"))),
    reason="needs the checkout, hatchling and pip",
)

Run = Callable[..., subprocess.CompletedProcess[str]]

#: A few quick steps, whatever the task's own training would be.
QUICK = (
    *("--precision", "fp32", "--set", "train.batch_size=16", "--set", "train.eval_items=16"),
    *("--set", "train.optimizer=adamw", "--steps", "4"),
)


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    wheels = [
        build_wheel(tmp_path_factory.mktemp("dist"), project) for project in (ROOT, *PROJECTS)
    ]
    return clean_python(tmp_path_factory.mktemp("venv"), *wheels)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("user")


@pytest.fixture(scope="module")
def aeplug(python, folder) -> Run:
    """``aeplug("tasks")`` as installed there, in a folder of the user's own."""

    def run(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(python), "-m", "aeplug", *map(str, arguments)],
            cwd=folder,
            env={k: v for k, v in environment().items() if k != "PYTHONPATH"},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == code, done.stderr[-2000:]
        return done

    return run


def test_there_are_three_of_three_kinds():
    assert [path.name for path in PROJECTS] == [
        "aeplug-csv-log",
        "aeplug-extra-parts",
        "aeplug-sensors",
    ]


def test_new_modality_takes_at_most_60_lines_of_python():
    files = list((OUTSIDE / "aeplug-sensors").rglob("*.py"))
    lines = [line for path in files for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(files) >= 2 and len([line for line in lines if line.strip()]) <= 60


def test_installed_they_are_listed_with_what_they_bring(aeplug, python):
    listed = one_object(aeplug("plugins", "--json").stdout)["plugins"]
    found = {plugin["name"]: plugin for plugin in listed}
    assert found["sensors"]["origin"] == "aeplug-sensors 1.2.0"
    assert found["sensors"]["hook_version"] == 1
    assert found["sensors"]["provides"]["task"] == ["sensors"]
    assert found["extra-parts"]["provides"] == {"decoder": ["dictionary"], "loss": ["focal"]}
    assert found["csv-log"]["hooks"] == ["aeplug_run_event"]
    assert {plugin["status"] for plugin in listed} == {"ok"}
    assert all(plugin["notes"] == [] for plugin in listed)
    home = python.parent.parent
    assert all(Path(plugin["location"]).is_relative_to(home) for plugin in listed)


def test_sensors_train_resume_sample_rebuild_and_find_the_faults(aeplug, folder):
    aeplug("train", "sensors", "--run", "s", "--steps", 60)
    begun = aeplug("train", "sensors", "--run", "s", "--resume", "--steps", 150)
    assert "going on at step 60" in begun.stderr
    aeplug("sample", "s", "-n", 2, "--seed", 1, "--out", "drawn")
    aeplug("reconstruct", "s", "drawn", "--out", "rebuilt")
    for place in ("drawn", "rebuilt"):
        assert len(list((folder / place).glob("sample-00*.npy"))) == 2
    figures = one_object(aeplug("evaluate", "s", "--json").stdout)
    assert figures["faults"] > 100
    assert figures["auroc"] > 0.85

    with (folder / "s" / "events.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    kinds = [row["event"] for row in rows]
    assert (kinds[0], kinds[-1]) == ("started", "finished")
    assert kinds.count("started") == 2  # two sittings, one file
    lines = (folder / "s" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    held_out = [r for r in map(json.loads, lines) if r["split"] == "val"]
    told = [r for r in rows if (r["event"], r["figure"]) == ("evaluated", "loss")]
    assert [int(r["step"]) for r in told] == [r["step"] for r in held_out]
    assert float(told[-1]["value"]) == pytest.approx(held_out[-1]["loss"], rel=1e-5)


@pytest.mark.parametrize(
    ("task", "more"),
    [("mnist", ["encoder=mlp"]), ("melody-2bar", ["encoder.hidden=32"])],
)
def test_parts_of_strangers_serve_built_in_tasks(aeplug, folder, task, more):
    chosen = ["loss=focal", "decoder=dictionary", "decoder.atoms=32", "loss.gamma=2", *more]
    settings = [argument for setting in chosen for argument in ("--set", setting)]
    aeplug("train", task, *settings, *QUICK, "--run", task)
    header = json.loads((folder / task / "checkpoints" / "last" / "config.json").read_text())
    assert header["plugins"]["extra-parts"] == "aeplug-extra-parts 0.3.0"
    assert header["config"]["decoder"] == {"name": "dictionary", "atoms": 32}
    assert header["config"]["loss"]["gamma"] == 2
    assert (folder / task / "reconstructions.png").stat().st_size > 1000
    if task == "melody-2bar":
        assert (folder / task / "samples.png").stat().st_size > 1000
        few = ("--items", 40, "--samples", 0)
        figures = one_object(aeplug("evaluate", task, *few, "--json").stdout)
        assert figures["windows"] == 40 and figures["focal_nats"] > 0
    # Left out, the run says what it needs.
    error = aeplug("--block", "extra-parts", "evaluate", task, code=1).stderr.splitlines()[-1]
    assert "needs the plug-in 'extra-parts' (aeplug-extra-parts 0.3.0)" in error
    assert "blocked here: --block" in error
