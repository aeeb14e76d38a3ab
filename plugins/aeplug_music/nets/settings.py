"""Training and tree settings of melody and drum tasks, apart so that start-up imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

#: Settings of training, where a task does not say otherwise.
TRAINING: Mapping[str, Any] = MappingProxyType(
    {
        "latent.mean_share": 0.2,
        "train.batch_size": 512,
        "train.optimizer": "muon",
        "train.lr": 4e-3,
        "train.warmup": 300,
        "train.weight_decay": 0.02,
        "train.beta2": 0.98,
        "train.clip": 20.0,
        "train.ema": 0.998,
        "train.precision": "bf16",
        "train.eval_every": 500,
    }
)

#: Trees over sixteen bars: a bar's vector is narrower than the window's, and no residual layer lies
#: between.
LONG_TREE: Mapping[str, Any] = MappingProxyType(
    {
        f"{part}.{name}": value
        for part in ("encoder", "decoder")
        for name, value in {"width": 512, "bar_width": 256, "layers": 0}.items()
    }
)
