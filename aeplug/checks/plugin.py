"""All checks of a plug-in: how it loads, its parts, its tasks, its observer and its commands."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aeplug.checks import fakes
from aeplug.checks.hooks import check_commands, check_observer
from aeplug.checks.isolation import IsolatedPlugins, sources_of
from aeplug.checks.loading import check_imports, check_loading
from aeplug.checks.locate import locate_plugins
from aeplug.checks.outcome import (
    CHECKS,
    PLUGIN_CHECKS,
    CheckMismatch,
    Outcome,
    Report,
    Told,
    describe_failure,
)
from aeplug.checks.parts import SECTIONS, compositions, host_parts, loose_parts
from aeplug.checks.priors import check_priors
from aeplug.checks.settings import check_config
from aeplug.checks.subject import Subject
from aeplug.checks.suite import examine_subject, examine_task, outcome_of, select_checks
from aeplug.errors import PluginError, nearest
from aeplug.plugins import Plugin, Plugins, active


def examine(
    target: str | Path, *, plugins: Plugins | None = None, task: str = "", **options: Any
) -> Report:
    """Make all checks of a task, or of a plug-in and everything it brings.

    Args:
        target: the name of a task or plug-in, or where a plug-in lies; what lies there, and a
            plug-in, go before a task of the same name.
        plugins: see :func:`examine_plugin`, like ``task`` and the other ``options``.
        task: see there.
        options: see there.

    Raises:
        PluginError: there is neither.
        ConfigError: there is no check of a name.
    """
    base = plugins or active()
    names = {plugin.name for plugin in base.collect()}
    tasks = {spec.name for spec in base.specs("task")}
    if target in tasks - names and not Path(target).exists():
        options.pop("reserved", None)
        return examine_task(str(target), plugins=plugins, **options)
    return examine_plugin(target, plugins=plugins, task=task, **options)


def examine_plugin(
    plugin: str | Path,
    *,
    plugins: Plugins | None = None,
    task: str = "",
    settings: Mapping[str, Any] | None = None,
    data: str | Path | None = None,
    only: Iterable[str] = (),
    skip: Iterable[str] = (),
    reserved: Collection[str] = (),
    tell: Told | None = None,
) -> Report:
    """Make all checks of a plug-in and of everything it brings.

    Args:
        plugin: the name of one that is loaded; or a folder with a ``pyproject.toml``, a package's
            folder, or a single file.
        plugins: those of this process, by default; what the plug-in builds on is looked up there.
        task: the task to try parts in that no task names; empty: the first in which they work.
        settings: dotted keys over each task's own.
        data: a folder of the user's own data, for tasks that need one.
        only: names of the checks to make; none: all.
        skip: names of checks to leave out.
        reserved: names of commands that a plug-in may not take.
        tell: called with each outcome as soon as it is known.

    Raises:
        PluginError: there is no such plug-in.
        ConfigError: there is no check of this name.
    """
    base = plugins or active()
    wanted = select_checks(only, skip, (*PLUGIN_CHECKS, *CHECKS))
    together = IsolatedPlugins(also=base, strict=False)
    listed = _admit_plugins(plugin, base, together)
    together.admit("fakes", lambda: fakes, "aeplug.testing")
    together.collect()
    folder = Path(data) if data is not None else None
    work = _Work(together, wanted, task, dict(settings or {}), folder, reserved, tell, Report())
    for candidate in listed:
        work.examine(candidate)
    return work.report


def _admit_plugins(plugin: str | Path, base: Plugins, together: IsolatedPlugins) -> list[Plugin]:
    """The plug-ins asked for, as they are listed among all."""
    by_name = {entry.name: entry for entry in together.plugins}
    known = {entry.name: entry for entry in base.plugins}
    if isinstance(plugin, str) and plugin in known:
        return [by_name.get(plugin, known[plugin])]
    path = Path(plugin)
    if not path.exists():
        raise PluginError(
            f"no plug-in is called '{plugin}', and there is no such file or folder. "
            f"{nearest(str(plugin), known)}"
        )
    return [
        together.admit(location.name, location.load, location.origin)
        for location in locate_plugins(path)
    ]


@dataclass
class _Work:
    plugins: IsolatedPlugins
    wanted: list[str]
    task: str
    settings: dict[str, Any]
    data: Path | None
    reserved: Collection[str]
    tell: Told | None
    report: Report

    def examine(self, plugin: Plugin) -> None:
        """One plug-in, from its import to its observer."""
        label = f"plug-in {plugin.name}"
        if not self.make(label, "loading", lambda: check_loading(plugin)):
            return
        source = next(source for source in sources_of(self.plugins) if source.name == plugin.name)
        self.make(label, "imports", lambda: check_imports(plugin, source))
        if set(plugin.provides) & {*SECTIONS}:
            self.make(label, "parts", lambda: _check_parts(plugin, self.plugins))
        if "prior" in plugin.provides:
            self.make(label, "priors", lambda: check_priors(plugin, self.plugins))
        if "aeplug_run_event" in plugin.hooks:
            self.make(label, "observer", lambda: check_observer(plugin, self.plugins))
        if "aeplug_commands" in plugin.hooks:
            self.make(
                label, "commands", lambda: check_commands(plugin, self.plugins, self.reserved)
            )
        checks = [name for name in CHECKS if name in self.wanted]
        if not checks:
            return
        for name in plugin.provides.get("task", []):
            spec = self.plugins.task(name)
            subject = Subject(spec, self.plugins, self.settings, self.data)
            self.report.outcomes += examine_subject(
                subject, f"task {name}", checks, self.tell
            ).outcomes
        for parts in compositions(loose_parts(plugin, self.plugins)):
            self._try(parts, checks)

    def make(self, label: str, name: str, check: Callable[[], str]) -> bool:
        """Make one check if it is wanted, or all others hang on it; whether it did not fail."""
        if name not in self.wanted and name != "loading":
            return True
        outcome = outcome_of(label, name, check)
        if name in self.wanted or outcome.status == "failed":
            self.add(outcome)
        return outcome.status != "failed"

    def add(self, outcome: Outcome) -> None:
        """Keep an outcome, and tell it."""
        self.report.outcomes.append(outcome)
        if self.tell:
            self.tell(outcome)

    def _try(self, parts: list[tuple[str, str]], checks: list[str]) -> None:
        """Parts that no task names, in one that will do: all of them, else one by one."""
        label = ", ".join(f"{kind} {name}" for kind, name in parts)
        try:
            subject = host_parts(parts, self.plugins, self.task, self.settings)
        except CheckMismatch as mismatch:
            if len(parts) > 1:
                for part in parts:
                    self._try([part], checks)
            else:
                self.add(
                    Outcome(
                        label,
                        "parts",
                        "failed",
                        expected=mismatch.expected,
                        found=mismatch.found,
                    )
                )
            return
        kinds = {kind for kind, _ in parts}
        own = [name for name in checks if name != "codec" or "codec" in kinds]
        label += f" in {subject.spec.name}"
        self.report.outcomes += examine_subject(subject, label, own, self.tell).outcomes


def _check_parts(plugin: Plugin, plugins: Plugins) -> str:
    """Every part's factory is there, and its settings are as they should be."""
    count = 0
    for kind in SECTIONS:
        for name in plugin.provides.get(kind, []):
            spec = plugins.find(kind, name)
            try:
                factory = spec.load()
            except (Exception, SystemExit) as error:
                raise CheckMismatch(
                    f"the factory '{spec.factory}' of the {kind} '{name}' to be there",
                    describe_failure(error),
                ) from error
            check_config(f"the {kind} '{name}'", factory)
            count += 1
    return f"{count} parts"
