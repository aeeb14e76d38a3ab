"""Whether a task can learn: its loss is finite, its gradients arrive, one batch is overfitted."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from aeplug.checks.outcome import CheckMismatch, expect, expect_no_error
from aeplug.checks.subject import CPU, Subject
from aeplug.interfaces import Batch, ScheduleValues
from aeplug.model.task import Task, objective
from aeplug.runtime.distributed import Distributed

#: Steps until every parameter has got a gradient: layers that begin at zero stop it at first.
GRADIENT_STEPS = 4

#: A mean is the same of every item twice, a sum is doubled; between them are the losses that look
#: at a batch as a whole.
MEAN_RATIO = (0.6, 1.6)

#: The loss of a batch that is trained on alone shall fall by this share of itself; not by more,
#: since many have a floor: the entropy of grey values, the constant of a density ...
LEAST_FALL = 0.03
#: ... and by so much that nobody doubts it, it may stop at once.
CLEAR_FALL = 0.2
#: Steps to do it in, or seconds of computing where a step is long.
LEARNING_STEPS, LEARNING_SECONDS = 300, 30.0


def check_loss(subject: Subject) -> str:
    """The loss and its terms are finite scalars, and the likelihood has a value for each item."""
    task, batch = subject.task(), subject.batch(training=True)
    for step in (0, 1):  # schedules at their begin and at their end
        schedule_values = schedule_values_at(task, step, 1)
        with expect_no_error("encoder, latent, decoder and loss of a training step"):
            losses = task(batch, schedule_values)
        expect(
            isinstance(losses, Mapping) and "loss" in losses,
            "the loss to give a dict with 'loss'",
            f"{sorted(losses)}" if isinstance(losses, Mapping) else type(losses).__name__,
        )
        for name, value in losses.items():
            _check_scalar(name, value)
        expect(losses["loss"].requires_grad, "a 'loss' that gradients flow from", "a constant")
    task.eval()
    generator = torch.Generator().manual_seed(subject.seed)
    with expect_no_error("the loss in evaluation, and its nll(output, batch)"):
        _, output, _ = task.measure(batch, schedule_values, generator)
        many = batch.repeat_items(max(task.draws, 1))
        nll = task.loss.nll(output, many)
    count = len(many.target)
    good = isinstance(nll, Tensor) and nll.shape == (count,)
    description = str(tuple(nll.shape)) if isinstance(nll, Tensor) else type(nll).__name__
    expect(good, f"nll(output, batch) with a value for each item, ({count},)", description)
    expect(torch.isfinite(nll).all(), "finite nats from nll(output, batch)", "others")
    _check_means(task, batch, schedule_values)
    return "  ".join(f"{name} {value.item():.4g}" for name, value in losses.items())


@torch.no_grad()
def _check_means(task: Task, batch: Batch, schedule_values: ScheduleValues) -> None:
    """Of every item twice the losses are as before: processes with unlike shares depend on it."""
    if task.draws:
        return  # it needs the draws that only a step of training makes

    def at_mode(batch: Batch) -> Mapping[str, Tensor]:
        posterior, context = task.encode(batch.input, batch.context(with_target=True))
        output = task.decoder(posterior.mode(), context, schedule_values)
        return task.loss(output, batch, posterior, schedule_values)

    with expect_no_error("the loss of a batch twice as large"):
        once, twice = at_mode(batch), at_mode(batch.repeat_items(2))
    for name, value in once.items():
        ratio = float(twice[name] / value) if abs(float(value)) > 1e-6 else 1.0
        low, high = MEAN_RATIO
        expect(
            low < ratio < high,
            f"'{name}' to be a mean over the batch, of every item twice the same",
            f"{ratio:.3g} times as much",
        )


def _check_scalar(name: str, value: object) -> None:
    what = f"'{name}' of the losses to be a tensor without dimensions"
    expect(isinstance(value, Tensor), what, type(value).__name__)
    assert isinstance(value, Tensor)
    expect(value.dim() == 0, what, f"shape {tuple(value.shape)}")
    expect(torch.isfinite(value), f"a finite '{name}'", f"{value.item()}")


def check_gradients(subject: Subject) -> str:
    """After a few steps every parameter that wants a gradient has had one other than zero."""
    task, batch = subject.task(), subject.batch(training=True)
    wanted = {name: p for name, p in task.named_parameters() if p.requires_grad}
    if not wanted:
        expect(False, "parameters to train", "none")
    with expect_no_error("forward and backward of a training step"):
        _check_sides(task, task(batch, schedule_values_at(task, 0, 1)))
    reached: set[str] = set()
    used: set[str] = set()
    optimizer = _optimizer(task, subject.config.train.lr)
    for step in range(GRADIENT_STEPS):
        schedule_values = schedule_values_at(task, step, GRADIENT_STEPS - 1)
        with expect_no_error("forward and backward of a training step"):
            objective(task(batch, schedule_values)).backward()
        for name, parameter in wanted.items():
            if parameter.grad is None:
                continue
            used.add(name)
            expect(
                torch.isfinite(parameter.grad).all(), f"finite gradients in {name}", "NaN or inf"
            )
            if parameter.grad.any():
                reached.add(name)
        if len(reached) == len(wanted):
            break
        _update(task, optimizer)
    unused = [name for name in wanted if name not in used]
    expect(not unused, "a gradient in every parameter", f"none in {_list_names(unused)}")
    dead = [name for name in wanted if name not in reached]
    expect(
        not dead,
        "a gradient other than zero in every parameter",
        f"nothing but zeros in {_list_names(dead)} after {GRADIENT_STEPS} steps",
    )
    return f"all {len(wanted)} tensors of {sum(p.numel() for p in wanted.values()):,} parameters"


def _check_sides(task: Task, losses: Mapping[str, Tensor]) -> None:
    """Of a task with adversaries each side's loss leaves the other's weights alone."""
    critics = task.adversaries()
    if not critics:
        return
    expect("adversary" in losses, "the term 'adversary' of a part that has one", f"{[*losses]}")
    of_critics = {id(p) for critic in critics for p in critic.parameters()}
    sides = {"loss": True, "adversary": False}
    for term, foreign in sides.items():
        names = [n for n, p in task.named_parameters() if (id(p) in of_critics) == foreign]
        parameters = dict(task.named_parameters())
        gradients = torch.autograd.grad(
            losses[term], [parameters[n] for n in names], retain_graph=True, allow_unused=True
        )
        wrong = [n for n, g in zip(names, gradients, strict=True) if g is not None and g.any()]
        expect(
            not wrong,
            f"'{term}' to leave the weights of the {'adversary' if foreign else 'others'} alone",
            f"a gradient of it in {_list_names(wrong)}",
        )


def check_learning(subject: Subject) -> str:
    """Trained on one batch alone, its loss falls clearly: there is nothing to generalise."""
    rates = dict.fromkeys((subject.config.train.lr, 1e-3))
    for lr in rates:
        begin, now, steps = _overfit(subject, lr)
        figures = f"{begin:.4g} -> {now:.4g} in {steps} steps"
        if begin - now > LEAST_FALL * abs(begin):
            return figures
    raise CheckMismatch(
        f"the loss of one batch, trained on alone, to fall by {LEAST_FALL:.0%} within "
        f"{LEARNING_STEPS} steps",
        figures,
    )


def _overfit(subject: Subject, lr: float) -> tuple[float, float, int]:
    """The loss before and after, and the number of steps."""
    task, batch = subject.task(), subject.batch(training=True)
    schedule_values = schedule_values_at(task, 1, 1)
    begin = now = _loss(task, batch, schedule_values, subject.seed)
    began = time.process_time()
    for steps in _steps_of(task, batch, schedule_values, lr):
        last = steps == LEARNING_STEPS or time.process_time() - began > LEARNING_SECONDS
        if last or steps in (5, 10) or steps % 20 == 0:
            now = _loss(task, batch, schedule_values, subject.seed)
            if last or begin - now > CLEAR_FALL * abs(begin) or not math.isfinite(now):
                break
    return begin, now, steps


def schedule_values_at(task: Task, step: int, total: int) -> dict[str, Tensor]:
    """The schedules' values at a step."""
    schedule_values = task.new_schedule_values(CPU)
    task.update_schedules(schedule_values, step, total)
    return schedule_values


