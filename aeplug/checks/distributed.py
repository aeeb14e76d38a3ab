"""Whether two processes learn what one does: DDP over gloo on the CPU."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist

from aeplug.checks.isolation import sources_of
from aeplug.checks.learning import schedule_values_at
from aeplug.checks.outcome import CheckMismatch, Skipped
from aeplug.checks.subject import Subject
from aeplug.data.batching import slice_batch
from aeplug.interfaces import Batch
from aeplug.model.task import Task, objective

SIZE = 2
#: Processes that are not done by then wait for each other.
SECONDS = 120
#: Gradients differ by the order of summing alone.
TOLERANCE = 1e-3
#: Exit code of a process where there is no way to connect two.
CANNOT = 75

#: What of a task's description decides how it is trained.
ESSENTIAL = (
    *("name", "summary", "dataset", "encoder", "latent", "decoder", "loss", "codec", "prepare"),
    "folder_dataset",
)

JOB, GRADIENTS, RENDEZVOUS = "job.json", "gradients.pt", "rendezvous"


class Together:
    """Two processes at work on a subject; started early, since they take seconds to begin.

    Args:
        subject: what they train.

    Raises:
        Skipped: they cannot be started here.
    """

    def __init__(self, subject: Subject) -> None:
        if not (dist.is_available() and dist.is_gloo_available()):
            raise Skipped("this torch has no gloo")
        if subject.items % SIZE:
            raise Skipped("the training split has a single item")
        job = _job(subject)
        self.subject = subject
        self._temporary = TemporaryDirectory(prefix="aeplug-check-")
        self._folder = Path(self._temporary.name)
        (self._folder / JOB).write_text(job, encoding="utf-8")
        self._errors = [self._folder / f"error-{rank}.txt" for rank in range(SIZE)]
        self._processes = [self._start(rank) for rank in range(SIZE)]

    def _start(self, rank: int) -> subprocess.Popen[bytes]:
        path = os.pathsep.join(str(Path(entry).resolve()) for entry in sys.path)
        threads = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
        arguments = [sys.executable, "-m", "aeplug.checks.worker", str(self._folder), str(rank)]
        with self._errors[rank].open("wb") as stderr:
            return subprocess.Popen(
                arguments,
                # What this process imports, those two must find as well.
                env={**os.environ, **threads, "PYTHONPATH": path},
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            )

    def close(self) -> None:
        """End what still runs."""
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        self._temporary.cleanup()

    def gradients(self) -> dict[str, Tensor]:
        """The gradients that the processes agreed on, by parameter's name."""
        for rank, process in enumerate(self._processes):
            try:
                code = process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                raise CheckMismatch(
                    f"two processes to be done within {SECONDS} s",
                    "that they wait for each other; both take the same path through a model",
                ) from None
            if code:
                text = self._errors[rank].read_text(encoding="utf-8", errors="replace")
                said = [line.strip() for line in text.splitlines() if line.strip()]
                line = said[-1][:300] if said else f"exit code {code}"
                if code == CANNOT:
                    raise Skipped(f"two processes cannot be connected here: {line}")
                raise CheckMismatch("two processes to train together", line)
        return torch.load(self._folder / GRADIENTS, weights_only=True)


def check_processes(together: Together) -> str:
    """The gradient that two processes agree on is the mean of their shares' in one."""
    subject = together.subject
    task = subject.task()
    shares = [gradients(task, share(subject, rank), rank) for rank in range(SIZE)]
    alone = {name: torch.stack([each[name] for each in shares]).mean(0) for name in shares[0]}
    common = together.gradients()
    largest = max((value.abs().max().item() for value in alone.values()), default=0.0)
    worst, where = 0.0, ""
    for name, expected in alone.items():
        gap = (common[name] - expected).abs().max().item() / max(largest, 1e-12)
        if gap > worst:
            worst, where = gap, name
    if worst > TOLERANCE:
        raise CheckMismatch(
            "two processes to have the gradient that one has of both shares",
            f"{_ratio(common, alone, where)} in {where}",
        )
    return f"{SIZE} processes, gradients within {worst:.1g} of the largest"


def _ratio(common: dict[str, Tensor], alone: dict[str, Tensor], where: str) -> str:
    ratio = float(common[where].abs().sum() / alone[where].abs().sum())
    return f"{ratio:.2g} times its size" if math.isfinite(ratio) else "another one"


def share(subject: Subject, rank: int) -> Batch:
    """A process's part of the tiny batch."""
    return slice_batch(subject.batch(training=True), slice(rank, None, SIZE))


def gradients(model: nn.Module, batch: Batch, rank: int) -> dict[str, Tensor]:
    """Gradients by parameter's name, of a task or of DDP around it.

    Draws are those of the process of this rank. Taken twice: only at the second time DDP tells
    that a parameter had no part in the first.
    """
    task = next(module for module in model.modules() if isinstance(module, Task))
    schedule_values = schedule_values_at(task, 1, 1)
    for _ in range(2):
        model.zero_grad()
        torch.manual_seed(rank)
        objective(model(batch, schedule_values)).backward()
    return {n: p.grad.clone() for n, p in task.named_parameters() if p.grad is not None}


def _job(subject: Subject) -> str:
    """What another process needs to make the subject again, as JSON."""
    sources = sources_of(subject.plugins)
    for source in sources:
        if not source.file:
            raise Skipped(f"plug-in '{source.name}' lives in this process only")
    spec = {name: getattr(subject.spec, name) for name in ESSENTIAL}
    job: dict[str, Any] = {
        "spec": {**spec, "settings": dict(subject.spec.settings)},
        "settings": subject.layer,
        "sources": [vars(source) for source in sources],
        "seed": subject.seed,
    }
    try:
        return json.dumps(job)
    except TypeError as error:
        raise Skipped(f"its settings cannot be handed to another process: {error}") from error
