"""How quick the melody nets are: in training against the same net step by step, and in sampling.

Training: two copies of a task's net take the same batches in alternation, forward, backward and
optimizer step, in bf16; once as it is, all steps of a window as one product, and once with the
decoder's steps in a Python loop, as a recurrent decoder with scheduled sampling runs. Printed are
windows a second of both and their ratio (median of the rounds).

Sampling: `melody-2bar` draws 1,000 melodies, as `aeplug sample` does, without writing files.

    python benchmarks/melody_speed.py [--task melody-2bar]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

import aeplug
from aeplug.config import resolve
from aeplug.data import open_dataset
from aeplug.interfaces import Context, ScheduleValues
from aeplug.model import objective
from aeplug.plugins import active
from aeplug.runtime import Distributed, pick_device
from aeplug.training import Trainer
from aeplug_music.melodies.stepwise import START, StepwiseDecoder, history, lags_in_steps
from aeplug_music.nets.history import agreement, corrupt_history
from aeplug_music.nets.reference_pitch import estimate_reference, to_relative
from aeplug_music.nets.token_output import TokenOutput


def step_by_step(
    decoder: StepwiseDecoder,
) -> Callable[[Tensor, Context, ScheduleValues], TokenOutput]:
    """The decoder's teacher-forced pass with a Python loop over steps."""

    def forward(z: Tensor, context: Context, schedule_values: ScheduleValues) -> TokenOutput:
        assert context.target is not None
        metre = context.cond["metre"]
        plan, reference = decoder.plan(z, metre)
        tokens = to_relative(context.target, estimate_reference(context.target))
        if decoder.training and decoder.token_noise:
            tokens = corrupt_history(tokens, decoder.token_noise)
        before = functional.pad(tokens[:, :-1], (1, 0), value=START)
        bar = decoder.bar[metre]
        views = history(before, bar, decoder.back)
        agreements = agreement(before, lags_in_steps(bar, decoder.back))
        logits = [
            decoder._step(
                plan[:, step : step + 1],
                views[:, step : step + 1],
                agreements[:, step : step + 1],
                metre,
                torch.tensor([step], device=z.device),
            )
            for step in range(decoder.steps)
        ]
        return TokenOutput(torch.cat(logits, 1), reference)

    return forward


def windows_a_second(training: Trainer, steps: int, first: int) -> float:
    settings, device = training.config.train, training.distributed.device
    schedule_values = training.task.new_schedule_values(device)
    training.task.update_schedules(schedule_values, 0, training.plan.total)
    training.task.train()
    generator = torch.Generator(device).manual_seed(first)
    began = time.perf_counter()
    for step in range(steps):
        start = (first + step) * settings.batch_size % (len(training.train_split) // 2)
        rows = torch.arange(start, start + settings.batch_size, device=device)
        batch = training.prepare(training.train_split.take(rows), generator, training=True)
        with torch.autocast(device.type, torch.bfloat16):
            losses = training.task(batch, schedule_values)
        objective(losses).backward()
        training._step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return steps * settings.batch_size / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--task", default="melody-2bar")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    plugins = active()
    config = resolve(plugins.task(options.task), plugins, {})
    dataset, distributed = open_dataset(config), Distributed(0, 1, pick_device(options.device))
    whole, loop = (Trainer(config, dataset, plugins, None, distributed) for _ in range(2))
    loop.task.decoder.forward = step_by_step(loop.task.decoder)
    ratios = []
    for number in range(options.rounds + 1):
        a = windows_a_second(whole, options.steps, number)
        b = windows_a_second(loop, options.steps, number)
        if number:  # the first round warms up
            ratios.append(a / b)
            print(f"{options.task}: {a:.0f} windows/s, step by step {b:.0f}, {a / b:.2f} times")
    print(f"median: {statistics.median(ratios):.2f} times (bar: 2)")

    model = aeplug.load("melody-2bar", device=options.device)
    model.sample(10, seed=0)
    times = []
    for seed in range(options.rounds):
        began = time.perf_counter()
        model.sample(1000, seed=seed, temperature=0.5)
        times.append(time.perf_counter() - began)
    print(f"1,000 two-bar melodies: {statistics.median(times):.2f} s (bar: 2)")


if __name__ == "__main__":
    main()
