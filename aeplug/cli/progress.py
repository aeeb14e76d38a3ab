"""Progress of commands that take seconds: on a terminal, and not beside --json."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import click

from aeplug.runtime.console import Progress
from aeplug.runtime.tracking import show_progress


@contextmanager
def show_bars(stage: str) -> Iterator[None]:
    """Show a bar for each walk within that has a known length.

    Args:
        stage: what stands beside it, a word or two.
    """
    with show_progress(stage) if _is_watched() else nullcontext():
        yield


@contextmanager
def show_stage(stage: str, unit: str) -> Iterator[None]:
    """Say what is being done while something is done in one go, such as the loading of a model.

    Args:
        stage: what stands beside the bar, a word or two.
        unit: what there is one of.
    """
    with Progress(1, unit, shown=_is_watched()) as progress:
        progress.describe(stage)
        progress.update(0)
        yield


def _is_watched() -> bool:
    """Whether somebody looks at stderr, and stdout is not for a program."""
    context = click.get_current_context(silent=True)
    as_json = context is not None and bool(context.params.get("as_json"))
    return not as_json and sys.stderr is not None and sys.stderr.isatty()
