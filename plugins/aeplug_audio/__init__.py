"""Sound: recordings and their analysis, notes through a soundfont, a VAE of short sounds."""

from __future__ import annotations

from collections.abc import Iterable

from aeplug import CodecSpec, DatasetSpec, TaskSpec, hookimpl
from aeplug_audio.sounds import specs

aeplug_requires = {"librosa": "librosa", "soundfile": "soundfile", "soxr": "soxr", "scipy": "scipy"}


@hookimpl
def aeplug_codecs() -> Iterable[CodecSpec]:
    """Files of sound."""
    yield specs.CODEC


@hookimpl
def aeplug_datasets() -> Iterable[DatasetSpec]:
    """Notes."""
    yield specs.DATASET


@hookimpl
def aeplug_tasks() -> Iterable[TaskSpec]:
    """Sounds."""
    yield from specs.TASKS
