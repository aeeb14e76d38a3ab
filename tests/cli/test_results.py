"""What a command says of its results: the path on stdout, or JSON; picture and advice on stderr."""

from __future__ import annotations

import errno
import itertools
import shlex
from pathlib import Path

import pytest
from support import TINY, aeplug, assert_one_line_error, one_object


@pytest.fixture
def commands(trained, trained_plain, tiny_file, tmp_path):
    """Commands that write results, each with the keys of its JSON object beside model and task."""
    a, b = tiny_file("a"), tiny_file("b", [[1, 2, 3, 4]])
    out = tmp_path / "out"
    return {
        "sample": (["sample", trained, "-n", 2, "--out", out], {"files", "picture"}),
        "vary": (["vary", trained, a, "-n", 2, "--out", out], {"files", "picture"}),
        "interpolate": (
            ["interpolate", trained, a, b, "--steps", 2, "--out", out],
            {"files", "picture"},
        ),
        "map": (["map", trained, "--grid", 2, "--out", out], {"pictures"}),
        "embed": (["embed", trained, "--out", tmp_path / "z.npz"], {"path", "rows"}),
        "reconstruct": (
            ["reconstruct", trained, a, b, "--out", out, "--sheet", tmp_path / "s.png"],
            {"path", "done", "failed", "picture"},
        ),
        "compare-pca": (
            ["compare-pca", trained, "--out", tmp_path / "curve.png"],
            {"picture", "pca_mse"},
        ),
        "export": (["export", trained, "--out", out], {"path"}),
    }


NAMES = ("sample", "vary", "interpolate", "map", "embed", "reconstruct", "compare-pca", "export")


@pytest.mark.parametrize("name", NAMES)
def test_json_is_one_object_that_names_what_was_written(invoke, commands, trained, name):
    command, keys = commands[name]
    result = invoke(*command, "--json")
    assert result.code == 0, result.err
    report = one_object(result.out)
    assert keys <= set(report)
    assert report["model"] == str(trained)
    paths = [report.get("path"), report.get("picture")]
    paths += [*report.get("files", []), *report.get("pictures", [])]
    paths = [path for path in paths if path]
    assert paths and all(Path(path).exists() for path in paths)


@pytest.mark.parametrize("name", ["sample", "vary", "interpolate", "map", "reconstruct"])
def test_the_picture_is_named_on_stderr_and_its_path_alone_on_stdout(invoke, commands, name):
    command, _ = commands[name]
    result = invoke(*command)
    assert result.code == 0, result.err
    for line in result.out.splitlines():
        assert f"picture: {line}" in result.err.splitlines()
        assert Path(line).exists()


@pytest.mark.parametrize("name", ["sample", "vary", "interpolate", "map", "embed", "compare-pca"])
def test_results_are_replaced_only_with_overwrite(invoke, commands, name):
    command, _ = commands[name]
    assert invoke(*command).code == 0
    refused = invoke(*command)
    assert refused.code == 1 and refused.out == ""
    assert_one_line_error(refused.err, "is there already; give --overwrite to replace it")
    assert invoke(*command, "--overwrite").code == 0


def test_sample_says_what_is_next(invoke, commands, trained):
    result = invoke(*commands["sample"][0])
    first = commands["sample"][0][-1] / "sample-001.tiny"
    assert f"next: aeplug vary {trained} {first} --out variations" in result.err


def test_what_is_next_works_as_it_is_typed(trained, tmp_path):
    command = ("--plugins-dir", TINY, "--block", "music", "sample", trained, "-n", 1)
    done = aeplug(*command, "--out", "my samples", cwd=tmp_path)
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("next: aeplug ")]
    words = shlex.split(line.removeprefix("next: aeplug "))
    assert words[:4] == ["--plugins-dir", str(TINY), "--block", "music"]
    done = aeplug(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_full_disk_says_how_to_go_on(invoke, trained, tmp_path, monkeypatch):
    from aeplug.plugins import active, load_attribute

    codec = load_attribute(active().find("codec", "tiny").factory)
    write, count = codec.write, itertools.count()

    def write_three(self, document, stem, options):
        if next(count) >= 3:
            raise OSError(errno.ENOSPC, "No space left on device", str(stem))
        return write(self, document, stem, options)

    monkeypatch.setattr(codec, "write", write_three)
    sample = ("sample", trained, "-n", 5, "--out", tmp_path / "out")
    result = invoke(*sample)
    said = "No space left on device; 3 files of 5 written. Make room, and run the same command with"
    assert_one_line_error(result.err, said)
    monkeypatch.setattr(codec, "write", write)
    assert invoke(*sample, "--overwrite").code == 0


def test_train_says_what_is_next_and_speaks_json(invoke, tmp_path):
    run = tmp_path / "run"
    result = invoke("train", "tiny-vae", "--steps", 2, "--run", run, "--json")
    assert result.code == 0, result.err
    assert f"next: aeplug sample {run} --out samples" in result.err
    report = one_object(result.out)
    assert (report["task"], report["path"]) == ("tiny-vae", str(run))
    assert report["metrics"]["step"] == 2 and report["metrics"]["loss"] > 0
    assert set(report["checkpoints"]) == {"best", "last"}
    assert all(Path(picture).exists() for picture in report["pictures"])


def test_stopped_under_torchrun_the_hint_names_torchrun(monkeypatch):
    import click

    from aeplug.cli.output import resume_command

    class FakeRun:
        task, folder = "tiny-vae", Path("runs/a b")

    with click.Context(click.Command("aeplug")):
        assert resume_command(FakeRun, "auto") == "aeplug train tiny-vae --run 'runs/a b' --resume"
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
        monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
        monkeypatch.setenv("WORLD_SIZE", "2")
        assert resume_command(FakeRun, "cpu") == (
            "torchrun --nproc-per-node 2 -m -- aeplug train tiny-vae --run 'runs/a b' --resume "
            "--device cpu"
        )
