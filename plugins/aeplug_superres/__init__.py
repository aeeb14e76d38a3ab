"""Super-resolution: digits from a quarter of their pixels, and photographs at twice their size."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aeplug import OptionSpec, TaskSpec, hookimpl
from aeplug_image.compositions import mirrored_net, restoration_task

_SCALE = OptionSpec(
    "scale", "int", None, "scale; must equal the model's", verbs=("evaluate",), minimum=2
)

aeplug_requires = {"PIL": "Pillow"}


@hookimpl
def aeplug_tasks() -> Iterable[TaskSpec]:
    """Digits and photographs."""
    shared: dict[str, Any] = {
        "options": (_SCALE,),
        "prepare": "aeplug_superres.prepare:PrepareReduced",
        "evaluate": "aeplug_superres.evaluation:evaluate",
        "baselines": "aeplug_superres.evaluation:baselines",
    }
    yield restoration_task(
        "superres-mnist",
        "digits of 28x28 from 14x14 pixels",
        photographs=False,
        weights="aeplug_superres:weights/superres-mnist",
        settings={
            **mirrored_net(widths=(48, 48), blocks=(2, 1), fold=1),
            "train.epochs": 10,
            "train.lr": 3e-3,
        },
        **shared,
    )
    yield restoration_task(
        "superres",
        "photographs of any size, twice as large (3 or 4 times: --set prepare.scale)",
        photographs=True,
        weights="aeplug_superres:weights/superres",
        settings={
            **mirrored_net(widths=(48, 64), blocks=(8, 3), fold=1),
            "data.channels": 1,
            "data.crop": 64,
            "train.steps": 2900,
            "train.batch_size": 32,
            "train.lr": 1.5e-3,
            "train.warmup": 100,
            "train.weight_decay": 0.05,
            "train.eval_every": 500,
        },
        **shared,
    )
