"""How much slower the training loop is than the tightest loop of plain torch.

Same net, same batches, same threads: two copies of the parts of ``mnist-vae`` train on the same
rows in alternation, ROUNDS times STEPS steps each, once through ``aeplug.training.trainer``
(schedules, logging, clipping, skipping of bad steps, progress, stop requests) and once through a
loop that has only rows, forward, backward, clip and step. The last line is the median ratio.

    python benchmarks/loop_overhead.py
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch

from aeplug.config import resolve
from aeplug.data import TensorSplit, epoch_order, open_dataset
from aeplug.model import Task
from aeplug.plugins import active
from aeplug.runtime import Distributed, pick_device
from aeplug.training import Trainer


def plain_loop(task: Task, split: TensorSplit, batch_size: int, steps: int, seed: int) -> float:
    """The loop one would write by hand for this net; seconds of ``steps`` steps."""
    optimizer = torch.optim.AdamW(task.parameters(), lr=1e-3, fused=True)
    beta = torch.ones((), device=split.columns["image"].device)
    order = epoch_order(len(split), seed, 0).to(beta.device)
    images = split.columns["image"]
    task.train()
    _wait(beta.device)
    began = time.perf_counter()
    for step in range(steps):
        rows = order[step * batch_size : (step + 1) * batch_size]
        x = images[rows].float().div_(255)
        posterior = task.latent(task.encoder(x))
        output = task.decoder(posterior.sample(), None, {})
        nll = torch.nn.functional.binary_cross_entropy_with_logits(
            output.values, x, reduction="sum"
        )
        loss = nll / len(x) + beta * posterior.kl().sum(1).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(task.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    _wait(beta.device)
    return time.perf_counter() - began


def engine_loop(steps: int, seed: int, device: torch.device) -> tuple[float, Trainer]:
    """The same through the engine; nothing is evaluated or written within the time taken."""
    plugins = active()
    config = resolve(
        plugins.task("mnist-vae"),
        plugins,
        {"train.optimizer": "adamw", "train.ema": 0, "prepare.affine": 0},
        {"train.steps": steps, "train.seed": seed, "train.eval_items": 1, "train.log_every": 50},
        {"train.eval_every": steps + 1, "train.precision": "fp32"},
    )
    training = Trainer(config, open_dataset(config), plugins, None, Distributed(0, 1, device))
    _wait(device)
    began = time.perf_counter()
    training.run()
    _wait(device)
    return time.perf_counter() - began, training


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    device = pick_device(arguments.device)
    _, training = engine_loop(5, 0, device)  # warm-up of caches and threads
    split = training.train_split
    assert isinstance(split, TensorSplit)
    batch_size = training.plan.batch_size
    ratios = []
    for number in range(arguments.rounds):
        torch.manual_seed(number)
        task = Task(training.config, training.dataset.shape).to(device)
        pair = {}
        # Whichever goes first finds a cooler machine: they take turns.
        for which in ("engine", "plain") if number % 2 else ("plain", "engine"):
            if which == "engine":
                pair[which], _ = engine_loop(arguments.steps, number, device)
            else:
                pair[which] = plain_loop(task, split, batch_size, arguments.steps, number)
        ratios.append(pair["engine"] / pair["plain"])
        milliseconds = {name: seconds * 1000 / arguments.steps for name, seconds in pair.items()}
        print(
            f"round {number + 1}: engine {milliseconds['engine']:.2f} ms, plain "
            f"{milliseconds['plain']:.2f} ms a step, ratio {ratios[-1]:.3f}"
        )
    print(f"batch {batch_size}, {torch.get_num_threads()} threads, {device}")
    print(f"ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
