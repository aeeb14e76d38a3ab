"""Find, load, isolate and look up plug-ins.

One bad plug-in never takes the program down: each loads in its own ``try``, is reported in one
line and listed with its reason by ``aeplug plugins``.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pluggy

from aeplug import hookspecs
from aeplug.errors import AeplugError, PluginError, nearest
from aeplug.specs import (
    CodecSpec,
    DatasetSpec,
    DecoderSpec,
    EncoderSpec,
    LatentSpec,
    LossSpec,
    RunEvent,
    TaskSpec,
)

if TYPE_CHECKING:
    import click

    Spec = EncoderSpec | LatentSpec | DecoderSpec | LossSpec | CodecSpec | DatasetSpec | TaskSpec

GROUP = "aeplug"
PLUGINS_DIR_VARIABLE = "AEPLUG_PLUGINS_DIR"
BLOCK_VARIABLE = "AEPLUG_BLOCK"
DISTRIBUTION = "aeplug"

#: A plug-in slower than this (seconds) is named: everyone waits for it at every command.
SLOW_IMPORT_SECONDS = 1.0

#: Which hook brings which kind of spec.
COLLECTED: Mapping[str, type] = MappingProxyType(
    {
        "aeplug_encoders": EncoderSpec,
        "aeplug_latents": LatentSpec,
        "aeplug_decoders": DecoderSpec,
        "aeplug_losses": LossSpec,
        "aeplug_codecs": CodecSpec,
        "aeplug_datasets": DatasetSpec,
        "aeplug_tasks": TaskSpec,
    }
)
HOOKS = (*COLLECTED, "aeplug_commands", "aeplug_run_event")


@dataclass
class Plugin:
    """One plug-in, loaded or not.

    Attributes:
        name: its entry point's name, or its file's stem.
        origin: distribution and version, or the file's path.
        version: of the distribution; empty for a single file.
        status: ``ok``, ``blocked`` or ``broken``.
        reason: why it is not ok, in one line.
        seconds: how long its import took.
        hooks: names of the hooks it implements.
        provides: names of what it brings, by kind (``"task": ["mnist", ...]``).
    """

    name: str
    origin: str
    version: str = ""
    status: str = "ok"
    reason: str = ""
    seconds: float = 0.0
    hooks: list[str] = field(default_factory=list)
    provides: dict[str, list[str]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The plug-in as JSON-ready values, for ``aeplug plugins --json``."""
        return {**self.__dict__, "seconds": round(self.seconds, 4)}


