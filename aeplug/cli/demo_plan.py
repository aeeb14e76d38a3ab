"""The commands of a demo, as a user would type them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from aeplug.data.bundled import extract_bundled
from aeplug.errors import ConfigError, nearest
from aeplug.plugins import Plugins, TaskSpec

#: Settings of a training that only shows that everything works.
QUICK = {"train.steps": 20, "train.eval_items": 500}


def demo_tasks(plugins: Plugins, only: str = "") -> list[TaskSpec]:
    """Tasks that have a demo, in its order; or the one of this name.

    Raises:
        ConfigError: it has none.
    """
    tasks = [task for task in plugins.specs("task") if task.demo]
    tasks.sort(key=lambda task: task.demo.order)
    names = [task.name for task in tasks]
    if only and only not in names:
        raise ConfigError(f"no demo of '{only}'. {nearest(only, names)}")
    return [task for task in tasks if only in ("", task.name)]


def demo_commands(task: TaskSpec, folder: Path, device: str, *, quick: bool) -> Iterator[list[str]]:
    """Words of each command: a training, or the shipped weights, then the verbs of the task.

    Args:
        task: with a demo.
        folder: of the run, in which everything lies.
        device: see ``--device``.
        quick: train a few steps only.
    """
    demo = task.demo
    assert demo is not None
    last = ["--device", device]
    model = task.name
    if demo.settings is not None:
        settings = {**demo.settings, **(QUICK if quick else {})}
        yield ["train", task.name, *_assignments(settings), "--run", str(folder), *last]
        model = str(folder)
    if "sample" in task.verbs:
        count = "8" if demo.settings is None else "32"
        out = str(folder / "samples")
        yield ["sample", model, "-n", count, "--seed", "1", "--out", out, *last]
    inputs = [str(extract_bundled(name, folder / "inputs")) for name in demo.inputs]
    if inputs:
        sheet, out = str(folder / "reconstructed.png"), str(folder / "reconstructions")
        yield ["reconstruct", model, *inputs, "--sheet", sheet, "--out", out, *last]
        yield ["vary", model, inputs[0], "-n", "4", "--out", str(folder / "variations"), *last]
    if len(inputs) > 1:
        out = str(folder / "interpolation")
        yield ["interpolate", model, *inputs[:2], "--steps", "7", "--out", out, *last]


def _assignments(settings: dict[str, object]) -> Sequence[str]:
    words: list[str] = []
    for key, value in settings.items():
        words += ["--set", f"{key}={value if isinstance(value, str) else json.dumps(value)}"]
    return words
