"""Which guard a model has, in a file of its own so that the model itself can import it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aeplug.interfaces import Codec, ComparableCodec, supports
from aeplug.plugins import GuardSpec, TaskSpec


def choose_guard(spec: TaskSpec, codec: Codec, options: Mapping[str, Any]) -> GuardSpec | None:
    """The guard of a task under the options, by name with hyphens, that its files are taken for.

    None where the codec compares nothing. Without bounds of the task's own, and under options for
    which they do not hold, only empty pieces are passed through.
    """
    if not supports(codec, ComparableCodec):
        return None
    guard = spec.guard or GuardSpec()
    alike = is_meant_alike(spec, options)
    return guard if alike else replace(guard, reconstruct=None, vary=None)


def is_meant_alike(spec: TaskSpec, options: Mapping[str, Any]) -> bool:
    """Whether what a task makes of a file is to be like the file, under the options."""
    guard = spec.guard or GuardSpec()
    return not any(options.get(name) in given for name, given in guard.not_under.items())
