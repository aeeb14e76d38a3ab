"""``aeplug plugins new``: what it writes works as it is; what it refuses, and why."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support import assert_one_line_error, environment, one_object

KINDS = ("image", "sequence", "parts", "observer")
#: As long as a name may be: every line that holds it must still fit.
LONG = "a-name-of-twenty-eight-chars"


@pytest.fixture
def made(invoke, tmp_path):
    """``made("waves", "--kind", "image")``: the folder it wrote into, and the result."""

    def call(*arguments: object):
        result = invoke("plugins", "new", *arguments, "--out", tmp_path / "made")
        return tmp_path / "made", result

    before = list(sys.path)
    yield call
    sys.path[:] = before
    for name in list(sys.modules):
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def linted(folder: Path) -> None:
    if shutil.which("ruff") is None and not (Path(sys.executable).parent / "ruff").exists():
        return
    ruff = shutil.which("ruff") or str(Path(sys.executable).parent / "ruff")
    rules = "E,F,W,I,B,UP,SIM,RUF,C4,PT,PIE,RET,D"
    ignored = "D100,D103,D105,D107,D203,D213"
    command = [ruff, "check", "--isolated", "--no-cache", "--line-length", "100"]
    command += ["--select", rules, "--ignore", ignored, "--per-file-ignores", "test_*.py:D"]
    done = subprocess.run([*command, "."], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    done = subprocess.run(
        [ruff, "format", "--isolated", "--no-cache", "--line-length", "100", "--diff", "."],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_listed_clean_and_found(made, invoke, kind):
    folder, result = made(LONG, "--kind", kind)
    assert result.code == 0, result.err
    project = folder / LONG
    module = LONG.replace("-", "_")
    written = {path for path in project.rglob("*") if path.is_file()}
    assert {Path(line) for line in result.out.splitlines()} == written
    assert {project / "pyproject.toml", project / "README.md"} <= written
    assert {project / module / "__init__.py", project / "tests" / f"test_{module}.py"} <= written
    for path in written:
        assert "$" not in path.read_text(encoding="utf-8").replace("```sh", ""), path
    assert f"aeplug plugins check {project}" in result.err
    linted(project)
    checked = invoke(
        "plugins", "check", project, "--only", "loading", "--only", "imports", "--json"
    )
    assert checked.code == 0, checked.err
    outcomes = one_object(checked.out)["checks"]
    assert {outcome["subject"] for outcome in outcomes} == {f"plug-in {LONG}"}
    assert {outcome["status"] for outcome in outcomes} == {"ok"}


@pytest.mark.parametrize("kind", KINDS)
def test_single_file_is_one_clean_file_that_passes(made, invoke, kind):
    folder, result = made("one-file", "--kind", kind, "--single-file")
    assert result.code == 0, result.err
    (path,) = [path for path in folder.rglob("*") if path.is_file()]
    assert path.name == "one_file.py"
    linted(folder)
    quick = [f"--only={name}" for name in ("loading", "parts", "shapes", "gradients", "observer")]
    checked = invoke("plugins", "check", path, *quick, "--json")
    outcomes = one_object(checked.out)["checks"]
    assert {outcome["status"] for outcome in outcomes} == {"ok"}, outcomes


def test_single_file_trains_resumes_and_samples(made, invoke, tmp_path):
    folder, _ = made("my-discs", "--single-file")
    run, out = tmp_path / "run", tmp_path / "out"
    steps = ("--steps", 4, "--set", "train.batch_size=16")
    result = invoke("train", "my-discs", *steps, "--run", run, "--plugins-dir", folder)
    assert result.code == 0, result.err
    again = ("train", "my-discs", "--run", run, "--resume", "--steps", 6)
    assert invoke("--plugins-dir", folder, *again).code == 0
    result = invoke("--plugins-dir", folder, "sample", run, "-n", 2, "--out", out)
    assert result.code == 0, result.err
    assert len(list(out.glob("sample-*.png"))) == 2


def run_its_tests(project: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=project,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_its_tests_pass_as_written(made):
    folder, _ = made("my-runs", "--kind", "sequence")
    # The two that take seconds to begin are those of the next test.
    output = run_its_tests(folder / "my-runs", "-k", "not processes and not compiling")
    assert "11 passed" in output


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_all_its_tests_pass_as_written(made, kind):
    folder, _ = made("my-own", "--kind", kind)
    output = run_its_tests(folder / "my-own")
    assert "skipped" not in output


class TestRefusals:
    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("My-Signals", "expected lower case letters and digits"),
            ("2waves", "expected lower case letters"),
            ("a--b", "expected lower case letters"),
            ("../up", "expected lower case letters"),
            ("wäves", "expected lower case letters"),
            ("a" * 29, "longer than 28 characters"),
            ("tiny-vae", "a task is called 'tiny-vae' already"),
            ("image", "a plug-in is called 'image' already"),
            ("elbo", "a loss is called 'elbo' already"),
            ("test-waves", "a file 'test_waves.py' would be taken for a test"),
            ("class", "a word of Python"),
            ("json", "a module is called 'json' already"),
            ("numpy", "a module is called 'numpy' already"),
            ("aeplug-image", "a module is called 'aeplug_image' already"),
        ],
    )
    def test_name_that_will_not_do(self, made, name, reason):
        folder, result = made(name)
        assert result.code == 1
        assert_one_line_error(result.err, reason)
        assert not folder.exists()

    def test_nothing_is_overwritten(self, made):
        folder, _ = made("my-waves")
        module = folder / "my-waves" / "my_waves" / "__init__.py"
        module.write_text("mine", encoding="utf-8")
        _, result = made("my-waves")
        assert result.code == 1
        assert_one_line_error(result.err, "my-waves exists already; nothing was written")
        assert module.read_text(encoding="utf-8") == "mine"
        made("my-file", "--single-file")
        _, result = made("my-file", "--single-file")
        assert_one_line_error(result.err, "my_file.py exists already")

    def test_unknown_kind_lists_the_kinds(self, made):
        _, result = made("my-waves", "--kind", "sound")
        assert result.code == 2
        assert "'image', 'sequence', 'parts', 'observer'" in result.err

    def test_folder_that_cannot_be_written_is_one_line(self, invoke, tmp_path):
        (tmp_path / "file").write_text("x", encoding="utf-8")
        result = invoke("plugins", "new", "my-waves", "--out", tmp_path / "file" / "below")
        assert result.code == 1
        assert_one_line_error(result.err, "cannot be written")
