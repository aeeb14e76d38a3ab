"""The tasks of drums with their codec, data set, parts and attributes; imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aeplug import (
    AttributeSpec,
    CodecSpec,
    DatasetSpec,
    DecoderSpec,
    DemoSpec,
    EncoderSpec,
    GuardSpec,
    OptionSpec,
    SamplingDefaults,
    TaskSpec,
)
from aeplug_music.midi.suffixes import MIDI_SUFFIXES, PATTERN_SUFFIX
from aeplug_music.nets.settings import LONG_TREE, TRAINING
from aeplug_music.score.options import (
    BARS,
    CONSTRAINED,
    DENSITY,
    ONLY,
    SOUNDFONT,
    TEMPO,
    WAV,
)


def _attribute(name: str, unit: str, summary: str) -> AttributeSpec:
    """One that the function of its name in :mod:`aeplug_music.drums.attributes` measures."""
    measure = f"aeplug_music.drums.attributes:{name.replace('-', '_')}"
    return AttributeSpec(name, measure, unit, summary)


HIT_ATTRIBUTES = (
    _attribute("hits-per-bar", "hits a bar", "how much is played"),
    _attribute("off-beat", "share of hits", "hits that are not on an eighth"),
    _attribute("drums-used", "drums", "how many of the nine drums are hit"),
    _attribute("change", "share of places", "how much a bar differs from the next"),
    _attribute("kick", "share of hits", "hits of the kick"),
    _attribute("snare", "share of hits", "hits of the snare"),
    _attribute("toms", "share of hits", "hits of toms"),
    _attribute("ride", "share of hits", "the ride among hi-hats and ride"),
)
GROOVE_ATTRIBUTES = (
    *HIT_ATTRIBUTES,
    _attribute("loudness", "MIDI velocity", "mean velocity of the hits"),
    _attribute("dynamics", "MIDI velocity", "standard deviation of velocities"),
    _attribute("lateness", "steps", "mean offset; below 0 ahead of the beat"),
    _attribute("looseness", "steps", "standard deviation of the offsets"),
)

ONLY_DRUMS = OptionSpec(
    "only-drums",
    "str",
    None,
    "drums that may be hit in what is new, such as kick,snare,closed-hi-hat; default: all nine",
    verbs=CONSTRAINED,
)
CODEC = CodecSpec(
    "drums",
    "aeplug_music.drums.codec:DrumCodec",
    "drums from MIDI or text patterns, with velocity and timing",
    suffixes=(*MIDI_SUFFIXES, PATTERN_SUFFIX),
    options=(TEMPO, ONLY, WAV, SOUNDFONT, BARS, DENSITY, ONLY_DRUMS),
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


def _task(name: str, summary: str, settings: Mapping[str, Any], **more: Any) -> TaskSpec:
    """A task on drums: hits, unless its parts are named."""
    parts: dict[str, Any] = {
        "decoder": "drum-hits",
        "prepare": "aeplug_music.drums.prepare:PrepareDrums",
        "evaluate": "aeplug_music.drums.evaluation:evaluate_hits",
        "sampling": SamplingDefaults(temperature=0.5, prior="gmm"),
        "attributes": HIT_ATTRIBUTES,
    }
    return TaskSpec(
        name=name,
        summary=summary,
        dataset="drums",
        folder_dataset="drums",
        encoder="drum-bars",
        latent="gaussian",
        loss="sequence-elbo",
        codec="drums",
        settings={**TRAINING, "latent.size": 128, **settings},
        weights=f"aeplug_music:weights/{name}",
        **(parts | more),
    )


TASKS = (
    _task(
        "drums-2bar",
        "two bars of drums: nine classes of hits; sample, morph, vary patterns",
        {"loss.beta": "linear(0.1, 0.3, 0.6)", "train.steps": 2000},
        guard=GuardSpec(reconstruct=0.03, vary=0.25, pieces="windows"),
        demo=DemoSpec(
            inputs=("patterns/funk-corner.drums", "patterns/latin-bossa.drums"), order=30
        ),
    ),
    _task(
        "drums-16bar",
        "sixteen bars of drums, by a hierarchy of bars and phrases",
        {
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
        guard=GuardSpec(reconstruct=0.05, vary=0.35, pieces="windows"),
    ),
    _task(
        "groove",
        "velocity and timing of drums: humanize a pattern, tap a rhythm, transfer a groove",
        {"loss.beta": "linear(0.05, 0.2, 0.6)", "train.steps": 2500},
        decoder="drum-groove",
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
        sampling=SamplingDefaults(),
        guard=GuardSpec(
            reconstruct=0.15, vary=0.25, pieces="windows", not_under={"given": ("score", "rhythm")}
        ),
        attributes=GROOVE_ATTRIBUTES,
    ),
)
