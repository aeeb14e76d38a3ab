"""What tasks of images share, their own and other plug-ins': parts and settings; no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aeplug import OptionSpec, TaskSpec

__all__ = ["mirrored_net", "restoration_task"]

#: Muon, in most tasks at this rate, learns in a few minutes what AdamW learns in many.
TRAINING: Mapping[str, Any] = {
    "train.batch_size": 128,
    "train.optimizer": "muon",
    "train.lr": 5e-3,
    "train.precision": "bf16",
}

#: The option of ``evaluate`` that tasks over photographs have.
SHEET = OptionSpec(
    "sheet",
    "str",
    None,
    "also draw the first photographs before, after and in truth into this PNG",
    verbs=("evaluate",),
)


def mirrored_net(**net: Any) -> dict[str, Any]:
    """Settings that encoder and decoder have alike, by dotted key.

    Example:
        >>> mirrored_net(widths=(32, 64))
        {'encoder.widths': (32, 64), 'decoder.widths': (32, 64)}
    """
    return {f"{part}.{key}": value for part in ("encoder", "decoder") for key, value in net.items()}


def restoration_task(
    name: str,
    summary: str,
    *,
    photographs: bool,
    settings: Mapping[str, Any],
    options: Sequence[OptionSpec],
    codec: str = "photo",
    **more: Any,
) -> TaskSpec:
    """A task that restores photographs by a U-Net, or else digits.

    Example:
        >>> task = restoration_task("deblur", "", photographs=True, settings={}, options=())
        >>> task.dataset, task.loss, [option.name for option in task.options]
        ('photo-crops', 'charbonnier', ['sheet'])
    """
    of_digits = {"decoder.base": "none", "loss.bce": "linear(1, 0, 0.3)"}
    return TaskSpec(
        name=name,
        summary=summary,
        dataset="photo-crops" if photographs else "mnist",
        folder_dataset="photo-crops" if photographs else "image-folder",
        encoder="unet",
        latent="maps",
        decoder="unet",
        loss="charbonnier" if photographs else "psnr",
        codec=codec,
        verbs=("reconstruct",),
        options=(*options, SHEET) if photographs else tuple(options),
        settings={**TRAINING, "train.ema": 0.998, **({} if photographs else of_digits), **settings},
        **more,
    )
