"""The tasks of drums with their codec, data set, parts and attributes; imports no torch."""

from __future__ import annotations

from typing import Any

from aeplug import (
    AttributeSpec,
    CodecSpec,
    DatasetSpec,
    DecoderSpec,
    DemoSpec,
    EncoderSpec,
    OptionSpec,
    SamplingDefaults,
    TaskSpec,
)
from aeplug_music.nets.settings import LONG_TREE, TRAINING
from aeplug_music.score.options import SOUNDFONT, TEMPO, WAV

_ATTRIBUTES = "aeplug_music.drums.attributes"

HIT_ATTRIBUTES = (
    AttributeSpec(
        "hits-per-bar", f"{_ATTRIBUTES}:hits_per_bar", "hits a bar", "how much is played"
    ),
    AttributeSpec(
        "off-beat", f"{_ATTRIBUTES}:off_beat", "share of hits", "hits that are not on an eighth"
    ),
    AttributeSpec(
        "drums-used", f"{_ATTRIBUTES}:drums_used", "drums", "how many of the nine drums are hit"
    ),
    AttributeSpec(
        "change", f"{_ATTRIBUTES}:change", "share of places", "how much a bar differs from the next"
    ),
    AttributeSpec("kick", f"{_ATTRIBUTES}:kick", "share of hits", "hits of the kick"),
    AttributeSpec("snare", f"{_ATTRIBUTES}:snare", "share of hits", "hits of the snare"),
    AttributeSpec("toms", f"{_ATTRIBUTES}:toms", "share of hits", "hits of toms"),
    AttributeSpec(
        "ride", f"{_ATTRIBUTES}:ride", "share of hits", "the ride among hi-hats and ride"
    ),
)
GROOVE_ATTRIBUTES = (
    *HIT_ATTRIBUTES,
    AttributeSpec(
        "loudness", f"{_ATTRIBUTES}:loudness", "MIDI velocity", "mean velocity of the hits"
    ),
    AttributeSpec(
        "dynamics", f"{_ATTRIBUTES}:dynamics", "MIDI velocity", "standard deviation of velocities"
    ),
    AttributeSpec(
        "lateness", f"{_ATTRIBUTES}:lateness", "steps", "mean offset; below 0 ahead of the beat"
    ),
    AttributeSpec(
        "looseness", f"{_ATTRIBUTES}:looseness", "steps", "standard deviation of the offsets"
    ),
)

CODEC = CodecSpec(
    "drums",
    "aeplug_music.drums.codec:DrumCodec",
    "drums from MIDI or text patterns, with velocity and timing",
    suffixes=(".mid", ".midi", ".drums"),
    options=(TEMPO, WAV, SOUNDFONT),
)
DATASET = DatasetSpec(
    "drums",
    "aeplug_music.drums.dataset:DrumDataset",
    "windows of bars of the bundled drum patterns, or of your own MIDI files and patterns",
)

ENCODERS = (
    EncoderSpec(
        "drum-bars", "aeplug_music.drums.encoder:DrumEncoder", "bars of drums, merged up a tree"
    ),
)
DECODERS = (
    DecoderSpec(
        "drum-hits", "aeplug_music.drums.hits:DrumDecoder", "which of nine drums are hit at a step"
    ),
    DecoderSpec(
        "drum-groove",
        "aeplug_music.drums.groove:GrooveDecoder",
        "hits with their velocities and offsets",
    ),
)

_SETTINGS: dict[str, Any] = {**TRAINING, "latent.size": 128}

TASKS = (
    TaskSpec(
        name="drums-2bar",
        summary="two bars of drums: nine classes of hits; sample, morph, vary patterns",
        dataset="drums",
        folder_dataset="drums",
        encoder="drum-bars",
        latent="gaussian",
        decoder="drum-hits",
        loss="sequence-elbo",
        codec="drums",
        prepare="aeplug_music.drums.prepare:PrepareDrums",
        evaluate="aeplug_music.drums.evaluation:evaluate_hits",
        settings={**_SETTINGS, "loss.beta": "linear(0.1, 0.3, 0.6)", "train.steps": 2000},
        weights="aeplug_music:weights/drums-2bar",
        sampling=SamplingDefaults(temperature=0.5, prior="gmm"),
        attributes=HIT_ATTRIBUTES,
        demo=DemoSpec(
            inputs=("patterns/funk-corner.drums", "patterns/latin-bossa.drums"), order=30
        ),
    ),
    TaskSpec(
        name="drums-16bar",
        summary="sixteen bars of drums, by a hierarchy of bars and phrases",
        dataset="drums",
        folder_dataset="drums",
        encoder="drum-bars",
        latent="gaussian",
        decoder="drum-hits",
        loss="sequence-elbo",
        codec="drums",
        prepare="aeplug_music.drums.prepare:PrepareDrums",
        evaluate="aeplug_music.drums.evaluation:evaluate_hits",
        settings={
            **_SETTINGS,
            "data.bars": 16,
            # A few hundred performances have few passages of sixteen bars: most of what is trained
            # on has to be made by augmentation.
            "prepare.rotated": 0.2,
            "prepare.recombined": 0.0,
            "prepare.rearranged": 0.9,
            "prepare.mixed": 0.3,
            "prepare.dropped": 0.1,
            "prepare.swapped": 0.15,
            "prepare.edited": 0.3,
            **LONG_TREE,
            "decoder.slice": 96,
            "decoder.step_width": 192,
            "decoder.agreement": True,
            "decoder.token_noise": 0.1,
            "latent.size": 512,
            "loss.beta": "linear(0.02, 0.2, 0.7)",
            "train.batch_size": 128,
            "train.steps": 6200,
        },
        weights="aeplug_music:weights/drums-16bar",
        sampling=SamplingDefaults(temperature=0.5, prior="gmm"),
        attributes=HIT_ATTRIBUTES,
    ),
    TaskSpec(
        name="groove",
        summary="velocity and timing of drums: humanize a pattern, tap a rhythm, transfer a groove",
        dataset="drums",
        folder_dataset="drums",
        encoder="drum-bars",
        latent="gaussian",
        decoder="drum-groove",
        loss="sequence-elbo",
        codec="drums",
        prepare="aeplug_music.drums.prepare:PrepareGroove",
        evaluate="aeplug_music.drums.evaluation:evaluate_groove",
        options=(
            OptionSpec(
                "given",
                "str",
                "all",
                "input taken from files: all; score: the hits, which are kept; rhythm: one voice",
                verbs=("reconstruct", "vary", "interpolate", "embed"),
                choices=("all", "score", "rhythm"),
            ),
        ),
        settings={**_SETTINGS, "loss.beta": "linear(0.05, 0.2, 0.6)", "train.steps": 2500},
        weights="aeplug_music:weights/groove",
        attributes=GROOVE_ATTRIBUTES,
    ),
)
