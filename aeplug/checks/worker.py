"""One of the two processes of :mod:`aeplug.checks.distributed`: ``FOLDER RANK``."""

from __future__ import annotations

import gc
import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel

from aeplug.checks.distributed import (
    CANNOT,
    GRADIENTS,
    JOB,
    RENDEZVOUS,
    SECONDS,
    SIZE,
    gradients,
    share,
)
from aeplug.checks.isolation import Source, plugins_from
from aeplug.checks.outcome import describe_failure
from aeplug.checks.subject import CPU, Subject
from aeplug.errors import AeplugError
from aeplug.plugins import activate
from aeplug.plugins.specs import TaskSpec
from aeplug.runtime.distributed import Distributed


def main(folder: Path, rank: int) -> int:
    """Compute this process's share; the exit code. What went wrong is the last line of stderr."""
    job = json.loads((folder / JOB).read_text(encoding="utf-8"))
    try:
        dist.init_process_group(
            "gloo",
            init_method=(folder / RENDEZVOUS).as_uri(),
            rank=rank,
            world_size=SIZE,
            timeout=timedelta(seconds=SECONDS),
        )
        dist.barrier()
    except Exception as error:  # whatever the sockets of this machine raise
        print(" ".join(str(error).split()), file=sys.stderr)
        return CANNOT
    try:
        _work(job, folder, rank)
    except AeplugError as error:
        print(error, file=sys.stderr)
        return 1
    except Exception as error:
        print(describe_failure(error), file=sys.stderr)
        return 1
    gc.collect()  # DDP refers to itself, and must be gone before its group is
    dist.destroy_process_group()
    return 0


def _work(job: dict[str, Any], folder: Path, rank: int) -> None:
    plugins = plugins_from(Source(**source) for source in job["sources"])
    activate(plugins)
    subject = Subject(TaskSpec(**job["spec"]), plugins, job["settings"], seed=job["seed"])
    model = DistributedDataParallel(subject.task())
    own_gradients = gradients(model, share(subject, rank), rank)
    if rank == 0:
        torch.save(own_gradients, folder / GRADIENTS)
    _step(model, rank)


#: Running statistics of batches: DDP sends those of the first process before each step.
_OF_BATCHES = ("running_mean", "running_var", "num_batches_tracked")


@torch.no_grad()
def _step(model: DistributedDataParallel, rank: int) -> None:
    """A step with the common gradient, and what parts move by themselves: both must stay alike."""
    for parameter in model.parameters():
        if parameter.grad is not None:
            parameter.sub_(parameter.grad, alpha=1e-3)
    model.module.after_step(torch.zeros(()), Distributed(rank, SIZE, CPU))
    for name, value in model.module.state_dict().items():
        if name.endswith(_OF_BATCHES):
            continue
        others = [torch.empty_like(value) for _ in range(SIZE)]
        dist.all_gather(others, value.contiguous())
        if not torch.equal(*others):
            gap = (others[0].double() - others[1].double()).abs().max().item()
            raise AeplugError(f"{name} differs between them by up to {gap:.3g} after a step")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
