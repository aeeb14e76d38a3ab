"""``aeplug reconstruct`` as a user meets it: real files, lists, kills, what it says."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support import TESTS, aeplug, assert_one_line_error, command, environment, tiny_environment

from aeplug_image.files.reading import Picture, read_picture
from aeplug_image.files.writing import write_picture

ENVIRONMENT = environment(AEPLUG_PLUGINS_DIR=str(TESTS / "photo_plugin"))


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A run of a fully convolutional model of colour pictures."""
    folder = tmp_path_factory.mktemp("photo") / "run"
    done = aeplug(
        *("train", "sharpen", "--steps", 1, "--run", folder),
        *("--set", "codec.tile=64", "--set", "codec.overlap=16"),
        env=ENVIRONMENT,
    )
    assert done.returncode == 0, done.stderr
    return folder


def picture(path: Path, height: int = 64, width: int = 64, channels: int = 3, kind=np.uint8):
    path.parent.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(abs(hash(path.name)) % 2**32)
    top = np.iinfo(kind).max
    pixels = draw.integers(0, top, (height, width, channels), dtype=kind, endpoint=True)
    return write_picture(Picture(pixels), path)


def entries(out: Path) -> dict[str, str]:
    lines = (out / "failed.jsonl").read_text().splitlines()
    return {Path(entry["file"]).name: entry["reason"] for entry in map(json.loads, lines)}


def results(out: Path) -> set[str]:
    return {
        path.relative_to(out).as_posix()
        for path in out.rglob("*")
        if path.is_file() and ".aeplug" not in path.parts and path.name != "failed.jsonl"
    }


