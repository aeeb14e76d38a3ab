"""Sound: recordings in, by transcription, and music out through a soundfont; sounds as latents."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from aeplug import CodecSpec, DatasetSpec, TaskSpec, hookimpl
from aeplug_audio import task_specs

if TYPE_CHECKING:
    import click


@hookimpl
def aeplug_codecs() -> Iterable[CodecSpec]:
    """Files of sound."""
    yield task_specs.CODEC


@hookimpl
def aeplug_datasets() -> Iterable[DatasetSpec]:
    """Notes."""
    yield task_specs.DATASET


@hookimpl
def aeplug_tasks() -> Iterable[TaskSpec]:
    """Sounds."""
    yield from task_specs.TASKS


@hookimpl
def aeplug_commands(cli: click.Group) -> None:
    """What is done with sound."""
    from aeplug_music.playback.command import play
    from aeplug_music.transcription.command import transcribe

    cli.add_command(play)
    cli.add_command(transcribe)
