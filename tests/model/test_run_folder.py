"""Run folders, the console's lines, the curve and the sheets."""

from __future__ import annotations

import json
import re
import time

import pytest

from aeplug.errors import CheckpointError
from aeplug.model import run_folder
from aeplug.model.run_folder import RunFolder
from aeplug.runtime.console import Progress, duration, figures


class TestFolder:
    def test_holds_everything_after_a_training(self, invoke, tmp_path):
        folder = tmp_path / "deep" / "run"
        result = invoke("train", "tiny-vae", "--run", folder, "--set", "lr=0.02", "--epochs", 2)
        assert result.code == 0, result.err
        assert sorted(path.name for path in folder.iterdir()) == [
            "checkpoints",
            "config.json",
            "curve.png",
            "env.json",
            "metrics.jsonl",
            "reconstructions.png",
            "samples.png",
        ]
        assert sorted(p.name for p in (folder / "checkpoints").iterdir()) == ["best", "last"]
        config = json.loads((folder / "config.json").read_text())
        assert (config["task"], config["train"]["lr"]) == ("tiny-vae", 0.02)
        env = json.loads((folder / "env.json").read_text())
        assert {"python", "packages", "device", "command", "threads", "plugins"} <= set(env)
        for picture in folder.glob("*.png"):
            assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
            assert f"picture: {picture}" in result.err
        assert result.out.split() == [str(folder)]

    def test_names_are_not_used_twice(self, tmp_path, monkeypatch):
        monkeypatch.setattr(time, "strftime", lambda form: "20260101-000000")
        names = []
        for _ in range(3):
            folder = run_folder.new_folder("tiny", tmp_path)
            folder.mkdir()
            names.append(folder.name)
        assert names == [f"tiny-20260101-000000{end}" for end in ("", "-2", "-3")]

    def test_place_that_cannot_be_written_is_named(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(CheckpointError, match=r"run folder .*file/run cannot be written"):
            RunFolder(tmp_path / "file" / "run").create({}, {})

    def test_cut_off_and_damaged_lines_are_left_out(self, tmp_path):
        run = RunFolder(tmp_path)
        run.metrics_path.write_text('{"step": 1}\nrubbish\n{"step": 2}\n{"st')
        assert run.metrics() == [{"step": 1}, {"step": 2}]
        run.rewind(1)
        assert run.metrics_path.read_text() == '{"step": 1}\n'

    def test_run_without_metrics_has_none(self, tmp_path):
        assert RunFolder(tmp_path).metrics() == []

    def test_latest_is_of_the_same_task_and_ignores_what_is_no_run(self, tmp_path):
        for name, text in (
            ("a", '{"task": "tiny"}'),
            ("b", '{"task": "mnist"}'),
            ("c", "[1]"),
            ("d", "{"),
        ):
            (tmp_path / name).mkdir()
            (tmp_path / name / "config.json").write_text(text)
        assert run_folder.latest("tiny", tmp_path).name == "a"
        with pytest.raises(CheckpointError, match="no run of 'other'"):
            run_folder.latest("other", tmp_path)


class TestCurve:
    def draw(self, records, tmp_path):
        from aeplug.plots.curve import draw_curve

        draw_curve(records, tmp_path / "curve.png", "a run")
        return (tmp_path / "curve.png").read_bytes()

    def size(self, content):
        return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")

    def test_one_panel_a_term(self, tmp_path):
        one = [{"step": s, "split": "train", "loss": 9.0 / s, "lr": 1} for s in range(1, 9)]
        three = [{**record, "recon": 1.0, "kl": 0.0} for record in one]
        single, triple = self.draw(one, tmp_path), self.draw(three, tmp_path)
        assert self.size(triple)[0] == 3 * self.size(single)[0]

    def test_curve_is_drawn_where_there_are_points(self, tmp_path):
        flat = self.draw([], tmp_path)
        drawn = self.draw(
            [{"step": s, "split": "val", "loss": float(s), "kl": None} for s in range(5)], tmp_path
        )
        assert len(drawn) > len(flat) > 1000

    def test_bad_steps_leave_a_gap(self, tmp_path):
        records = [{"step": s, "split": "train", "loss": None if s == 2 else 1.0} for s in range(4)]
        assert self.draw(records, tmp_path)


class TestConsole:
    def test_piped_progress_is_plain_lines_now_and_then(self, capsys, monkeypatch):
        monkeypatch.setattr("aeplug.runtime.console.LINE_SECONDS", 0.05)
        with Progress(100, "steps") as progress:
            progress.describe("loss 0.5")
            for step in range(1, 101):
                progress.update(step)
                time.sleep(0.002)
        captured = capsys.readouterr()
        lines = captured.err.splitlines()
        assert 2 <= len(lines) <= 20
        assert all("/100 steps, " in line and line.endswith("left  loss 0.5") for line in lines)
        assert "\x1b" not in captured.err and "\r" not in captured.err
        assert captured.out == ""

    def test_nothing_is_said_of_a_rate_before_there_is_one(self, capsys, monkeypatch):
        monkeypatch.setattr("aeplug.runtime.console.LINE_SECONDS", 0.0)
        with Progress(5, "files", start=3) as progress:
            progress.update(3)
            progress.describe("a.png: part 1 of 4")
            progress.update(3.25)
        first, second = capsys.readouterr().err.splitlines()
        assert first == "3/5 files"
        assert re.fullmatch(r"3/5 files, .*/s, .* left  a\.png: part 1 of 4", second)

    def test_other_processes_are_silent(self, capsys, monkeypatch):
        monkeypatch.setattr("aeplug.runtime.console.LINE_SECONDS", 0.0)
        with Progress(3, "steps", shown=False) as progress:
            progress.update(2)
            progress.say("hello")
        assert capsys.readouterr().err == ""

    def test_bar_on_a_terminal_is_drawn_on_stderr(self, monkeypatch, capsys):
        import sys

        monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
        monkeypatch.setattr("aeplug.runtime.console.REDRAW_SECONDS", 0.0)
        with Progress(3, "steps") as progress:
            progress.update(2)
            progress.say("a line that [stays]")
        captured = capsys.readouterr()
        assert "a line that [stays]" in captured.err and captured.out == ""

    @pytest.mark.parametrize(
        ("seconds", "text"),
        [(0, "0:00"), (42, "0:42"), (59.6, "1:00"), (727, "12:07"), (11100, "3:05:00")],
    )
    def test_duration(self, seconds, text):
        assert duration(seconds) == text

    def test_figures(self):
        assert figures({"loss": 153.1999, "kl": 6.41234}) == "loss 153.2  kl 6.412"


def test_observers_and_pictures_do_not_end_up_on_stdout(invoke, tmp_path, monkeypatch):
    monkeypatch.setenv("TINY_EVENTS", str(tmp_path / "events"))
    result = invoke("train", "tiny", "--run", tmp_path / "run", "--epochs", 1)
    assert result.out == f"{tmp_path / 'run'}\n"
    assert "an observer prints" in result.err
