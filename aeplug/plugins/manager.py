"""Load, isolate and look up plug-ins.

One bad plug-in never takes the program down: each loads in its own ``try``, is reported in one
line and listed with its reason by ``aeplug plugins``.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from aeplug.errors import PluginError, nearest
from aeplug.plugins import hookspecs
from aeplug.plugins.discovery import installed, single_files
from aeplug.plugins.plugin import LISTED, Plugin
from aeplug.plugins.requirements import refuse_commands, required_libraries
from aeplug.plugins.specs import RunEvent, TaskSpec
from aeplug.plugins.trace import DivertedStdout, Trace
from aeplug.plugins.validation import (
    COLLECTED,
    hook_version,
    implemented_hooks,
    isolate_errors,
    raised_at,
    reason_of,
    validate_specs,
)
from aeplug.runtime.libraries import missing_libraries

if TYPE_CHECKING:
    import click

SLOW_VARIABLE = "AEPLUG_SLOW_IMPORT_SECONDS"

#: A plug-in slower than this (seconds) is named: everyone waits for it at every command.
SLOW_IMPORT_SECONDS = 1.0


class Plugins:
    """All plug-ins of this process and everything they bring, looked up by name.

    Args:
        folders: directories whose ``*.py`` files are loaded as single-file plug-ins, after the
            installed ones.
        block: names of plug-ins that are not loaded at all.
        only_builtin: leave out whatever does not come with aeplug itself.
        strict: a broken plug-in raises PluginError, from its own exception.

    Example:
        >>> plugins = Plugins(only_builtin=True)
        >>> plugins.owner("task", "mnist-vae").name
        'image'
    """

    def __init__(
        self,
        folders: Sequence[Path] = (),
        block: Iterable[str] = (),
        only_builtin: bool = False,
        strict: bool = False,
    ) -> None:
        self.manager = pluggy.PluginManager(hookspecs.PROJECT)
        self.manager.add_hookspecs(hookspecs)
        self.plugins: list[Plugin] = []
        self._strict = strict
        self._registered: list[Plugin] = []
        self._silenced: set[str] = set()
        self._trace = Trace(self.manager)
        blocked = set(block)
        for found in [*installed(), *(one for folder in folders for one in single_files(folder))]:
            plugin = Plugin(found.name, found.origin, found.version)
            if only_builtin and not found.builtin:
                plugin.status, plugin.reason = "blocked", "--no-plugins"
            self._admit(plugin, blocked, found.load)
        for unknown in sorted(blocked - {plugin.name for plugin in self.plugins}):
            names = (plugin.name for plugin in self.plugins)
            _warn(f"--block {unknown}: no such plug-in. {nearest(unknown, names)}")

    # Loading

    def _admit(self, plugin: Plugin, blocked: set[str], load: Callable[[], Any]) -> None:
        self.plugins.append(plugin)
        if plugin.name in blocked:
            plugin.status, plugin.reason = "blocked", "--block"
        if plugin.status == "blocked":
            self._trace.say(f"'{plugin.name}' ({plugin.origin}) is left out: {plugin.reason}")
            return
        had_torch = "torch" in sys.modules
        began = time.perf_counter()
        deprecated: list[warnings.WarningMessage] = []
        try:
            self._refuse_second(plugin)
            with self._diverted(plugin, "when it is loaded"):
                module = load()
            plugin.seconds = time.perf_counter() - began
            plugin.location = str(getattr(module, "__file__", None) or "")
            plugin.summary = (inspect.getdoc(module) or "").partition("\n")[0]
            plugin.hook_version = hook_version(module)
            plugin.hooks = implemented_hooks(self.manager, module)
            plugin.requires = required_libraries(module)
            plugin.reason = missing_libraries(plugin.requires)
            plugin.status = "incomplete" if plugin.reason else "ok"
            with warnings.catch_warnings(record=True) as deprecated:
                warnings.simplefilter("always")
                self._register(plugin, module)
        except (Exception, SystemExit) as error:
            plugin.seconds = plugin.seconds or time.perf_counter() - began
            self._disable(plugin, error)
            return
        self._trace.say(
            f"registered '{plugin.name}' ({plugin.origin}) after {plugin.seconds:.3f} s: "
            + ", ".join(plugin.hooks)
        )
        # A single file may import torch: it is somebody's own, and seldom loaded.
        excused = not plugin.version and not had_torch and "torch" in sys.modules
        if plugin.seconds > _slow_seconds():
            text = f"took {plugin.seconds:.1f} s to load"
            if excused:
                plugin.notes.append(f"{text}, torch with it")
            else:
                self._note(plugin, text)
        for warning in deprecated:
            self._note(plugin, " ".join(str(warning.message).split()))
            # For Python's own filters too, in the plug-in's name: pytest shows it to its author.
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )

    def _refuse_second(self, plugin: Plugin) -> None:
        for other in self.plugins:
            if other is not plugin and other.name == plugin.name and other.status in LISTED:
                raise PluginError(f"its name is taken by the plug-in of {other.origin}")

    def _register(self, plugin: Plugin, module: Any) -> None:
        self.manager.register(module, plugin.name)
        self._registered.append(plugin)

    def _disable(self, plugin: Plugin, error: BaseException) -> None:
        if plugin.status == "incomplete" and isinstance(error, ImportError):
            return  # as was to be expected
        plugin.status, plugin.reason = "broken", reason_of(error)
        plugin.location = raised_at(error) or plugin.location
        plugin.provides = {}
        text = f"plug-in '{plugin.name}' ({plugin.origin}) is not used: {plugin.reason}"
        if self._strict:
            raise PluginError(text) from error
        _warn(text)
        if any(plugin is registered for registered in self._registered):
            self.manager.unregister(name=plugin.name)

    def _note(self, plugin: Plugin, text: str) -> None:
        """Say once what is to be mended in a plug-in that is used, and keep it for the lists."""
        if text not in plugin.notes:
            plugin.notes.append(text)
            _warn(f"plug-in '{plugin.name}' ({plugin.origin}) {text}")

    @contextlib.contextmanager
    def _diverted(self, plugin: Plugin, when: str = "") -> Iterator[None]:
        """What a plug-in prints must not end up in the JSON of the program around it."""
        stream = DivertedStdout()
        with contextlib.redirect_stdout(stream):
            yield
        if when and stream.used and not any("stdout" in note for note in plugin.notes):
            self._note(plugin, f"prints to stdout {when}; it went to stderr")

    def _call(self, plugin: Plugin, hook: str, **arguments: Any) -> list[Any]:
        """Call one hook of one plug-in alone, so that its exception is its own."""
        others = [
            module
            for name, module in self.manager.list_name_plugin()
            if name != plugin.name and module is not None
        ]
        # An observer may print: it has somebody to tell. At start-up nobody asked.
        when = "" if hook == "aeplug_run_event" else f"in {hook}"
        with self._diverted(plugin, when), isolate_errors():
            results = self.manager.subset_hook_caller(hook, others)(**arguments)
            expected = COLLECTED.get(hook)
            # Here, since a generator runs, and may print, only while it is read.
            return [
                validate_specs(given, hook, expected) if expected else given for given in results
            ]

    # What plug-ins bring

    @cached_property
    def _specs(self) -> dict[str, dict[str, list[tuple[Any, Plugin]]]]:
        """Kind -> name -> the specs of that name with who brought them."""
        found: dict[str, dict[str, list[tuple[Any, Plugin]]]] = {
            expected.kind: {}  # type: ignore[attr-defined]
            for expected in COLLECTED.values()
        }
        for plugin in self.plugins:
            if plugin.status not in LISTED:
                continue
            try:
                brought: list[Any] = [
                    spec
                    for hook in COLLECTED
                    if hook in plugin.hooks
                    for given in self._call(plugin, hook)
                    for spec in given
                ]
            except (Exception, SystemExit) as error:
                self._disable(plugin, error)
                continue
            for spec in brought:
                plugin.provides.setdefault(spec.kind, []).append(spec.name)
                found[spec.kind].setdefault(spec.name, []).append((spec, plugin))
        for kind, by_name in found.items():
            for name, owners in by_name.items():
                if len(owners) > 1:
                    text = _duplicate(kind, name, owners)
                    _warn(f"{text}; asking for it is an error")
                    several = {plugin.name: plugin for _, plugin in owners}
                    for plugin in several.values():
                        plugin.notes.append(f"{text}: {_remedy(owners)}")
        return found

    def specs(self, kind: str) -> list[Any]:
        """Every spec of a kind that can be used, in the order of loading.

        Names brought twice are left out, and plug-ins that lack a library.
        """
        return [
            owners[0][0]
            for owners in self._specs[kind].values()
            if len(owners) == 1 and owners[0][1].status == "ok"
        ]

    def find(self, kind: str, name: str) -> Any:
        """The spec called ``name``.

        Raises:
            PluginError: there is none (the message names the nearest), there are two, or its
                plug-in lacks a library (the message says how to install it).
        """
        owners = self._specs[kind].get(name, [])
        if len(owners) == 1:
            spec, plugin = owners[0]
            if plugin.status == "incomplete":
                raise PluginError(f"{kind} '{name}' of '{plugin.name}': {plugin.reason}")
            return spec
        if owners:
            raise PluginError(f"{_duplicate(kind, name, owners)}; {_remedy(owners)}")
        hint = nearest(name, self._specs[kind])
        broken = [plugin.name for plugin in self.plugins if plugin.status == "broken"]
        if broken:
            hint += f" (not loaded: {', '.join(broken)}; see 'aeplug plugins')"
        raise PluginError(f"no {kind} is called '{name}'. {hint}")

    def owner(self, kind: str, name: str) -> Plugin:
        """The plug-in that brings a name.

        Raises:
            PluginError: as :meth:`find`.
        """
        self.find(kind, name)
        return self._specs[kind][name][0][1]

    def brought_by(self, plugin: Plugin) -> list[tuple[str, Any]]:
        """Kind and spec of all that a plug-in brings, names that another brings too included."""
        return [
            (kind, spec)
            for kind, by_name in self._specs.items()
            for owners in by_name.values()
            for spec, owner in owners
            if owner is plugin
        ]

    def named(self, name: str) -> Plugin:
        """The plug-in of a name, used or not; of several the one that is used.

        Raises:
            PluginError: there is none; the message names the nearest.
        """
        there = [plugin for plugin in self.collect() if plugin.name == name]
        if not there:
            names = (plugin.name for plugin in self.plugins)
            raise PluginError(f"no plug-in is called '{name}'. {nearest(name, names)}")
        return next((plugin for plugin in there if plugin.status == "ok"), there[0])

    def task(self, name: str) -> TaskSpec:
        """The task called ``name``; raises :class:`PluginError` as :meth:`find`."""
        spec: TaskSpec = self.find("task", name)
        return spec

    def add_commands(self, cli: click.Group) -> None:
        """Let every plug-in add its commands; one that replaces another's is not used."""
        for plugin in self.plugins:
            if plugin.status not in LISTED or "aeplug_commands" not in plugin.hooks:
                continue
            before = dict(cli.commands)
            try:
                self._call(plugin, "aeplug_commands", cli=cli)
                replaced = [name for name in before if cli.commands.get(name) is not before[name]]
                if replaced:
                    raise PluginError(f"it replaces the command '{replaced[0]}'")
                if plugin.status == "incomplete":
                    refuse_commands(cli, set(cli.commands) - set(before), plugin.reason)
            except (Exception, SystemExit) as error:
                cli.commands.clear()
                cli.commands.update(before)
                self._disable(plugin, error)

    def announce(self, event: RunEvent) -> None:
        """Tell observers of a run's event; what they raise is reported once, then ignored."""
        for plugin in self.plugins:
            if plugin.status != "ok" or "aeplug_run_event" not in plugin.hooks:
                continue
            try:
                self._call(plugin, "aeplug_run_event", event=event)
            except (Exception, SystemExit) as error:
                if self._strict:
                    raise
                if plugin.name not in self._silenced:
                    self._silenced.add(plugin.name)
                    _warn(
                        f"plug-in '{plugin.name}' failed on '{event.kind}' "
                        f"({reason_of(error)}); training goes on"
                    )

    def collect(self) -> list[Plugin]:
        """All plug-ins, after asking each for what it brings (which may show it to be broken)."""
        _ = self._specs
        return self.plugins


def _duplicate(kind: str, name: str, owners: list[tuple[Any, Plugin]]) -> str:
    if len({id(plugin) for _, plugin in owners}) == 1:
        plugin = owners[0][1]
        return (
            f"{kind} '{name}' is brought {len(owners)} times by '{plugin.name}' ({plugin.origin})"
        )
    who = " and ".join(f"'{plugin.name}' ({plugin.origin})" for _, plugin in owners)
    return f"{kind} '{name}' is brought by {who}"


def _remedy(owners: list[tuple[Any, Plugin]]) -> str:
    alone = len({plugin.name for _, plugin in owners}) == 1
    return "rename one" if alone else "leave one out with --block"


def _warn(text: str) -> None:
    print(f"aeplug: warning: {text}", file=sys.stderr)


def _slow_seconds() -> float:
    try:
        return float(os.environ.get(SLOW_VARIABLE, SLOW_IMPORT_SECONDS))
    except ValueError:
        return SLOW_IMPORT_SECONDS
