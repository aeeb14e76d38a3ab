"""Several processes through torch's own DDP, as started by ``torchrun``; one process otherwise."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch import distributed as dist

from aeplug.errors import TrainingError


@dataclass(frozen=True)
class Distributed:
    """This process among those of the run.

    Attributes:
        rank: 0 writes, all compute.
        size: number of processes.
        device: this process's device.

    Example:
        >>> alone = Distributed(0, 1, torch.device("cpu"))
        >>> alone.is_main, alone.sum(torch.tensor([1.0, 2.0]))
        (True, tensor([1., 2.]))
    """

    rank: int
    size: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        """Whether this is rank 0, which alone writes files and prints."""
        return self.rank == 0

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum over all processes, on each of them (in place)."""
        if self.size > 1:
            dist.all_reduce(tensor)
        return tensor

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in any process."""
        if self.size == 1:
            return flag
        return bool(self.sum(torch.tensor(float(flag), device=self.device)).item())

    def share(self, text: str) -> str:
        """The text of rank 0, in every process."""
        if self.size == 1:
            return text
        texts = [text]
        dist.broadcast_object_list(texts)
        return texts[0]

    def barrier(self) -> None:
        """Wait for all processes."""
        if self.size > 1:
            dist.barrier()


def is_main_process() -> bool:
    """Whether this is the process that prints results, of those that ``torchrun`` started."""
    return os.environ.get("RANK", "0") == "0"


def pick_device(name: str = "auto") -> torch.device:
    """``auto`` is the first of cuda, mps, cpu that is there.

    Raises:
        TrainingError: the device asked for is unknown or not available.

    Example:
        >>> pick_device("cpu")
        device(type='cpu')
        >>> pick_device("gpu")
        Traceback (most recent call last):
            ...
        aeplug.errors.TrainingError: no device is called 'gpu'; expected auto, cpu, cuda, cuda:1,
            mps
    """
    if name == "auto":
        if torch.cuda.is_available():
            name = "cuda"
        else:
            name = "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise TrainingError(
            f"no device is called '{name}'; expected auto, cpu, cuda, cuda:1, mps"
        ) from None
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            raise TrainingError(f"device '{name}' is not available: {count} CUDA devices found")
    elif device.type == "mps" and not torch.backends.mps.is_available():
        raise TrainingError("device 'mps' is not available here")
    elif device.type not in ("cpu", "mps"):
        raise TrainingError(f"device '{name}' is not supported; expected auto, cpu, cuda or mps")
    return device


@cache
def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies matrices of bfloat16 faster than those of float32.

    A CPU without instructions for it takes many times as long: every product is converted.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        # Of oneDNN's kernels those of x86 alone: on ARM it depends on the build.
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return True


@contextmanager
def init_distributed(device_name: str = "auto") -> Iterator[Distributed]:
    """Join the processes that ``torchrun`` started (WORLD_SIZE is set), or stand alone."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    device = pick_device(device_name)
    if size == 1:
        yield Distributed(0, 1, device)
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Distributed(dist.get_rank(), size, device)
    finally:
        # DDP refers to itself. Left to the interpreter's end it would keep gloo's threads alive
        # until they abort the process ("terminate called without an active exception").
        gc.collect()
        dist.destroy_process_group()
