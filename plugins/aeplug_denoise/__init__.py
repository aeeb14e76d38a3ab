"""Denoising: digits as in the lesson, and photographs of unknown noise."""

from __future__ import annotations

from collections.abc import Iterable

from aeplug import OptionSpec, TaskSpec, hookimpl
from aeplug_image.restoration.sheet_option import SHEET

aeplug_requires = {"PIL": "Pillow"}


@hookimpl
def aeplug_tasks() -> Iterable[TaskSpec]:
    """Digits and photographs."""
    net = {"widths": (32, 64, 80), "blocks": (1, 1, 1)}
    yield TaskSpec(
        name="denoise-mnist",
        summary="digits with noise: Gaussian, shifted Gaussian, salt and pepper",
        dataset="mnist",
        folder_dataset="image-folder",
        encoder="unet",
        latent="maps",
        decoder="unet",
        loss="psnr",
        codec="image",
        prepare="aeplug_denoise.prepare:PrepareNoisy",
        evaluate="aeplug_denoise.evaluation:evaluate_digits",
        verbs=("reconstruct",),
        options=(
            OptionSpec(
                "noise",
                "str",
                None,
                "kind of noise to add: gaussian(MEAN, SIGMA), salt-and-pepper(SHARE)",
                verbs=("evaluate",),
            ),
        ),
        weights="aeplug_denoise:weights/denoise-mnist",
        settings={
            **{
                f"{role}.{key}": value
                for role in ("encoder", "decoder")
                for key, value in net.items()
            },
            "decoder.base": "none",
            "loss.bce": "linear(1, 0, 0.3)",
            "prepare.noise": (
                "gaussian(0.5, 0.3)",
                "gaussian(0, 0.5)",
                "salt-and-pepper(0.3)",
            ),
            "train.epochs": 6,
            "train.batch_size": 128,
            "train.optimizer": "muon",
            "train.lr": 3e-3,
            "train.precision": "bf16",
            "train.ema": 0.998,
        },
    )
    net = {"widths": (64, 128, 160), "blocks": (2, 1, 1)}
    yield TaskSpec(
        name="denoise",
        summary="photographs, grey or colour, any size, noise up to sigma 50 of 255",
        dataset="photo-crops",
        folder_dataset="photo-crops",
        encoder="unet",
        latent="maps",
        decoder="unet",
        loss="charbonnier",
        codec="photo",
        prepare="aeplug_denoise.prepare:PrepareNoisy",
        evaluate="aeplug_denoise.evaluation:evaluate_photographs",
        baselines="aeplug_denoise.evaluation:photograph_baselines",
        verbs=("reconstruct",),
        options=(
            OptionSpec(
                "sigma",
                "float",
                25.0,
                "standard deviation of the noise to add, of 255",
                verbs=("evaluate",),
                minimum=0,
                maximum=255,
            ),
            OptionSpec("grey", "bool", False, "make photographs grey first", verbs=("evaluate",)),
            SHEET,
        ),
        weights="aeplug_denoise:weights/denoise",
        settings={
            **{
                f"{role}.{key}": value
                for role in ("encoder", "decoder")
                for key, value in net.items()
            },
            "prepare.noise": ("gaussian(0, 0, 0.2157)",),
            "prepare.grey": 0.7,
            # No less than the net looks, so that tiles leave no seams.
            "codec.overlap": 80,
            # Small batches: at equal crops seen, 16 a step are 0.3 dB ahead of 32.
            "train.steps": 17000,
            "train.batch_size": 16,
            "train.optimizer": "muon",
            "train.lr": 4e-3,
            "train.warmup": 100,
            "train.precision": "bf16",
            "train.ema": 0.998,
            "train.eval_every": 1000,
        },
    )
