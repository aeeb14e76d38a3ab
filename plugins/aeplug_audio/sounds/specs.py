"""The task ``audio-vae``, made of :mod:`aeplug_image`'s parts, with its codec and data set."""

from __future__ import annotations

from typing import Any

from aeplug import CodecSpec, DatasetSpec, OptionSpec, TaskSpec
from aeplug_audio.files import RECORDING_SUFFIXES

CODEC = CodecSpec(
    "sound",
    "aeplug_audio.sounds.codec:SoundCodec",
    "sounds as log-mel spectrograms, and back by Griffin-Lim",
    suffixes=RECORDING_SUFFIXES,
)

DATASET = DatasetSpec(
    "notes",
    "aeplug_audio.sounds.dataset:NoteDataset",
    "single notes rendered from a soundfont, or your own sounds",
    builder="aeplug_audio.sounds.build:build_notes",
    options=(
        OptionSpec(
            "render",
            "str",
            "0-119",
            "General MIDI programs to render, such as 0-7,40",
            verbs=(),
        ),
        OptionSpec("pitches", "str", "36-84", "MIDI numbers of the notes to render", verbs=()),
        OptionSpec(
            "velocities", "str", "100", "velocities of the notes to render, 1 to 127", verbs=()
        ),
    ),
    needs_folder=True,
    sourceless=True,
)

_NET: dict[str, Any] = {"widths": (16, 32, 48, 64, 64), "blocks": (0, 1, 1, 1, 1), "hidden": 256}

TASKS = (
    TaskSpec(
        name="audio-vae",
        summary="notes and short sounds in 32 latent dimensions: sample, morph and vary timbres",
        dataset="notes",
        folder_dataset="notes",
        encoder="conv",
        latent="gaussian",
        decoder="conv",
        loss="elbo",
        codec="sound",
        prepare="aeplug_audio.sounds.prepare:PrepareSound",
        evaluate="aeplug_audio.sounds.evaluation:evaluate",
        baselines="aeplug_audio.sounds.evaluation:pca_baseline",
        settings={
            "latent.size": 32,
            **{
                f"{part}.{key}": value
                for part in ("encoder", "decoder")
                for key, value in _NET.items()
            },
            "prepare.gain": 6.0,
            "loss.pixels": "gaussian",
            "loss.sigma": 0.06,
            "loss.beta": "linear(0.2, 1, 0.5)",
            "train.epochs": 16,
            "train.batch_size": 64,
            "train.optimizer": "muon",
            "train.lr": 5e-3,
            "train.ema": 0.998,
            "train.precision": "bf16",
        },
        weights="aeplug_audio:weights/audio-vae",
    ),
)
