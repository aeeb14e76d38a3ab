"""Bars for walks over data, where whoever began the work wants them shown.

A walk deep inside (a plug-in's figures, a baseline) is wrapped in :func:`track` and knows nothing
of consoles; ``aeplug evaluate`` and its like say by :func:`show_progress` what it is a part of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from aeplug.runtime.console import Progress

Step = TypeVar("Step")

_stage: ContextVar[str | None] = ContextVar("aeplug_stage", default=None)


@contextmanager
def show_progress(stage: str) -> Iterator[None]:
    """Show a bar for each walk within; ``stage`` stands beside it, a word or two."""
    token = _stage.set(stage)
    try:
        yield
    finally:
        _stage.reset(token)


def track(
    steps: Iterable[Step],
    total: int,
    unit: str = "items",
    size: Callable[[Step], int] = lambda step: 1,
) -> Iterator[Step]:
    """The steps themselves; with a bar where :func:`show_progress` asks for it.

    Args:
        steps: to be gone through.
        total: units in all.
        unit: their name, in the plural.
        size: units of a step.

    Example:
        >>> [len(batch) for batch in track(torch.arange(10).split(4), 10, size=len)]
        [4, 4, 2]
    """
    stage = _stage.get()
    if stage is None:
        yield from steps
        return
    done = 0
    with Progress(total, unit) as progress:
        progress.describe(stage)
        progress.update(0)
        for step in steps:
            yield step
            done += size(step)
            progress.update(done)
