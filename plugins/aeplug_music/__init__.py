"""Music: melodies and drums as MIDI, their parts and tasks; transcription and playback."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from aeplug import (
    CodecSpec,
    DatasetSpec,
    DecoderSpec,
    EncoderSpec,
    LossSpec,
    TaskSpec,
    hookimpl,
)
from aeplug_music.drums import specs as drums
from aeplug_music.melodies import specs as melodies

if TYPE_CHECKING:
    import click

aeplug_requires = {"pretty_midi": "pretty_midi", "symusic": "symusic"}


@hookimpl
def aeplug_codecs() -> Iterable[CodecSpec]:
    """Files of melodies and of drums."""
    return (melodies.CODEC, drums.CODEC)


@hookimpl
def aeplug_datasets() -> Iterable[DatasetSpec]:
    """Windows of melodies and of drums."""
    return (melodies.DATASET, drums.DATASET)


@hookimpl
def aeplug_encoders() -> Iterable[EncoderSpec]:
    """Windows -> features."""
    return (*melodies.ENCODERS, *drums.ENCODERS)


@hookimpl
def aeplug_decoders() -> Iterable[DecoderSpec]:
    """Latents -> windows."""
    return (*melodies.DECODERS, *drums.DECODERS)


@hookimpl
def aeplug_losses() -> Iterable[LossSpec]:
    """Losses over windows."""
    return (melodies.LOSS,)


@hookimpl
def aeplug_tasks() -> Iterable[TaskSpec]:
    """Melodies of 2 and 16 bars, drums of 2 and 16 bars, groove."""
    return (*melodies.TASKS, *drums.TASKS)


@hookimpl
def aeplug_commands(cli: click.Group) -> None:
    """Transcription of recordings, and playback."""
    from aeplug_music.playback.command import play
    from aeplug_music.transcription.command import transcribe

    cli.add_command(play)
    cli.add_command(transcribe)
