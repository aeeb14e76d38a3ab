"""Super-resolution: digits from a quarter of their pixels, and photographs at twice their size."""

from __future__ import annotations

from collections.abc import Iterable

from aeplug import OptionSpec, TaskSpec, hookimpl
from aeplug_image.restoration.sheet_option import SHEET

_SCALE = OptionSpec(
    "scale", "int", None, "scale; must equal the model's", verbs=("evaluate",), minimum=2
)

aeplug_requires = {"PIL": "Pillow"}


@hookimpl
def aeplug_tasks() -> Iterable[TaskSpec]:
    """Digits and photographs."""
    yield TaskSpec(
        name="superres-mnist",
        summary="digits of 28x28 from 14x14 pixels",
        dataset="mnist",
        folder_dataset="image-folder",
        encoder="unet",
        latent="maps",
        decoder="unet",
        loss="psnr",
        codec="photo",
        prepare="aeplug_superres.prepare:PrepareReduced",
        evaluate="aeplug_superres.evaluation:evaluate",
        baselines="aeplug_superres.evaluation:baselines",
        verbs=("reconstruct",),
        options=(_SCALE,),
        weights="aeplug_superres:weights/superres-mnist",
        settings={
            "encoder.widths": (48, 48),
            "encoder.blocks": (2, 1),
            "encoder.fold": 1,
            "decoder.widths": (48, 48),
            "decoder.blocks": (2, 1),
            "decoder.fold": 1,
            "decoder.base": "none",
            "loss.bce": "linear(1, 0, 0.3)",
            "train.epochs": 10,
            "train.batch_size": 128,
            "train.optimizer": "muon",
            "train.lr": 3e-3,
            "train.precision": "bf16",
            "train.ema": 0.998,
        },
    )
    yield TaskSpec(
        name="superres",
        summary="photographs of any size, twice as large (3 or 4 times: --set prepare.scale)",
        dataset="photo-crops",
        folder_dataset="photo-crops",
        encoder="unet",
        latent="maps",
        decoder="unet",
        loss="charbonnier",
        codec="photo",
        prepare="aeplug_superres.prepare:PrepareReduced",
        evaluate="aeplug_superres.evaluation:evaluate",
        baselines="aeplug_superres.evaluation:baselines",
        verbs=("reconstruct",),
        options=(_SCALE, SHEET),
        weights="aeplug_superres:weights/superres",
        settings={
            "data.channels": 1,
            "data.crop": 64,
            "encoder.widths": (48, 64),
            "encoder.blocks": (8, 3),
            "encoder.fold": 1,
            "decoder.widths": (48, 64),
            "decoder.blocks": (8, 3),
            "decoder.fold": 1,
            "train.steps": 2900,
            "train.batch_size": 32,
            "train.optimizer": "muon",
            "train.lr": 1.5e-3,
            "train.warmup": 100,
            "train.weight_decay": 0.05,
            "train.precision": "bf16",
            "train.ema": 0.998,
            "train.eval_every": 500,
        },
    )
