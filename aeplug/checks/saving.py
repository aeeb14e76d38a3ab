"""Whether a task survives a checkpoint: loaded again, it gives what it gave."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from aeplug.checks.learning import schedule_values_at, train_a_little
from aeplug.checks.outcome import CheckMismatch, expect, expect_no_error
from aeplug.checks.subject import Subject
from aeplug.config import flatten, resolve
from aeplug.errors import AeplugError
from aeplug.interfaces import Sampling
from aeplug.model import checkpoint
from aeplug.model.task import Task


def check_saving(subject: Subject) -> str:
    """Settings and weights, written and read again, make a task of equal outputs."""
    task = subject.task()
    with expect_no_error("a few steps of training"):
        train_a_little(task, subject)
    with expect_no_error(
        "a copy of the task (copy.deepcopy, for the moving average of its weights)"
    ):
        copied = copy.deepcopy(task)
    before = outputs(task, subject)
    _check_equal(before, outputs(copied, subject), "a copy (copy.deepcopy)")
    with TemporaryDirectory(prefix="aeplug-check-") as folder:
        path = Path(folder) / "checkpoint"
        again, size = _write_and_read(task, subject, path)
    _check_equal(before, outputs(again, subject), "a task loaded from its checkpoint")
    return f"{size:,} bytes"


def _write_and_read(task: Task, subject: Subject, path: Path) -> tuple[Task, int]:
    shape = subject.shape
    settings = json.loads(json.dumps(subject.config.as_dict()))
    header = {"task": subject.spec.name, "config": settings, "shape": {}}
    try:
        checkpoint.save(path, header, task)
        layer = flatten({name: value for name, value in settings.items() if name != "task"})
        config = resolve(subject.spec, subject.plugins, layer, defaults=False)
    except AeplugError as error:
        raise CheckMismatch(
            "settings and weights that can be written and read", str(error)
        ) from error
    expect(
        config.as_dict() == subject.config.as_dict(),
        "settings that are the same after being written as JSON and read",
        _difference(subject.config.as_dict(), config.as_dict()),
    )
    torch.manual_seed(subject.seed + 1)  # other first weights: what is not loaded shows
    again = Task(config, shape)
    try:
        checkpoint.read(path).load_into(again)
    except AeplugError as error:
        raise CheckMismatch("weights that load into a fresh task", str(error)) from error
    return again, (path / checkpoint.WEIGHTS).stat().st_size


@torch.no_grad()
def outputs(task: Task, subject: Subject) -> dict[str, Tensor]:
    """What a task makes of the tiny batch in evaluation: latents, losses and reconstructions."""
    batch = subject.batch()
    task.eval()
    generator = torch.Generator().manual_seed(subject.seed)
    with expect_no_error("the task in evaluation"):
        posterior, context = task.encode(batch.input, batch.context(with_target=False))
        z = posterior.mode()
        data = task.decoder.generate(z, context, Sampling(greedy=True, generator=generator))
        losses = task(batch, schedule_values_at(task, 1, 1), generator)
    return {"latents": z, "reconstructions": data, **{f"'{k}'": v for k, v in losses.items()}}


def _check_equal(before: dict[str, Tensor], after: dict[str, Tensor], what: str) -> None:
    for name, value in before.items():
        if torch.equal(value, after[name]):
            continue
        gap = (value.double() - after[name].double()).abs().max().item()
        raise CheckMismatch(
            f"{what} to give the same outputs",
            f"{name} that differ by up to {gap:.3g}; what a part computes with is a parameter, a "
            f"buffer, or made of its settings",
        )


def _difference(first: dict[str, Any], second: dict[str, Any]) -> str:
    for section, values in first.items():
        if values != second.get(section):
            for key, value in values.items() if isinstance(values, dict) else ():
                other = second.get(section, {}).get(key)
                if other != value:
                    return f"{section}.{key}: {value!r} became {other!r}"
    return "other ones"
