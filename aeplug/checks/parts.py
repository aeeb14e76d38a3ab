"""In which task a part that belongs to none can be tried."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from aeplug.checks.fakes import TASKS
from aeplug.checks.learning import schedule_values_at
from aeplug.checks.outcome import CheckMismatch, describe_failure
from aeplug.checks.subject import Subject, quietly
from aeplug.errors import AeplugError
from aeplug.plugins import Plugin, Plugins
from aeplug.plugins.specs import TaskSpec

#: Kinds of parts that a task names, and the sections of its settings.
SECTIONS = {
    "dataset": "data",
    "encoder": "encoder",
    "latent": "latent",
    "decoder": "decoder",
    "loss": "loss",
    "codec": "codec",
}


def loose_parts(plugin: Plugin, plugins: Plugins) -> dict[str, list[str]]:
    """Parts of a plug-in, by kind, that no task names; but for data that waits for a folder."""
    tasks: list[TaskSpec] = plugins.specs("task")
    loose: dict[str, list[str]] = {}
    for kind in SECTIONS:
        used = {getattr(task, kind) for task in tasks} | {task.folder_dataset for task in tasks}
        names = [
            name
            for name in plugin.provides.get(kind, [])
            if name not in used
            and not (kind == "dataset" and plugins.find(kind, name).needs_folder)
        ]
        if names:
            loose[kind] = names
    return loose


def compositions(loose: dict[str, list[str]]) -> list[list[tuple[str, str]]]:
    """Sets of parts to be tried together: one of each kind, until every one had its turn."""
    rounds = max((len(names) for names in loose.values()), default=0)
    return [
        [(kind, names[number]) for kind, names in loose.items() if number < len(names)]
        for number in range(rounds)
    ]


def host_parts(
    parts: Sequence[tuple[str, str]], plugins: Plugins, chosen: str, settings: dict[str, Any]
) -> Subject:
    """A subject of the first task that the parts fit into.

    Args:
        parts: kind and name of each.
        plugins: those with the fakes.
        chosen: the task to take; empty: the first that will do, beginning with the fakes.
        settings: dotted keys over the task's own.

    Raises:
        Mismatch: there is none; with the reason of the first.
    """
    layer = {**{SECTIONS[kind]: name for kind, name in parts}, **settings}
    tasks = [chosen] if chosen else [*TASKS, *_others(plugins)]
    reasons = []
    for task in tasks:
        subject = Subject(plugins.task(task), plugins, layer)
        try:
            _try(subject)
        except (Exception, SystemExit) as error:
            text = str(error) if isinstance(error, AeplugError) else describe_failure(error)
            reasons.append(f"{text} (in {task})")
            subject.close()
            continue
        return subject
    what = " and ".join(f"the {kind} '{name}'" for kind, name in parts)
    hint = "" if chosen else "; name one it is made for: --task TASK"
    raise CheckMismatch(f"{what} to work in a task{hint}", reasons[0])


def _try(subject: Subject) -> None:
    with quietly(), torch.no_grad():
        task = subject.task()
        task(subject.batch(training=True), schedule_values_at(task, 0, 1))
        subject.model(task).reconstruct_batch(subject.batch())


def _others(plugins: Plugins) -> Iterator[str]:
    """Other tasks that bring their own data."""
    for task in plugins.specs("task"):
        assert isinstance(task, TaskSpec)
        if task.name not in TASKS and not plugins.find("dataset", task.dataset).needs_folder:
            yield task.name
