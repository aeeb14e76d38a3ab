"""Names as types of parameters: checked before torch is imported, completed by the shell."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator
from typing import Any

import click
from click.shell_completion import CompletionItem

from aeplug.plugins import active


class ModelName(click.ParamType):
    """A run directory, a checkpoint, or a task that ships weights."""

    name = "model"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name as it is.

        Raises:
            AeplugError: no run and no task has it; the message names the nearest.
        """
        from aeplug.model.locate import check_model_name

        check_model_name(value, active())
        return str(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Tasks with weights, and runs; where none begins so, folders."""
        from aeplug.plugins.catalogue import tasks

        items = [
            CompletionItem(task["name"], help=task["summary"])
            for task in tasks()
            if task["weights"] and task["name"].startswith(incomplete)
        ]
        items += [CompletionItem(folder) for folder in _runs(incomplete)]
        return items or [CompletionItem(incomplete, type="dir")]


class TaskName(click.ParamType):
    """A task that can be trained."""

    name = "task"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name as it is.

        Raises:
            PluginError: no task has it; the message names the nearest.
        """
        return str(active().task(value).name)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """All tasks."""
        return complete_specs("task")(ctx, param, incomplete)


def complete_specs(
    kind: str,
) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """A ``shell_complete`` over the names that plug-ins bring of a kind: task, prior, dataset."""

    def complete(
        ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return [
            CompletionItem(spec.name, help=spec.summary)
            for spec in active().specs(kind)
            if spec.name.startswith(incomplete)
        ]

    return complete


def _runs(incomplete: str) -> Iterator[str]:
    """Folders of runs that begin so, in ``runs/`` where nothing is typed yet."""
    start = incomplete or os.path.join("runs", "")
    for path in sorted(glob.glob(glob.escape(start) + "*")):
        if os.path.isdir(os.path.join(path, "checkpoints")):
            yield path
