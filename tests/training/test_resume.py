"""Stopped, killed, resumed: equal to the last bit to a training that was left alone."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
from runs_compared import assert_bit_equal, records, state
from safetensors.torch import load_file
from support import aeplug, command, tiny_environment

from aeplug.errors import CheckpointError
from aeplug.model import checkpoint

#: 80 steps of 4 an epoch; saved every 5, so that checkpoints lie within epochs.
LENGTH = {"train.epochs": 20, "train.save_every": 5, "train.eval_every": 16}


def wait_for(condition, process, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.005)


def start(folder: Path, settings: dict, *more: str, pause: float = 0.01) -> subprocess.Popen:
    """A training in a process of its own, slow enough to be caught at work."""
    choices = [f"--set={key}={value}" for key, value in settings.items()]
    return subprocess.Popen(
        command(
            "train", "tiny-vae", "--run", folder, f"--set=prepare.pause={pause}", *choices, *more
        ),
        env=tiny_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def saved_step(folder: Path) -> int:
    try:
        header = json.loads((folder / "checkpoints" / "last" / "config.json").read_text())
    except (OSError, ValueError):
        return 0
    return header["step"]


@pytest.mark.parametrize(
    "settings",
    [{}, {"train.ema": 0.99, "train.optimizer": "muon", "loss.nan_at": 2}],
    ids=["plain", "average, muon, a bad step"],
)
def test_killed_at_a_random_step_and_resumed_is_bit_equal(tmp_path, make_training, settings):
    settings = {**LENGTH, **settings}
    left_alone, killed = tmp_path / "left-alone", tmp_path / "killed"
    make_training({**settings, "prepare.pause": 0}, left_alone).run()

    process = start(killed, settings)
    wait_for(lambda: saved_step(killed) >= 10, process)
    time.sleep(random.uniform(0, 0.4))
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    step = checkpoint.read(killed / "checkpoints" / "last").header["step"]
    assert 10 <= step < 80

    resumed = aeplug("train", "tiny-vae", "--run", killed, "--resume", env=tiny_environment())
    assert resumed.returncode == 0, resumed.stderr
    assert f"going on at step {step}" in resumed.stderr
    assert_bit_equal(state(killed), state(left_alone))
    best = "checkpoints/best/model.safetensors"
    assert_bit_equal(load_file(killed / best), load_file(left_alone / best))
    assert records(killed) == records(left_alone)


@pytest.mark.parametrize("ema", [0.0, 0.9])
@pytest.mark.parametrize("stop", [1, 3, 4, 6, 7])
def test_resumed_at_every_kind_of_step_is_bit_equal(tmp_path, make_training, ema, stop):
    settings = {"train.steps": 9, "train.save_every": 1, "train.ema": ema, "train.log_every": 4}
    make_training(settings, tmp_path / "whole").run()

    class Killed(BaseException):
        pass

    first = make_training(settings, tmp_path / "parts")
    original = first._save

    def save(which, *rest):
        original(which, *rest)
        if which == "last" and first.state.step == stop:
            raise Killed

    first._save = save
    with pytest.raises(Killed):
        first.run()
    second = make_training(settings, tmp_path / "parts")
    second.resume(checkpoint.read(tmp_path / "parts" / "checkpoints" / "last"))
    assert second.state.step == stop
    second.run()
    assert_bit_equal(state(tmp_path / "parts"), state(tmp_path / "whole"))
    assert records(tmp_path / "parts") == records(tmp_path / "whole")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_saves_says_how_to_go_on_and_ends_with_its_code(tmp_path, number, code):
    folder = tmp_path / "run"
    # No checkpoint but the one that the signal asks for.
    process = start(folder, {"train.epochs": 10000, "train.save_every": 10**9}, pause=0.005)
    wait_for(lambda: (folder / "metrics.jsonl").exists() and len(records(folder)) > 3, process)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert out == ""
    assert "Traceback" not in err
    step = checkpoint.read(folder / "checkpoints" / "last").header["step"]
    assert f"stopped and saved at step {step} of" in err
    assert err.rstrip().endswith(f"aeplug train tiny-vae --run {folder} --resume")
    assert step > 0


def test_a_signal_in_the_last_step_is_not_passed_over(tmp_path):
    process = start(tmp_path / "run", {"train.steps": 1}, pause=3)
    wait_for((tmp_path / "run" / "config.json").exists, process)
    time.sleep(1)  # to where signals are collected, and not to the end of the pause
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "SIGTERM came in the last step: the training is finished, at step 1" in err


class TestCommandLine:
    @pytest.fixture
    def half(self, tmp_path, make_training):
        """A run of two epochs, finished."""
        make_training({"train.epochs": 2}, tmp_path / "half").run()
        return tmp_path / "half"

    def test_more_epochs_go_on_from_a_finished_run(self, half, invoke):
        result = invoke("train", "tiny-vae", "--run", half, "--resume", "--epochs", 3)
        assert result.code == 0, result.err
        assert "going on at step 8" in result.err
        assert saved_step(half) == 12
        steps = [record["step"] for record in records(half) if record["split"] == "val"]
        assert steps == [4, 8, 12]
        assert json.loads((half / "config.json").read_text())["train"]["epochs"] == 3

    def test_finished_run_says_what_to_give(self, half, invoke):
        result = invoke("train", "tiny-vae", "--run", half, "--resume")
        assert result.code == 1
        assert "is finished (8 of 8 steps); give a larger --epochs or --steps" in result.err

    @pytest.mark.parametrize(
        "changed",
        [
            ("--set", "latent.size=3"),
            ("--set", "lr=0.5"),
            ("--seed", "5"),
            ("--precision", "bf16"),
        ],
    )
    def test_other_settings_are_refused(self, half, invoke, changed):
        before = state(half)
        result = invoke("train", "tiny-vae", "--run", half, "--resume", "--epochs", 9, *changed)
        assert result.code == 1
        assert "a resumed run keeps its settings; only --epochs or --steps may change" in result.err
        assert_bit_equal(state(half), before)

    def test_run_of_another_task_is_refused(self, half, invoke):
        result = invoke("train", "tiny", "--run", half, "--resume", "--epochs", 9)
        assert result.code == 1 and "is a run of 'tiny-vae'" in result.err

    def test_folder_in_use_is_refused_and_left_alone(self, half, invoke):
        before = records(half)
        result = invoke("train", "tiny-vae", "--run", half)
        assert result.code == 1 and "already holds a run; go on with it by --resume" in result.err
        assert records(half) == before

    def test_nothing_to_resume(self, tmp_path, invoke, monkeypatch):
        monkeypatch.chdir(tmp_path)
        result = invoke("train", "tiny-vae", "--resume")
        assert result.code == 1 and "no run of 'tiny-vae' in runs/ to resume" in result.err
        result = invoke("train", "tiny-vae", "--resume", "--run", "nowhere")
        assert result.code == 1 and "run folder nowhere does not exist" in result.err
        Path("empty").mkdir()
        result = invoke("train", "tiny-vae", "--resume", "--run", "empty")
        assert result.code == 1 and "run folder empty holds no run" in result.err

    def test_killed_before_it_saved_anything_it_begins_again(self, tmp_path, make_training, invoke):
        make_training({"train.epochs": 2}, tmp_path / "left-alone").run()
        assert invoke("train", "tiny-vae", "--epochs", 2, "--run", tmp_path / "run").code == 0
        shutil.rmtree(tmp_path / "run" / "checkpoints")
        (tmp_path / "run" / "checkpoints" / "last.new").mkdir(parents=True)  # half of the first
        result = invoke("train", "tiny-vae", "--run", tmp_path / "run")
        assert result.code == 1 and "go on with it by --resume" in result.err
        result = invoke("train", "tiny", "--run", tmp_path / "run", "--resume")
        assert result.code == 1 and "is a run of 'tiny-vae'" in result.err
        result = invoke("train", "tiny-vae", "--run", tmp_path / "run", "--resume")
        assert result.code == 0, result.err
        assert "holds no checkpoint to go on from: beginning again at step 0" in result.err
        assert_bit_equal(state(tmp_path / "run"), state(tmp_path / "left-alone"))
        assert records(tmp_path / "run") == records(tmp_path / "left-alone")

    def test_latest_run_is_resumed_without_its_name(self, tmp_path, invoke, monkeypatch):
        monkeypatch.chdir(tmp_path)
        for name in ("a", "b"):
            assert invoke("train", "tiny-vae", "--run", f"runs/{name}", "--epochs", 1).code == 0
            time.sleep(0.02)
        result = invoke("train", "tiny-vae", "--resume", "--epochs", 2)
        assert result.code == 0, result.err
        assert (saved_step(Path("runs/a")), saved_step(Path("runs/b"))) == (4, 8)

    def test_resume_without_the_plug_in_names_it(self, half):
        from support import environment

        result = aeplug("evaluate", half, env=environment())
        assert result.returncode == 1
        assert "needs the plug-in 'tiny'" in result.stderr and "tiny.py" in result.stderr
        assert "name the folder of its file by --plugins-dir" in result.stderr


def test_lines_beyond_the_checkpoint_are_dropped_and_written_again(tmp_path, make_training):
    settings = {"train.epochs": 3}
    make_training({"train.epochs": 1}, tmp_path / "run").run()
    with (tmp_path / "run" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 6, "split": "train", "loss": 9}\n{"step": 7, "spl')  # a kill's work
    training = make_training(settings, tmp_path / "run")
    training.resume(checkpoint.read(tmp_path / "run" / "checkpoints" / "last"))
    assert max(record["step"] for record in records(tmp_path / "run")) == 4
    training.run()
    steps = [record["step"] for record in records(tmp_path / "run") if record["split"] == "train"]
    assert steps == [4, 8, 12]


@pytest.mark.parametrize("damage", ["empty", "cut", "other", "gone"])
def test_damaged_trainer_state_is_one_line(tmp_path, make_training, damage):
    make_training({"train.epochs": 1}, tmp_path / "run").run()
    path = tmp_path / "run" / "checkpoints" / "last" / "trainer.pt"
    if damage == "empty":
        path.write_bytes(b"")
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:500])
    elif damage == "other":
        torch.save({"optimizers": {}, "state": {}, "raw": None}, path)
    else:
        path.unlink()
    training = make_training({"train.epochs": 2}, tmp_path / "run")
    with pytest.raises(CheckpointError, match=r"cannot be resumed|is damaged") as caught:
        training.resume(checkpoint.read(path.parent))
    assert "\n" not in str(caught.value)