class Plugins:
    """All plug-ins of this process and everything they bring, looked up by name.

    Args:
        folders: directories whose ``*.py`` files are loaded as single-file plug-ins, after the
            installed ones.
        block: names of plug-ins that are not loaded at all.
        only_builtin: leave out whatever does not come with aeplug itself.
        strict: a broken plug-in raises PluginError, from its own exception.
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
        blocked = set(block)
        for entry_point in _entry_points():
            distribution = entry_point.dist
            home = distribution.name if distribution else "unknown"
            version = distribution.version if distribution else ""
            plugin = Plugin(entry_point.name, f"{home} {version}".strip(), version)
            if only_builtin and home != DISTRIBUTION:
                plugin.status, plugin.reason = "blocked", "--no-plugins"
            self._admit(plugin, blocked, entry_point.load)
        for folder in folders:
            for path in _plugin_files(folder):
                plugin = Plugin(path.stem, str(path))
                if only_builtin:
                    plugin.status, plugin.reason = "blocked", "--no-plugins"
                self._admit(plugin, blocked, lambda path=path: _import_file(path))
        for unknown in sorted(blocked - {plugin.name for plugin in self.plugins}):
            names = (plugin.name for plugin in self.plugins)
            _warn(f"--block {unknown}: no such plug-in. {nearest(unknown, names)}")

    # Loading

    def _admit(self, plugin: Plugin, blocked: set[str], load: Any) -> None:
        self.plugins.append(plugin)
        if plugin.name in blocked:
            plugin.status, plugin.reason = "blocked", "--block"
        if plugin.status == "blocked":
            return
        had_torch = "torch" in sys.modules
        began = time.perf_counter()
        try:
            # What a plug-in prints must not end up in the JSON of the program around it.
            with contextlib.redirect_stdout(sys.stderr):
                module = load()
            plugin.seconds = time.perf_counter() - began
            plugin.hooks = _implemented_hooks(self.manager, module)
            self._register(plugin, module)
        except (Exception, SystemExit) as error:
            self._disable(plugin, error)
            return
        # A single file may import torch: it is somebody's own, and seldom loaded.
        excused = not plugin.version and not had_torch and "torch" in sys.modules
        if plugin.seconds > SLOW_IMPORT_SECONDS and not excused:
            _warn(f"plug-in '{plugin.name}' ({plugin.origin}) took {plugin.seconds:.1f} s to load")

    def _register(self, plugin: Plugin, module: Any) -> None:
        for other in self.plugins:
            if other is not plugin and other.name == plugin.name and other.status == "ok":
                raise PluginError(f"its name is taken by the plug-in of {other.origin}")
        self.manager.register(module, plugin.name)
        self._registered.append(plugin)

    def _disable(self, plugin: Plugin, error: BaseException) -> None:
        plugin.status = "broken"
        plugin.reason = " ".join(f"{type(error).__name__}: {error}".split())
        if isinstance(error, AeplugError):
            plugin.reason = str(error)
        plugin.provides = {}
        text = f"plug-in '{plugin.name}' ({plugin.origin}) is not used: {plugin.reason}"
        if self._strict:
            raise PluginError(text) from error
        _warn(text)
        if any(plugin is registered for registered in self._registered):
            self.manager.unregister(name=plugin.name)

    def _call(self, plugin: Plugin, hook: str, **arguments: Any) -> list[Any]:
        """Call one hook of one plug-in alone, so that its exception is its own."""
        others = [
            module
            for name, module in self.manager.list_name_plugin()
            if name != plugin.name and module is not None
        ]
        with contextlib.redirect_stdout(sys.stderr):
            results = self.manager.subset_hook_caller(hook, others)(**arguments)
            return [list(result) if hook in COLLECTED else result for result in results]

    # What plug-ins bring

    @cached_property
    def _specs(self) -> dict[str, dict[str, list[tuple[Any, Plugin]]]]:
        """Kind -> name -> the specs of that name with who brought them."""
        found: dict[str, dict[str, list[tuple[Any, Plugin]]]] = {
            expected.kind: {}  # type: ignore[attr-defined]
            for expected in COLLECTED.values()
        }
        for plugin in self.plugins:
            if plugin.status != "ok":
                continue
            try:
                brought: list[Any] = [
                    spec
                    for hook, expected in COLLECTED.items()
                    if hook in plugin.hooks
                    for result in self._call(plugin, hook)
                    for spec in _checked(result, hook, expected)
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
                    _warn(_duplicate(kind, name, owners) + "; asking for it is an error")
        return found

    def specs(self, kind: str) -> list[Any]:
        """Every spec of a kind, in the order of loading; names brought twice are left out."""
        return [owners[0][0] for owners in self._specs[kind].values() if len(owners) == 1]

    def find(self, kind: str, name: str) -> Any:
        """The spec called ``name``.

        Raises:
            PluginError: there is none (the message names the nearest), or there are two.
        """
        owners = self._specs[kind].get(name, [])
        if len(owners) == 1:
            return owners[0][0]
        if owners:
            raise PluginError(_duplicate(kind, name, owners) + "; leave one out with --block")
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

    def task(self, name: str) -> TaskSpec:
        """The task called ``name``; raises :class:`PluginError` as :meth:`find`."""
        spec: TaskSpec = self.find("task", name)
        return spec

    def add_commands(self, cli: click.Group) -> None:
        """Let every plug-in add its commands; one that replaces another's is not used."""
        for plugin in self.plugins:
            if plugin.status != "ok" or "aeplug_commands" not in plugin.hooks:
                continue
            before = dict(cli.commands)
            try:
                self._call(plugin, "aeplug_commands", cli=cli)
                replaced = [name for name in before if cli.commands.get(name) is not before[name]]
                if replaced:
                    raise PluginError(f"it replaces the command '{replaced[0]}'")
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
                        f"({type(error).__name__}: {error}); training goes on"
                    )

    def collect(self) -> list[Plugin]:
        """All plug-ins, after asking each for what it brings (which may show it to be broken)."""
        _ = self._specs
        return self.plugins


