"""Denoising: digits as in the lesson, and photographs of unknown noise.

Large photographs go through in tiles: :mod:`aeplug_image.files.tiles`, in the codec ``photo``.
"""

from __future__ import annotations

from collections.abc import Iterable

from aeplug import OptionSpec, TaskSpec, hookimpl
from aeplug_image.compositions import mirrored_net, restoration_task

aeplug_requires = {"PIL": "Pillow"}


@hookimpl
def aeplug_tasks() -> Iterable[TaskSpec]:
    """Digits and photographs."""
    yield restoration_task(
        "denoise-mnist",
        "digits with noise: Gaussian, shifted Gaussian, salt and pepper",
        photographs=False,
        codec="image",
        prepare="aeplug_denoise.prepare:PrepareNoisy",
        evaluate="aeplug_denoise.evaluation:evaluate_digits",
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
            **mirrored_net(widths=(32, 64, 80), blocks=(1, 1, 1)),
            "prepare.noise": (
                "gaussian(0.5, 0.3)",
                "gaussian(0, 0.5)",
                "salt-and-pepper(0.3)",
            ),
            "train.epochs": 6,
            "train.lr": 3e-3,
        },
    )
    yield restoration_task(
        "denoise",
        "photographs, grey or colour, any size, noise up to sigma 50 of 255",
        photographs=True,
        prepare="aeplug_denoise.prepare:PrepareNoisy",
        evaluate="aeplug_denoise.evaluation:evaluate_photographs",
        baselines="aeplug_denoise.evaluation:photograph_baselines",
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
        ),
        weights="aeplug_denoise:weights/denoise",
        settings={
            **mirrored_net(widths=(64, 128, 160), blocks=(2, 1, 1)),
            "prepare.noise": ("gaussian(0, 0, 0.2157)",),
            "prepare.grey": 0.7,
            # No less than the net looks, so that tiles leave no seams.
            "codec.overlap": 80,
            # Small batches: at equal crops seen, 16 a step are 0.3 dB ahead of 32.
            "train.steps": 17000,
            "train.batch_size": 16,
            "train.lr": 4e-3,
            "train.warmup": 100,
            "train.eval_every": 1000,
        },
    )
