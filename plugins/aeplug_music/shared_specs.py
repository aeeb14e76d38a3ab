"""What the tasks of melodies and drums have in common: options of their codecs, how they train."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from aeplug import OptionSpec

TEMPO = OptionSpec(
    "tempo",
    "float",
    None,
    "quarters a minute (else the tune's own, or 120)",
    minimum=10,
    maximum=1000,
)
WAV = OptionSpec("wav", "bool", False, "also write a .wav beside each .mid")
SOUNDFONT = OptionSpec(
    "soundfont",
    "str",
    None,
    "an .sf2 that plays the .wav, in place of the one that comes along",
)

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
