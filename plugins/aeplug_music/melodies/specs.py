"""The tasks of melodies with their codec, data set, parts and attributes; imports no torch."""

from __future__ import annotations

from aeplug import (
    AttributeSpec,
    CodecSpec,
    DatasetSpec,
    DecoderSpec,
    DemoSpec,
    EncoderSpec,
    GuardSpec,
    LossSpec,
    OptionSpec,
    SamplingDefaults,
    TaskSpec,
)
from aeplug_audio.files import RECORDING_SUFFIXES
from aeplug_music.midi.suffixes import MIDI_SUFFIXES, NOTATION_SUFFIXES
from aeplug_music.nets.settings import LONG_TREE, TRAINING
from aeplug_music.score.options import (
    BARS,
    CONSTRAINTS,
    ONLY,
    SOUNDFONT,
    TEMPO,
    WAV,
    recording_options,
    tune_option,
)

#: Verbs that take options on how files are read.
READING_VERBS = ("reconstruct", "interpolate", "vary", "continue", "embed")

CODEC = CodecSpec(
    "midi",
    "aeplug_music.melodies.codec:MelodyCodec",
    "melodies from MIDI and recordings; with the extra 'scores' from ABC and MusicXML",
    suffixes=(*MIDI_SUFFIXES, *NOTATION_SUFFIXES, *RECORDING_SUFFIXES),
    options=(
        TEMPO,
        OptionSpec(
            "program",
            "int",
            None,
            "General MIDI program, 0 to 127; default: the file's own, or 0",
            minimum=0,
            maximum=127,
        ),
        OptionSpec(
            "velocity",
            "int",
            None,
            "velocity of new notes, 1 to 127; default: as around them in the file, or 80",
            minimum=1,
            maximum=127,
        ),
        OptionSpec(
            "track",
            "str",
            None,
            "the melody's track in MIDI and scores, by name or number, or all: every one that is a "
            "melody; default: the likeliest",
            verbs=("reconstruct", "interpolate", "vary", "continue", "embed"),
        ),
        ONLY,
        WAV,
        SOUNDFONT,
        BARS,
        *CONSTRAINTS,
        tune_option(READING_VERBS),
        *recording_options(READING_VERBS),
    ),
)

DATASET = DatasetSpec(
    "melodies",
    "aeplug_music.melodies.dataset:MelodyDataset",
    "windows of bars of 4,248 bundled folk tunes, or of your own files",
    builder="aeplug_music.corpus.build:build_melodies",
    options=(
        OptionSpec(
            "bars",
            "int",
            2,
            "bars per window; must equal the task's",
            verbs=(),
            minimum=1,
            maximum=64,
        ),
        OptionSpec(
            "split-of",
            "str",
            None,
            "one of SOURCES, whose own validation and test splits are kept; the others are trained "
            "on, except tunes that share a window with its held-out ones",
            verbs=(),
        ),
        *recording_options(()),
    ),
)

ENCODERS = (
    EncoderSpec(
        "window-mlp",
        "aeplug_music.melodies.plan:WindowEncoder",
        "an MLP over the whole window, relative to its estimated tonic",
    ),
    EncoderSpec(
        "hierarchical",
        "aeplug_music.melodies.hierarchical:HierarchicalEncoder",
        "bars, then phrases, then the window",
    ),
    EncoderSpec("bilstm", "aeplug_music.melodies.lstm:BiLSTMEncoder", "MusicVAE's, bidirectional"),
)

DECODERS = (
    DecoderSpec(
        "plan", "aeplug_music.melodies.plan:PlanDecoder", "a slice of MLP(z) for each step"
    ),
    DecoderSpec(
        "hierarchical",
        "aeplug_music.melodies.hierarchical:HierarchicalDecoder",
        "a conductor over bars",
    ),
    DecoderSpec("lstm", "aeplug_music.melodies.lstm:LSTMDecoder", "MusicVAE's, flat"),
)

LOSS = LossSpec(
    "sequence-elbo", "aeplug_music.nets.losses:SequenceELBO", "ELBO with free bits, per window"
)

_ATTRIBUTES = "aeplug_music.melodies.attributes"

ATTRIBUTES = (
    AttributeSpec(
        "note-density", f"{_ATTRIBUTES}:note_density", "notes a quarter", "how many notes begin"
    ),
    AttributeSpec(
        "range", f"{_ATTRIBUTES}:pitch_range", "semitones", "from the lowest note to the highest"
    ),
    AttributeSpec(
        "mean-interval", f"{_ATTRIBUTES}:mean_interval", "semitones", "from a note to the next"
    ),
    AttributeSpec(
        "syncopation",
        f"{_ATTRIBUTES}:syncopation",
        "levels a note",
        "how strongly the notes work against the metre",
    ),
    AttributeSpec(
        "mean-pitch", f"{_ATTRIBUTES}:mean_pitch", "semitones", "mean MIDI number of the notes"
    ),
)

#: Options of `aeplug evaluate` for a melody task.
_EVALUATION = (
    OptionSpec(
        "samples",
        "int",
        1000,
        "number of windows to sample and compare with real ones; 0: none",
        verbs=("evaluate",),
        minimum=0,
    ),
    OptionSpec(
        "sample-temperature",
        "float",
        None,
        "temperature of those samples; default: the task's own for `sample`",
        verbs=("evaluate",),
        minimum=0.01,
    ),
)

TASKS = (
    TaskSpec(
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
        guard=GuardSpec(reconstruct=0.015, vary=0.2, pieces="windows"),
        sampling=SamplingDefaults(temperature=0.5),
        attributes=ATTRIBUTES,
        demo=DemoSpec(
            inputs=(
                "folk_tunes.zip!ryansMammoth/ShipsAreSailingReel_1.mid",
                "folk_tunes.zip!ryansMammoth/FantasticHornpipe_1.mid",
            ),
            order=20,
        ),
    ),
    TaskSpec(
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
            # There are far fewer passages of sixteen bars than of two.
            "prepare.altered": 0.3,
            "prepare.recombined": 0.5,
            "data.metres": ("4/4", "3/4", "6/8", "2/4", "2/2", "3/8"),
            **LONG_TREE,
            "decoder.slice": 64,
            "decoder.token_noise": 0.1,
            "decoder.step_width": 192,
            "latent.size": 256,
            "loss.beta": "linear(0.05, 0.36, 0.95)",
            "train.steps": 4400,
            "train.batch_size": 256,
        },
        weights="aeplug_music:weights/melody-16bar",
        guard=GuardSpec(reconstruct=0.02, vary=0.35, pieces="windows"),
        sampling=SamplingDefaults(temperature=0.5, prior="gmm", prior_scale=0.6),
        attributes=ATTRIBUTES,
    ),
)
