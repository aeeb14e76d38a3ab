"""What two runs have in common, to the last bit."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file

from aeplug.model.run_folder import RunFolder


def state(folder: Path) -> tuple[dict[str, torch.Tensor], dict]:
    """Everything of a run's last checkpoint but the seconds."""
    last = folder / "checkpoints" / "last"
    trainer = torch.load(last / "trainer.pt", weights_only=True)
    trainer["state"].pop("seconds")
    return load_file(last / "model.safetensors"), trainer


def assert_bit_equal(a, b, where=""):
    assert type(a) is type(b), where
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b), where
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            assert_bit_equal(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b), where
        for number, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_bit_equal(x, y, f"{where}.{number}")
    else:
        assert a == b, where


def records(folder: Path) -> list[dict]:
    """Lines of metrics.jsonl but for the seconds."""
    found = RunFolder(folder).metrics()
    return [{k: v for k, v in record.items() if k != "seconds"} for record in found]
