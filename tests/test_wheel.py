"""What is shipped: built, inspected, installed where no checkout is in sight."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import zipfile
from pathlib import Path

import pytest
from support import ROOT, build_wheel, clean_python, environment

pytestmark = pytest.mark.skipif(
    not (ROOT / "pyproject.toml").is_file() or importlib.util.find_spec("hatchling") is None,
    reason="needs the checkout and hatchling",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def names(wheel) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_every_module_and_no_test_is_in_it(names):
    shipped = [ROOT / "aeplug", *(p for p in (ROOT / "plugins").glob("aeplug_*") if p.is_dir())]
    for package in shipped:
        for path in package.rglob("*.py"):
            relative = path.relative_to(package.parent).as_posix()
            assert relative in names, f"{relative} is missing"
    assert not [name for name in names if "test" in Path(name).name and name.endswith(".py")]
    assert not [name for name in names if name.startswith(("plugins/", "tests/", "benchmarks/"))]


def test_templates_of_new_plug_ins_are_in_it(names):
    templates = (ROOT / "aeplug" / "cli" / "scaffold" / "templates").rglob("*.template")
    expected = {path.relative_to(ROOT).as_posix() for path in templates}
    assert len(expected) > 10
    assert expected <= names


def test_types_licence_and_entry_points_are_in_it(names, wheel):
    assert "aeplug/py.typed" in names
    assert [name for name in names if name.endswith(".dist-info/licenses/LICENSE")]
    with zipfile.ZipFile(wheel) as archive:
        (path,) = [name for name in names if name.endswith("entry_points.txt")]
        text = archive.read(path).decode()
    assert "[aeplug]" in text and "core = aeplug.plugins.builtin" in text
    assert "image = aeplug_image" in text and "aeplug = aeplug.cli:main" in text


def test_data_is_in_it(names):
    data = {path.relative_to(ROOT / "data").as_posix() for path in (ROOT / "data").rglob("*.gz")}
    assert len(data) == 4
    patterns = {f"patterns/{path.name}" for path in (ROOT / "data/patterns").glob("*.drums")}
    assert len(patterns) == 49
    for name in data | patterns | {"patterns/README.md", "folk_tunes.zip", "README.md"}:
        assert f"aeplug/bundled/{name}" in names


def test_weights_are_in_it_if_there_are_any(names):
    for folder in (ROOT / "plugins").glob("aeplug_*/weights/*"):
        if (folder / "config.json").is_file():
            inside = folder.relative_to(ROOT / "plugins").as_posix()
            assert f"{inside}/config.json" in names
            assert f"{inside}/model.safetensors" in names


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The python of an empty venv with the wheel, beside the packages present here."""
    return clean_python(tmp_path_factory.mktemp("venv"), wheel)


def run(python: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    env = environment()
    env.pop("PYTHONPATH", None)
    return subprocess.run(
        [str(python), *arguments], cwd=cwd, env=env, capture_output=True, text=True, timeout=120
    )


@pytest.mark.skipif(not importlib.util.find_spec("pip"), reason="needs pip")
def test_installed_program_lists_the_built_in_tasks(installed, tmp_path):
    code = "import aeplug, aeplug_image; print(aeplug.__file__)"
    where = run(installed, "-c", code, cwd=tmp_path)
    assert Path(where.stdout.strip()).is_relative_to(installed.parent.parent), where.stderr
    done = run(installed, "-m", "aeplug", "tasks", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    tasks = json.loads(done.stdout)["tasks"]
    assert {"mnist", "mnist-vae"} <= {task["name"] for task in tasks}
    for task in tasks:
        if task["weights"]:
            assert task["plugin"] in ("image", "music", "denoise", "superres", "audio")
    script = installed.with_name("aeplug")
    help_ = subprocess.run([str(script), "--help"], cwd=tmp_path, capture_output=True, text=True)
    assert "Usage: aeplug" in help_.stdout


@pytest.mark.skipif(not importlib.util.find_spec("pip"), reason="needs pip")
def test_installed_data_is_found_and_read(installed, tmp_path):
    code = (
        "from aeplug.data import find_bundled; from aeplug.plugins import active\n"
        "print(find_bundled('mnist'))\n"
        "factory = active().find('dataset', 'mnist').load()\n"
        "print(len(factory(factory.Config()).split('test')))"
    )
    done = run(installed, "-c", code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    place, count = done.stdout.split()
    assert Path(place).is_relative_to(installed.parent.parent)
    assert count == "10000"
