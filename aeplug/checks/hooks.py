"""Whether an observer bears every event of a run, and commands are as they should be."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args, get_type_hints

import click

from aeplug.checks.outcome import CheckMismatch, CheckWarning, describe_failure, expect
from aeplug.plugins import Plugin, Plugins
from aeplug.plugins.specs import RunEvent


def synthetic_events(run: Path, task: str = "mnist") -> Iterator[RunEvent]:
    """A run's events in their order, as a training of 20 steps tells them."""
    kinds = get_args(get_type_hints(RunEvent)["kind"])
    for kind in kinds:
        metrics = {} if kind in ("started", "saved") else {"loss": 0.5, "mse": 0.25}
        step = {"started": 0, "logged": 10}.get(kind, 20)
        yield RunEvent(
            kind, str(run), task, step, {"seconds": 1.0} if kind == "finished" else metrics
        )


def check_observer(plugin: Plugin, plugins: Plugins) -> str:
    """Every kind of event is taken without an exception, and nothing is printed to stdout."""
    count, printed = 0, io.StringIO()
    tell = _only(plugin, plugins, "aeplug_run_event")
    with TemporaryDirectory(prefix="aeplug-check-") as folder:
        run = Path(folder)
        for event in synthetic_events(run):
            try:
                with contextlib.redirect_stdout(printed):
                    tell(event=event)
            except (Exception, SystemExit) as error:
                raise CheckMismatch(
                    f"the observer to take the event '{event.kind}'", describe_failure(error)
                ) from error
            count += 1
        written = sorted(path.name for path in run.rglob("*") if path.is_file())
    if printed.getvalue():
        raise CheckWarning(
            "an observer that leaves stdout to results",
            f"it prints {printed.getvalue().strip()[:60]!r}, which goes to stderr",
        )
    return f"{count} events" + (f", wrote {', '.join(written)}" if written else "")


def check_commands(plugin: Plugin, plugins: Plugins, reserved: Collection[str]) -> str:
    """Its commands have names of their own, none of ``reserved``, and say what they do."""
    group = click.Group("aeplug")
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            _only(plugin, plugins, "aeplug_commands")(cli=group)
    except (Exception, SystemExit) as error:
        raise CheckMismatch(
            "the hook aeplug_commands to add commands", describe_failure(error)
        ) from error
    for name, command in group.commands.items():
        expect(name not in reserved, "commands with names of their own", f"aeplug's '{name}' again")
        if not command.get_short_help_str():
            raise CheckWarning("a first line of help for every command", f"none for '{name}'")
    return ", ".join(sorted(group.commands)) or "none added"


def _only(plugin: Plugin, plugins: Plugins, hook: str) -> Callable[..., Any]:
    """One hook of one plug-in."""
    module = plugins.manager.get_plugin(plugin.name)
    others = [other for _, other in plugins.manager.list_name_plugin() if other is not module]
    return plugins.manager.subset_hook_caller(hook, [other for other in others if other])
