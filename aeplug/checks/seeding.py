"""Whether draws depend on the seed given, and on nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

from aeplug.checks.learning import schedule_values_at, train_a_little
from aeplug.checks.outcome import expect, expect_no_error
from aeplug.checks.subject import Subject
from aeplug.data.opening import open_dataset
from aeplug.interfaces import Batch, RawBatch, Sampling
from aeplug.model.task import Task

T = TypeVar("T")

#: Two states of torch's own generator; what is drawn from it differs between them.
STATES = (1, 2)


def check_seeds(subject: Subject) -> str:
    """The same seed gives the same batch, losses and samples, whatever was drawn elsewhere."""
    _check_data(subject)
    _check_prepare(subject)
    task, batch = subject.task(), subject.batch()
    with expect_no_error("a few steps of training"):
        train_a_little(task, subject)
    task.eval()
    _check_evaluation(task, batch, subject)
    model = subject.model(task)
    if "sample" not in model.verbs:
        return "batches, losses and reconstructions; there is no prior to sample from"
    with expect_no_error("sample(count, seed)"):
        first, again = (_at(state, lambda: model.sample(3, seed=1)) for state in STATES)
        latents = [task.latent.prior(3, 1.0, model.generator(seed)) for seed in (1, 2)]
    expect(
        torch.equal(first, again),
        "the same samples for the same seed; draws take the generator they are given",
        "others when torch's own generator was elsewhere",
    )
    expect(
        not torch.equal(*latents),
        "other draws from the prior for another seed",
        "the same ones; prior(count, scale, generator) draws from its generator",
    )
    return "batches, losses, reconstructions and samples"


def _check_data(subject: Subject) -> None:
    index = torch.arange(subject.items)

    def rows() -> RawBatch:
        return open_dataset(subject.config).split("train").take(index)

    with expect_no_error("the data set, opened twice"):
        first, again = (_at(state, rows) for state in STATES)
    for name, column in first.items():
        expect(
            torch.equal(column, again[name]),
            "the same rows whenever the data set is opened; data are made up from a seed of theirs",
            f"another '{name}' when torch's own generator was elsewhere",
        )


def _check_prepare(subject: Subject) -> None:
    with expect_no_error("prepare"):
        batches = [_at(state, lambda: subject.batch(training=True)) for state in STATES]
    same = all(torch.equal(getattr(batches[0], n), getattr(batches[1], n)) for n in _TENSORS)
    expect(
        same,
        "the same batch for the same generator; prepare draws from the one it is given",
        "another when torch's own generator was elsewhere",
    )


_TENSORS = ("input", "target")


@torch.no_grad()
def _check_evaluation(task: Task, batch: Batch, subject: Subject) -> None:
    def evaluate() -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(subject.seed)
        losses = task(batch, schedule_values_at(task, 1, 1), generator)
        posterior, context = task.encode(batch.input, batch.context(with_target=False))
        sampling = Sampling(generator=generator)
        data = task.decoder.generate(posterior.mode(), context, sampling)
        return {**{f"'{k}'": v for k, v in losses.items()}, "data from generate": data}

    with expect_no_error("the task in evaluation"):
        first, again = (_at(state, evaluate) for state in STATES)
    for name, value in first.items():
        expect(
            torch.equal(value, again[name]),
            "the same results in evaluation for the same generator",
            f"another {name} when torch's own generator was elsewhere",
        )


def _at(state: int, call: Callable[[], T]) -> T:
    torch.manual_seed(state)
    return call()
