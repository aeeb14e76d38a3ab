"""What only a GPU can show; left out where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from aeplug.config import resolve
from aeplug.data.opening import open_dataset
from aeplug.model.run_folder import RunFolder
from aeplug.plugins import active
from aeplug.runtime.distributed import Distributed
from aeplug.training.trainer import Trainer

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


@pytest.mark.parametrize("task", ["mnist", "mnist-vae", "melody-2bar"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_short_training_learns(task: str, precision: str, tmp_path: Path) -> None:
    plugins = active()
    settings = {"train.steps": 200, "train.precision": precision, "train.eval_every": 100}
    config = resolve(plugins.task(task), plugins, settings)
    run = RunFolder(tmp_path / "run")
    run.create(config.as_dict(), {})
    distributed = Distributed(0, 1, torch.device("cuda"))
    Trainer(config, open_dataset(config), plugins, run, distributed).run()
    losses = [record["loss"] for record in run.metrics() if record["split"] == "val"]
    assert losses[-1] < losses[0]


def test_a_step_waits_for_no_value_from_the_device() -> None:
    plugins = active()
    settings = {"train.steps": 20, "train.log_every": 100, "train.eval_items": 1}
    config = resolve(plugins.task("mnist-vae"), plugins, settings)
    training = Trainer(
        config, open_dataset(config), plugins, None, Distributed(0, 1, torch.device("cuda"))
    )
    schedule_values = training.task.new_schedule_values(torch.device("cuda"))
    generator = torch.Generator("cuda")
    batches = training._batches()

    def step() -> None:
        batch = training.prepare(training.train_split.take(next(batches)), generator, True)
        training.model(batch, schedule_values)["loss"].backward()
        training._step()

    step()  # the first one initialises lazily
    torch.cuda.set_sync_debug_mode("error")
    try:
        step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
