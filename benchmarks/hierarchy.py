"""What hierarchy brings: `melody-16bar`'s tree against flat nets, at equal parameters and steps.

For each length in bars two models are trained on the same windows of the bundled tunes, in the
same order and for as many steps: the tree (`hierarchical`) and the flat parts (`window-mlp`,
`plan`), whose width is chosen so that both have about as many parameters; past tokens, step
network and schedules are the same in both. The flat net is tried with and without a residual
layer. Then all are measured on held-out tunes as `aeplug evaluate` does, from the mean of the
posterior.

    python benchmarks/hierarchy.py [--bars 4 8 16] [--steps 300]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from typing import Any

import torch

from aeplug.config import TaskConfig, resolve
from aeplug.data import first_items, open_dataset
from aeplug.interfaces import DataShape
from aeplug.model import Model, Task
from aeplug.plugins import active
from aeplug.runtime import Distributed
from aeplug.training import Trainer

TREE: dict[str, Any] = {"encoder": "hierarchical", "decoder": "hierarchical"}


def flat(width: int, layers: int) -> dict[str, Any]:
    """Settings of the flat parts, the steps as the tree has them."""
    return {
        "encoder": "window-mlp",
        "encoder.embedding": 16,
        "encoder.width": width,
        "encoder.hidden": 512,
        "encoder.layers": layers,
        "decoder": "plan",
        "decoder.embedding": 16,
        "decoder.agreement": 8,
        "decoder.token_noise": 0.1,
        "decoder.slice": 64,
        "decoder.step_width": 192,
        "decoder.width": width,
        "decoder.hidden": 512,
        "decoder.layers": layers,
    }


def configured(bars: int, steps: int, parts: Mapping[str, Any]) -> TaskConfig:
    plugins = active()
    settings = {
        "data.bars": bars,
        "train.steps": steps,
        "train.warmup": steps // 10,
        # The average follows within a tenth of so short a training.
        "train.ema": 1 - 10 / steps,
        "train.eval_every": steps,
        "train.eval_items": 256,
        "train.log_every": 50,
        **parts,
    }
    return resolve(plugins.task("melody-16bar"), plugins, settings)


def parameters(config: TaskConfig, shape: DataShape) -> int:
    return sum(weight.numel() for weight in Task(config, shape).parameters())


def equal_flat(bars: int, steps: int, layers: int, wanted: int, shape: DataShape) -> TaskConfig:
    """The flat parts at the width at which they have about as many parameters as wanted."""
    return min(
        (configured(bars, steps, flat(width, layers)) for width in range(64, 1024, 8)),
        key=lambda config: abs(parameters(config, shape) - wanted),
    )


def trained(config: TaskConfig, items: int) -> dict[str, Any]:
    """Train, and measure on the test split."""
    dataset = open_dataset(config)
    began = time.perf_counter()
    training = Trainer(config, dataset, active(), None, Distributed(0, 1, torch.device("cpu")))
    training.run()
    took = time.perf_counter() - began
    model = Model(config, training.ema_model or training.task, torch.device("cpu"))
    from aeplug_music.melodies.evaluation import evaluate

    figures = evaluate(model, first_items(dataset.split("test"), items), {})
    kept = ("accuracy_teacher_forced", "accuracy_free_running", "accuracy_greedy", "kl_bits")
    return {
        "parameters": sum(weight.numel() for weight in model.task.parameters()),
        **{name: round(figures[name], 4) for name in kept},
        "seconds": round(took),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bars", type=int, nargs="+", default=[4, 8, 16])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--items", type=int, default=1000)
    options = parser.parse_args()
    for bars in options.bars:
        tree = configured(bars, options.steps, TREE)
        shape = open_dataset(tree).shape
        wanted = parameters(tree, shape)
        nets = {"tree": tree}
        for layers in (0, 1):
            name = f"flat, {layers} residual layers"
            nets[name] = equal_flat(bars, options.steps, layers, wanted, shape)
        for name, config in nets.items():
            figures = trained(config, options.items)
            print(json.dumps({"bars": bars, "net": name, **figures}), flush=True)


if __name__ == "__main__":
    main()