def _entry_points() -> list[importlib.metadata.EntryPoint]:
    """Entry points of the group, aeplug's own first, then by distribution and name."""

    def order(entry_point: importlib.metadata.EntryPoint) -> tuple[bool, str, str]:
        home = entry_point.dist.name if entry_point.dist else ""
        return home != DISTRIBUTION, home, entry_point.name

    # A distribution found twice on sys.path (checkout and installation) yields each twice.
    unique = {(e.name, e.value): e for e in importlib.metadata.entry_points(group=GROUP)}
    return sorted(unique.values(), key=order)


def _plugin_files(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        raise PluginError(f"plug-in folder '{folder}' does not exist or is not a folder")
    for path in sorted(folder.glob("*.py")):
        if not path.name.startswith(("_", "test_", "conftest")):
            yield path


def _import_file(path: Path) -> Any:
    """Import a single-file plug-in under its stem, so that ``"stem:Class"`` factories work."""
    name = path.stem
    present = sys.modules.get(name)
    if present is not None:
        if Path(getattr(present, "__file__", None) or "").resolve() == path.resolve():
            return present
        raise PluginError(f"its name '{name}' is taken by another module; rename the file")
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PluginError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _implemented_hooks(manager: pluggy.PluginManager, module: Any) -> list[str]:
    """Names of a module's hooks; refuses misspelt ones, which pluggy would silently ignore."""
    hooks = []
    for name in dir(module):
        options = manager.parse_hookimpl_opts(module, name)
        if options is not None:
            hook = options.get("specname") or name
            if hook not in HOOKS and not options.get("optionalhook"):
                raise PluginError(f"there is no hook '{hook}'. {nearest(hook, HOOKS)}")
            hooks.append(hook)
        elif name.startswith("aeplug_") and callable(getattr(module, name)):
            raise PluginError(f"its function '{name}' lacks the decorator @hookimpl")
    if not hooks:
        raise PluginError("it implements no hook (functions aeplug_... under @hookimpl)")
    return hooks


def _checked(specs: list[Any], hook: str, expected: type) -> list[Any]:
    for spec in specs:
        if not isinstance(spec, expected):
            raise PluginError(
                f"{hook} gave {type(spec).__name__} {spec!r:.60}, expected {expected.__name__}"
            )
        texts = (spec.name, spec.summary)  # type: ignore[attr-defined]
        if not texts[0] or not all(isinstance(text, str) for text in texts):
            raise PluginError(f"{hook} gave {expected.__name__} without name or summary: {texts}")
    return specs


def _duplicate(kind: str, name: str, owners: list[tuple[Any, Plugin]]) -> str:
    who = " and ".join(f"'{plugin.name}' ({plugin.origin})" for _, plugin in owners)
    return f"{kind} '{name}' is brought by {who}"


def _warn(text: str) -> None:
    print(f"aeplug: warning: {text}", file=sys.stderr)


_active: Plugins | None = None


def active() -> Plugins:
    """The plug-ins of this process; loaded on first use, from the environment's settings.

    ``AEPLUG_PLUGINS_DIR`` (folders, separated as in ``PATH``) and ``AEPLUG_BLOCK`` (names,
    separated by commas) hold outside the command line too.
    """
    global _active
    if _active is None:
        _active = Plugins(folders_from_environment(), blocked_from_environment())
    return _active


def activate(plugins: Plugins) -> None:
    """Make ``plugins`` those of this process (the CLI does, after reading its options)."""
    global _active
    _active = plugins


def folders_from_environment() -> list[Path]:
    """Folders named by ``AEPLUG_PLUGINS_DIR``."""
    value = os.environ.get(PLUGINS_DIR_VARIABLE, "")
    return [Path(part).expanduser() for part in value.split(os.pathsep) if part]


def blocked_from_environment() -> list[str]:
    """Names listed by ``AEPLUG_BLOCK``."""
    return [part.strip() for part in os.environ.get(BLOCK_VARIABLE, "").split(",") if part.strip()]