def test_a_result_has_the_name_of_the_input_that_has_it(run, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    picture(folder / "palette.png")
    # A GIF cannot be written, its result is a PNG.
    Image.fromarray(np.zeros((32, 48), np.uint8)).save(folder / "palette.gif")
    for number in range(8):
        (folder / f"bad-{number}.png").write_bytes(b"no")
    done = aeplug(
        *("reconstruct", run, folder / "palette.gif", folder, "--out", out), env=ENVIRONMENT
    )
    assert read_picture(out / "palette.png").pixels.shape[:2] == (64, 64)
    assert read_picture(out / "palette-2.png").pixels.shape[:2] == (32, 48)
    (line,) = [line for line in done.stderr.splitlines() if "palette-2" in line]
    assert "palette.gif is called palette-2.png, since another input's is palette.png" in line
    assert f"and 3 more: {out / 'failed.jsonl'}" in done.stderr
    assert len(entries(out)) == 8


def test_killed_three_times_nothing_is_lost_and_nothing_twice(run, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    suffixes = (".png", ".jpg", ".webp", ".tif")
    for number in range(120):
        picture(folder / f"{number % 5}" / f"{number:03}{suffixes[number % 4]}")
    bad = [
        folder / f"{number % 5}" / f"{number:03}{suffixes[number % 4]}" for number in (7, 50, 99)
    ]
    bad[0].write_bytes(b"")
    bad[1].write_bytes(bad[1].read_bytes()[:300])
    bad[2].write_bytes(b"no picture")
    journal = out / ".aeplug" / "journal.jsonl"
    arguments = command("reconstruct", run, folder, "--out", out)
    draw = random.Random(time.time_ns())
    times: dict[Path, int] = {}
    for kill in range(3):
        process = subprocess.Popen(arguments, env=ENVIRONMENT, stderr=subprocess.DEVNULL)
        at = (kill + draw.random()) * 30
        while process.poll() is None:
            if journal.exists() and journal.read_bytes().count(b"\n") > at:
                process.send_signal(signal.SIGKILL)
                break
        process.wait()
        for path, made in times.items():
            assert path.stat().st_mtime_ns == made, "made twice"
        times = {out / name: (out / name).stat().st_mtime_ns for name in results(out)}
        for path in times:
            read_picture(path)
    assert times, "killed before anything was done"
    done = aeplug(*arguments[3:], env=ENVIRONMENT)
    assert done.returncode == 1
    assert_one_line_error(done.stderr, "3 of 120 files could not be done, reasons in", "failed")
    for path, made in times.items():
        assert path.stat().st_mtime_ns == made, "made twice"
    expected = {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")}
    assert results(out) == expected - {path.relative_to(folder).as_posix() for path in bad}
    assert set(entries(out)) == {path.name for path in bad}
    for name in results(out):
        assert read_picture(out / name).pixels.shape == (64, 64, 3)
    assert not (out / ".aeplug" / "work").exists()
    again = aeplug(*arguments[3:], env=ENVIRONMENT)
    assert "wrote 0 of 120 files" in again.stderr and "117 were done before" in again.stderr


def test_stopped_by_a_signal_it_says_so_and_goes_on(run, tmp_path):
    for number in range(200):
        picture(tmp_path / "in" / f"{number:03}.png", 96, 96)
    out = tmp_path / "out"
    arguments = command("reconstruct", run, tmp_path / "in", "--out", out)
    process = subprocess.Popen(arguments, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    while not list(out.glob("*.png")):
        time.sleep(0.001)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate()
    assert process.returncode == 128 + signal.SIGTERM
    assert said.endswith("Stopped. Run the same command to resume.\n"), said
    assert "Traceback" not in said
    before = results(out)
    assert 0 < len(before) < 200
    done = aeplug(*arguments[3:], env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    assert re.search(rf", {len(before)} (was|were) done before", done.stderr)
    assert len(results(out)) == 200


def test_pictures_come_back_as_the_files_they_were_and_each_bad_one_with_its_reason(run, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    good = {
        "grey.png": (50, 60, 1, np.uint8),
        "alpha.png": (50, 60, 4, np.uint8),
        "deep.tif": (70, 150, 3, np.uint16),
        "large.jpg": (300, 200, 3, np.uint8),
        "sub/A photo.v2.JPEG": (64, 64, 3, np.uint8),
        "b.webp": (64, 64, 3, np.uint8),
        "c.bmp": (10, 9, 3, np.uint8),
    }
    for name, (height, width, channels, kind) in good.items():
        picture(folder / name, height, width, channels, kind)
    whole = picture(tmp_path / "whole.png", 90, 90).read_bytes()
    (folder / "truncated.png").write_bytes(whole[: len(whole) // 2])
    (folder / "zero.png").touch()
    (folder / "text.tif").write_text("hello")
    (folder / "renamed.jpg").write_bytes(whole)
    bomb = bytearray(whole)
    bomb[16:24] = (30_000).to_bytes(4, "big") * 2
    (folder / "bomb.png").write_bytes(bomb)
    frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "blue")]
    frames[0].save(folder / "animated.gif", save_all=True, append_images=frames[1:])
    Image.new("CMYK", (9, 9)).save(folder / "cmyk.jpg")
    done = aeplug("reconstruct", run, folder, "--out", out, env=ENVIRONMENT)
    assert done.returncode == 1
    assert results(out) == set(good)
    for name, (height, width, channels, kind) in good.items():
        pixels = read_picture(out / name).pixels
        assert pixels.shape == (height, width, channels) and pixels.dtype == kind
    reasons = entries(out)
    for name, part in {
        "truncated.png": "is damaged",
        "zero.png": "is empty",
        "text.tif": "is not an image",
        "renamed.jpg": "is a PNG file, its suffix says JPEG",
        "bomb.png": "",
        "animated.gif": "holds 2 images",
        "cmyk.jpg": "CMYK",
    }.items():
        assert part in reasons.pop(name)
    assert not reasons
    assert len([line for line in done.stderr.splitlines() if str(folder) in line]) == 5


def test_a_large_picture_by_tiles_is_the_whole(run, tmp_path):
    path = picture(tmp_path / "a.png", 200, 333)
    whole = tmp_path / "whole"
    done = aeplug(
        *("train", "sharpen", "--steps", 1, "--run", whole, "--set", "codec.tile=4096"),
        env=ENVIRONMENT,
    )
    assert done.returncode == 0, done.stderr
    found = []
    for number, model in enumerate((run, whole)):
        out = tmp_path / str(number)
        assert aeplug("reconstruct", model, path, "--out", out, env=ENVIRONMENT).returncode == 0
        found.append(read_picture(out / "a.png").pixels.astype(int))
    assert np.abs(found[0] - found[1]).max() <= 1


@pytest.fixture
def tiny_tree(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("in/a.tiny", "in/sub/b.tiny", "other/c.tiny"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("[[1, 2, 3, 4]]")
    return tmp_path


class TestInputs:
    def test_list_on_stdin(self, trained, tiny_tree):
        for number, extra in enumerate((["-"], ["--from", "-"])):
            done = subprocess.run(
                command("reconstruct", trained, *extra, "--out", f"o{number}"),
                env=tiny_environment(),
                input=b"in/a.tiny\0in/sub/b.tiny\0",
                capture_output=True,
            )
            assert done.returncode == 0, done.stderr
            assert results(Path(f"o{number}")) == {"in/a.tiny", "in/sub/b.tiny"}

    def test_list_in_a_file_beside_arguments(self, invoke, trained, tiny_tree):
        Path("list").write_text("in/sub/b.tiny\n")
        result = invoke(
            *("reconstruct", trained, "oth*/*.tiny", "in/a.tiny", "--from", "list", "--out", "o")
        )
        assert result.code == 0, result.err
        assert results(Path("o")) == {"other/c.tiny", "a.tiny", "in/sub/b.tiny"}

    def test_nothing_named_and_nothing_found(self, invoke, trained, tiny_tree):
        result = invoke("reconstruct", trained, "--out", "o")
        assert result.code == 2
        assert_one_line_error(result.err, "Missing argument 'IN...'", "--from LIST")
        result = invoke("reconstruct", trained, "no*.tiny", "--out", "o")
        assert_one_line_error(result.err, "no*.tiny holds none of .tiny")
        result = invoke("reconstruct", trained, "--from", "no-list", "--out", "o")
        assert_one_line_error(result.err, "no-list: No such file")
        assert not Path("o").exists()
        result = invoke("reconstruct", trained, "in", "no*.tiny", "--out", "o")
        assert result.code == 0 and "no*.tiny holds none of .tiny" in result.err

    def test_empty_names_are_not_the_current_folder(self, invoke, trained, tiny_tree):
        result = invoke("reconstruct", trained, "in", "--out", "")
        assert_one_line_error(result.err, "--out is empty")
        result = invoke("reconstruct", trained, "in", "", "--out", "o")
        assert_one_line_error(result.err, "an empty name is no file")
        assert sorted(one.name for one in tiny_tree.iterdir()) == ["in", "other"]

    def test_one_is_told_as_one(self, invoke, trained, tiny_tree):
        result = invoke("reconstruct", trained, "other", "--out", "o")
        assert result.err.splitlines()[-1] == "wrote 1 of 1 file to o"
        result = invoke("reconstruct", trained, "other", "--out", "o")
        assert result.err.splitlines()[-1] == "wrote 0 of 1 file to o, 1 was done before"
        Path("other/c.tiny").write_text("no")
        result = invoke("reconstruct", trained, "other", "--out", "o")
        assert_one_line_error(result.err, "1 of 1 file could not be done")

    def test_in_place_is_refused(self, invoke, trained, tiny_tree):
        result = invoke("reconstruct", trained, "in", "--out", "in", "--overwrite")
        assert_one_line_error(result.err, "--out in would replace the inputs")
        assert not Path("in/.aeplug").exists()


class TestTrouble:
    """With the system, in real processes."""

    @pytest.mark.parametrize("end", ["2>/dev/full", "2>&-", "2>&1 | head -c 1", "&>/dev/full"])
    def test_what_cannot_be_said_ends_no_job(self, trained, tiny_tree, end):
        for number in range(8):  # more than reasons are shown
            Path(f"in/bad{number}.tiny").write_text("no")
        program = " ".join(command("reconstruct", trained, "in", "--out", "o"))
        done = subprocess.run(
            ["bash", "-c", f"{program} {end}; exit ${{PIPESTATUS[0]}}"],
            env=tiny_environment(),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1
        assert results(Path("o")) == {"a.tiny", "sub/b.tiny"}
        assert len(entries(Path("o"))) == 8
        assert done.stderr == "" and len(done.stdout) <= 1

    def test_results_on_a_full_stdout_are_an_error_and_no_traceback(self, tiny_tree):
        program = " ".join(command("tasks"))
        done = subprocess.run(
            ["bash", "-c", f"{program} >/dev/full"],
            env=tiny_environment(),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1
        assert done.stderr == "aeplug: error: No space left on device\n"

    @pytest.mark.skipif(
        os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may read everything"
    )
    def test_closed_folders_are_those_of_their_files_alone(self, trained, tiny_tree):
        Path("in/closed").mkdir(mode=0)
        Path("o/sub").mkdir(parents=True, mode=0)
        Path("o/sub").chmod(0)
        no_root = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
        done = subprocess.run(
            [
                *(no_root if os.geteuid() == 0 else []),
                *command("reconstruct", trained, "in", "--out", "o"),
            ],
            env=tiny_environment(),
            capture_output=True,
            text=True,
        )
        for name in ("in/closed", "o/sub"):
            Path(name).chmod(0o700)
        assert done.returncode == 1
        assert results(Path("o")) == {"a.tiny"}
        assert entries(Path("o")) == {
            "closed": "in/closed: folder cannot be listed: Permission denied",
            "b.tiny": "o/sub/b.tiny: Permission denied",
        }
        told = "1 of 2 files could not be done, 1 folder could not be listed, reasons in o/failed"
        assert_one_line_error(done.stderr, told)

    def test_a_second_signal_ends_it_whatever_it_waits_for(self, trained, tiny_tree):
        os.mkfifo("in/stalled.tiny")
        arguments = ["reconstruct", str(trained), "in", "--out", "o"]
        code = (
            "import signal, sys, threading\n"
            "from aeplug.jobs import pipeline\n"
            "from aeplug.runtime import console\n"
            # The main thread is then not woken, as by a signal in the moment before it waits.
            "def relay():\n"
            "    sys.stdin.readline()\n"
            "    signal.pthread_kill(threading.get_ident(), signal.SIGINT)\n"
            "threading.Thread(target=relay, daemon=True).start()\n"
            "pipeline.require_regular = lambda path: None\n"
            # A busy machine may take so long that the bar would say how far it is.
            "console.LINE_SECONDS = float('inf')\n"
            f"from aeplug.cli import main; main({arguments!r})"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            env=tiny_environment(),
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        while process.poll() is None and results(Path("o")) != {"a.tiny"}:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        assert process.stderr.readline().startswith(
            "finishing current files; Ctrl-C again stops now"
        )
        assert process.poll() is None
        _, said = process.communicate("\n", timeout=300)  # else it waits for the pipe, for ever
        assert process.returncode == 128 + signal.SIGINT
        assert said == "ended at once\n"
        os.unlink("in/stalled.tiny")
        again = aeplug("reconstruct", trained, "in", "--out", "o", env=tiny_environment())
        assert again.returncode == 0 and "1 was done before" in again.stderr

    @pytest.mark.parametrize(
        "module",
        ["aeplug.cli.program", "click", "aeplug.plugins.manager", "aeplug.cli.train", "torch"],
    )
    def test_an_interrupt_while_modules_are_loaded(self, trained, tiny_tree, module):
        arguments = ["reconstruct", str(trained), "in", "--out", "o"]
        code = (
            "import os, signal, sys\n"
            "class Interrupting:\n"
            "    def find_spec(self, name, path=None, target=None):\n"
            f"        if name == {module!r}: os.kill(os.getpid(), signal.SIGINT)\n"
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "sys.meta_path.insert(0, Interrupting())\n"
            f"from aeplug.cli import main; main({arguments!r})"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], env=tiny_environment(), capture_output=True, text=True
        )
        assert done.returncode == 130, done.stderr
        assert done.stderr.strip() in ("", "aeplug: error: stopped")


class TestSheet:
    def test_goes_where_it_is_asked_for_and_nowhere_else(self, invoke, trained, tiny_tree):
        result = invoke("reconstruct", trained, "in", "--out", "o")
        assert result.code == 0 and result.out == ""
        assert not list(Path().rglob("*.png"))
        result = invoke("reconstruct", trained, "in", "--out", "p", "--sheet", "s/page.png")
        assert result.out == f"{Path('s/page.png')}\n"
        assert Path("s/page.png").stat().st_size
        assert results(Path("p")) == {"a.tiny", "sub/b.tiny"}

    def test_over_an_input_or_a_result_is_refused(self, invoke, trained, tiny_tree):
        result = invoke("reconstruct", trained, "in", "--out", "o", "--sheet", "o/sheet.png")
        assert_one_line_error(result.err, "--sheet o/sheet.png", "among the results")
        result = invoke("reconstruct", trained, "in", "--out", "o", "--sheet", "in/a.tiny")
        assert_one_line_error(result.err, "--sheet in/a.tiny: expected a name that ends in .png")
        assert not Path("o").exists()

    def test_that_is_there_stays_and_the_job_goes_on(self, invoke, trained, tiny_tree):
        Path("there.png").write_text("mine")
        result = invoke("reconstruct", trained, "in", "--out", "o", "--sheet", "there.png")
        assert result.code == 0 and "--sheet there.png is there already and stays" in result.err
        assert Path("there.png").read_text() == "mine" and results(Path("o"))
        again = ("--out", "p", "--sheet", "there.png", "--overwrite")
        result = invoke("reconstruct", trained, "in", "there.png", *again)
        assert_one_line_error(result.err, "--sheet there.png would replace an input")
        assert Path("there.png").read_text() == "mine"
        assert invoke("reconstruct", trained, "in", *again).out == "there.png\n"


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a folder that refuses writing")
def test_where_nothing_can_be_written(invoke, trained, tiny_tree):
    result = invoke("reconstruct", trained, "in", "--out", "/proc/aeplug")
    assert result.code == 1
    assert_one_line_error(result.err, "--out /proc/aeplug: ")


def test_full_disk_by_a_limit_of_the_system(run, tmp_path):
    picture(tmp_path / "in" / "a.png", 16, 16)
    picture(tmp_path / "in" / "b.tif", 400, 400)
    program = " ".join(command("reconstruct", run, tmp_path / "in", "--out", tmp_path / "out"))
    done = subprocess.run(
        ["bash", "-c", f"ulimit -f 200; exec {program}"],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert results(tmp_path / "out") == {"a.png"}
    reason = entries(tmp_path / "out")["b.tif"]
    assert reason.startswith(f"{tmp_path / 'out' / 'b.tif'} cannot be written: ")
    assert "File too large" in reason
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not os.path.isdir("/dev/shm"), reason="needs a second file system")
def test_results_on_another_file_system(run, tmp_path):
    import tempfile

    picture(tmp_path / "a.png", 16, 16)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as out:
        done = aeplug("reconstruct", run, tmp_path / "a.png", "--out", out, env=ENVIRONMENT)
        assert done.returncode == 0, done.stderr
        assert results(Path(out)) == {"a.png"}
