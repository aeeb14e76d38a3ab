"""MIDI melodies: reading, representation, sequence VAE parts, tasks of 2 and 16 bars."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from aeplug import (
    CodecSpec,
    DatasetSpec,
    DecoderSpec,
    DemoSpec,
    EncoderSpec,
    LossSpec,
    OptionSpec,
    TaskSpec,
    hookimpl,
)
from aeplug_music.drums import task_specs as drum_specs
from aeplug_music.melodies.attribute_specs import ATTRIBUTES
from aeplug_music.score.recordings import RECORDING_SUFFIXES, recording_options
from aeplug_music.shared_specs import LONG_TREE, SOUNDFONT, TEMPO, TRAINING, WAV

if TYPE_CHECKING:
    import click

#: What `aeplug evaluate` asks of a melody task.
_EVALUATION = (
    OptionSpec(
        "samples",
        "int",
        1000,
        "windows to sample and compare with real ones; 0: none",
        verbs=("evaluate",),
        minimum=0,
    ),
    OptionSpec(
        "sample-temperature",
        "float",
        None,
        "of those windows, by default what `sample` draws at: 0.5, as MusicVAE's command",
        verbs=("evaluate",),
        minimum=0.01,
    ),
)


@hookimpl
def aeplug_codecs() -> Iterable[CodecSpec]:
    """Files of music."""
    yield CodecSpec(
        "midi",
        "aeplug_music.melodies.codec:MelodyCodec",
        "melodies from MIDI and recordings; with the extra 'scores' from ABC and MusicXML",
        suffixes=(".mid", ".midi", ".abc", ".musicxml", ".xml", ".mxl", *RECORDING_SUFFIXES),
        options=(
            TEMPO,
            OptionSpec(
                "program", "int", 0, "General MIDI program, 0 to 127", minimum=0, maximum=127
            ),
            OptionSpec(
                "velocity", "int", 80, "loudness of every note, 1 to 127", minimum=1, maximum=127
            ),
            WAV,
            SOUNDFONT,
            OptionSpec(
                "bars",
                "int",
                None,
                "bars of a whole tune, or to be added to one",
                verbs=("sample", "continue"),
                minimum=1,
            ),
            *recording_options(("reconstruct", "interpolate", "vary", "continue", "embed")),
        ),
    )
    yield drum_specs.CODEC


@hookimpl
def aeplug_datasets() -> Iterable[DatasetSpec]:
    """Windows of melodies."""
    yield DatasetSpec(
        "melodies",
        "aeplug_music.melodies.dataset:MelodyDataset",
        "windows of bars of 4,248 folk tunes, bundled, or of MIDI files and recordings of your own",
        builder="aeplug_music.corpus.build:build_melodies",
        options=(
            OptionSpec(
                "bars",
                "int",
                2,
                "bars a window, as many as the task's",
                verbs=(),
                minimum=1,
                maximum=64,
            ),
            OptionSpec(
                "split-of",
                "str",
                None,
                "one of SOURCES, held out as when it is built alone; of the others what shares a "
                "window with its held-out tunes is left out, and all else is trained on",
                verbs=(),
            ),
            *recording_options(()),
        ),
    )
    yield drum_specs.DATASET


@hookimpl
def aeplug_encoders() -> Iterable[EncoderSpec]:
    """Windows -> features."""
    yield EncoderSpec(
        "window-mlp", "aeplug_music.melodies.plan:WindowEncoder", "the window at once, in C"
    )
    yield EncoderSpec(
        "hierarchical",
        "aeplug_music.melodies.hierarchical:HierarchicalEncoder",
        "bars, phrases, window",
    )
    yield EncoderSpec("bilstm", "aeplug_music.melodies.lstm:BiLSTMEncoder", "MusicVAE's")
    yield EncoderSpec(
        "drum-bars", "aeplug_music.drums.encoder:DrumEncoder", "bars of drums, gathered up a tree"
    )


@hookimpl
def aeplug_decoders() -> Iterable[DecoderSpec]:
    """Latents -> windows."""
    yield DecoderSpec(
        "plan", "aeplug_music.melodies.plan:PlanDecoder", "a slice of MLP(z) for each step"
    )
    yield DecoderSpec(
        "hierarchical",
        "aeplug_music.melodies.hierarchical:HierarchicalDecoder",
        "a conductor over bars",
    )
    yield DecoderSpec("lstm", "aeplug_music.melodies.lstm:LSTMDecoder", "MusicVAE's, flat")
    yield DecoderSpec("drum-hits", "aeplug_music.drums.hits:DrumDecoder", "nine drums a step")
    yield DecoderSpec(
        "drum-groove", "aeplug_music.drums.groove:GrooveDecoder", "hits, velocities, offsets"
    )


@hookimpl
def aeplug_losses() -> Iterable[LossSpec]:
    """Losses over windows."""
    yield LossSpec("sequence-elbo", "aeplug_music.nets.losses:SequenceELBO", "ELBO with free bits")


@hookimpl
def aeplug_tasks() -> Iterable[TaskSpec]:
    """Melodies."""
    yield TaskSpec(
        name="melody-2bar",
        summary="two bars of melody in any of seven metres: sample, morph, vary tunes",
        dataset="melodies",
        folder_dataset="melodies",
        encoder="window-mlp",
        latent="gaussian",
        decoder="plan",
        loss="sequence-elbo",
        codec="midi",
        prepare="aeplug_music.melodies.prepare:PrepareMelodies",
        evaluate="aeplug_music.melodies.evaluation:evaluate",
        options=_EVALUATION,
        settings={
            **TRAINING,
            "data.metres": ("4/4", "3/4", "6/8", "2/4", "2/2", "9/8", "3/8"),
            "latent.size": 128,
            "loss.beta": "linear(0.16, 0.7, 0.6)",
            "train.steps": 12000,
        },
        weights="aeplug_music:weights/melody-2bar",
        temperature=0.5,
        attributes=ATTRIBUTES,
        demo=DemoSpec(
            inputs=(
                "folk_tunes.zip!ryansMammoth/ShipsAreSailingReel_1.mid",
                "folk_tunes.zip!ryansMammoth/FantasticHornpipe_1.mid",
            ),
            order=20,
        ),
    )
    yield TaskSpec(
        name="melody-16bar",
        summary="sixteen bars of melody in any of six metres, by a hierarchy of bars and phrases",
        dataset="melodies",
        folder_dataset="melodies",
        encoder="hierarchical",
        latent="gaussian",
        decoder="hierarchical",
        loss="sequence-elbo",
        codec="midi",
        prepare="aeplug_music.melodies.prepare:PrepareMelodies",
        evaluate="aeplug_music.melodies.evaluation:evaluate",
        options=_EVALUATION,
        settings={
            **TRAINING,
            "data.bars": 16,
            # There are far fewer stretches of sixteen bars than of two.
            "prepare.altered": 0.3,
            "prepare.recombined": 0.5,
            "data.metres": ("4/4", "3/4", "6/8", "2/4", "2/2", "3/8"),
            **LONG_TREE,
            "decoder.slice": 64,
            "decoder.misheard": 0.1,
            "decoder.step_width": 192,
            "latent.size": 256,
            "loss.beta": "linear(0.05, 0.36, 0.95)",
            "train.steps": 4400,
            "train.batch_size": 256,
        },
        weights="aeplug_music:weights/melody-16bar",
        temperature=0.5,
        prior="gmm",
        spread=0.6,
        attributes=ATTRIBUTES,
    )
    yield from drum_specs.TASKS


@hookimpl
def aeplug_commands(cli: click.Group) -> None:
    """Transcription of recordings, and playback."""
    from aeplug_music.playback.command import play
    from aeplug_music.transcription.command import transcribe

    cli.add_command(play)
    cli.add_command(transcribe)