def train_a_little(task: Task, subject: Subject, steps: int = 3) -> None:
    """A few steps on the tiny batch; so that weights and buffers are no longer the first ones."""
    lr = subject.config.train.lr
    for step in _steps_of(task, subject.batch(training=True), schedule_values_at(task, 1, 1), lr):
        if step == steps:
            return


def _steps_of(
    task: Task, batch: Batch, schedule_values: ScheduleValues, lr: float
) -> Iterator[int]:
    """Endless steps on one batch, numbered from 1."""
    optimizer = _optimizer(task, lr)
    task.train()
    for step in itertools.count(1):
        objective(task(batch, schedule_values)).backward()
        torch.nn.utils.clip_grad_norm_(task.parameters(), 10.0)
        _update(task, optimizer)
        yield step


def _optimizer(task: Task, lr: float) -> torch.optim.Optimizer:
    """The same for every task, whatever it is tuned to: checks are no benchmark."""
    return torch.optim.Adam([p for p in task.parameters() if p.requires_grad], lr)


def _update(task: Task, optimizer: torch.optim.Optimizer) -> None:
    optimizer.step()
    optimizer.zero_grad()
    task.after_step(torch.zeros(()), Distributed(0, 1, CPU))


@torch.no_grad()
def _loss(task: Task, batch: Batch, schedule_values: ScheduleValues, seed: int) -> float:
    """The batch's loss in evaluation, with the same draws at every call."""
    was_training = task.training
    task.eval()
    value = float(task(batch, schedule_values, torch.Generator().manual_seed(seed))["loss"])
    task.train(was_training)
    return value


def _list_names(names: list[str]) -> str:
    rest = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return ", ".join(names[:4]) + rest
