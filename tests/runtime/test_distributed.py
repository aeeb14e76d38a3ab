"""Two processes under torchrun compute what one computes; one of them writes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from support import tiny_environment

from aeplug.errors import TrainingError
from aeplug.model.run_folder import RunFolder
from aeplug.runtime.distributed import pick_device


def two_processes(
    folder: Path, settings: dict[str, object], **variables: str
) -> subprocess.CompletedProcess[str]:
    """The tiny task trained under torchrun."""
    arguments = [f"--set={key}={value}" for key, value in settings.items()]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"),
            *("--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0"),
            # The two dashes keep torchrun from taking our --run for an option of its own.
            *("-m", "--", "aeplug", "train", "tiny", "--device", "cpu"),
            *("--run", str(folder), *arguments),
        ],
        env=tiny_environment(TORCH_DISABLE_SHARE_RDZV_TCP_STORE="1", **variables),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done


def test_two_processes_agree_with_one_and_one_of_them_writes(tmp_path, make_training):
    settings = {
        "prepare.noise": 0,
        "encoder.dropout": 0,
        "train.epochs": 3,
        "train.ema": 0.5,
        "loss.nan_at": 3,
    }
    alone = make_training(settings, tmp_path / "alone", task="tiny")
    alone.run()
    events = tmp_path / "events"
    done = two_processes(tmp_path / "together", settings, TINY_EVENTS=str(events))
    assert done.stdout.split() == [str(tmp_path / "together")]
    one = load_file(tmp_path / "alone/checkpoints/last/model.safetensors")
    two = load_file(tmp_path / "together/checkpoints/last/model.safetensors")
    assert one.keys() == two.keys()
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=1e-4, atol=1e-6)
    ours, theirs = (RunFolder(tmp_path / name).metrics() for name in ("alone", "together"))
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        for key in ("step", "split", "skipped"):
            assert a[key] == b[key]
        if a["loss"] is not None:
            assert b["loss"] == pytest.approx(a["loss"], rel=1e-4)
    assert ours[-1]["skipped"] == 1
    assert done.stderr.count("held out") == 3, "only one process speaks"
    kinds = [json.loads(line)["kind"] for line in events.read_text().splitlines()]
    assert kinds.count("started") == kinds.count("finished") == 1


def test_codebook_of_running_means_is_that_of_one_process(tmp_path, make_training):
    settings = {
        "latent": "vq",
        "latent.entries": 6,
        "latent.width": 2,
        "latent.revive": 0,  # which draws from each process's own batch
        "prepare.noise": 0,
        "encoder.dropout": 0,
        "train.epochs": 3,
        "loss.nan_at": 3,
    }
    make_training(settings, tmp_path / "alone", task="tiny").run()
    two_processes(tmp_path / "together", settings)
    one = load_file(tmp_path / "alone/checkpoints/last/model.safetensors")
    two = load_file(tmp_path / "together/checkpoints/last/model.safetensors")
    assert {"latent.means", "latent.sums", "latent.shares"} <= one.keys() == two.keys()
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=1e-3, atol=1e-5)
    assert not torch.equal(one["latent.shares"], torch.full((6,), 1 / 6))


def test_a_critic_is_trained_by_all_processes(tmp_path):
    """Each draws of its own from the prior: what shows is that both sides go on, and alike."""
    settings = {"latent": "adversarial", "latent.critic": "[8]", "train.epochs": 3}
    two_processes(tmp_path / "run", {**settings, "train.log_every": 1})
    records = [r for r in RunFolder(tmp_path / "run").metrics() if r["split"] == "train"]
    assert len(records) == 12 and records[-1]["skipped"] == 0
    costs = [record["adversary"] for record in records]
    assert len(set(costs)) > 6 and all(0 < cost < 2 for cost in costs)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gpu", "no device is called 'gpu'; expected auto, cpu, cuda"),
        ("meta", "device 'meta' is not supported"),
        ("cuda:99", "device 'cuda:99' is not available"),
    ],
)
def test_device_that_is_not_there_is_named(name, message):
    with pytest.raises(TrainingError, match=message):
        pick_device(name)


def test_cpu_always_works():
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("auto").type in ("cpu", "cuda", "mps")
