"""Plug-ins without those that happen to be installed: the built-in ones, and the ones given."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from aeplug.errors import PluginError
from aeplug.plugins import Plugin, Plugins
from aeplug.plugins.discovery import DISTRIBUTION, import_file

#: A plug-in to admit: its module, or the file of a single-file one.
PluginSource = ModuleType | Path | str


@dataclass(frozen=True)
class Source:
    """Where another process finds a plug-in again.

    Attributes:
        name: the plug-in's name.
        module: what to import.
        file: the module's file; empty where it has none.
        builtin: whether it comes with aeplug itself.
    """

    name: str
    module: str
    file: str
    builtin: bool = False


class IsolatedPlugins(Plugins):
    """The built-in plug-ins and those given; what else is installed here is left out.

    Args:
        *sources: modules with hooks, or paths of single files; a module's plug-in is called as the
            module, a file's as its stem.
        also: plug-ins of this process to take over, without importing them again.
        strict: a broken plug-in raises PluginError, from its own exception.
    """

    def __init__(
        self, *sources: PluginSource, also: Plugins | None = None, strict: bool = True
    ) -> None:
        super().__init__(only_builtin=True, strict=strict)
        self.plugins = [plugin for plugin in self.plugins if plugin.status != "blocked"]
        for plugin in also.plugins if also else ():
            module = also.manager.get_plugin(plugin.name) if also else None
            is_loaded = module is not None and self.manager.get_name(module) is not None
            if module is not None and plugin.status == "ok" and not is_loaded:
                self.admit(plugin.name, partial(_itself, module), plugin.origin, plugin.version)
        for entry in sources:
            if isinstance(entry, ModuleType):
                name, place = entry.__name__, getattr(entry, "__file__", None) or ""
                self.admit(name, partial(_itself, entry), place)
            else:
                path = Path(entry)
                self.admit(path.stem, partial(import_file, path), str(path))

    def admit(self, name: str, load: Callable[[], Any], origin: str, version: str = "") -> Plugin:
        """Load one more plug-in; one whose module is here already is that one.

        Returns:
            The plug-in as listed, with its status.
        """
        plugin = Plugin(name, origin, version)
        by_name = {plugin.name: plugin for plugin in self.plugins}

        def once() -> Any:
            module = load()
            known = self.manager.get_name(module)
            if known is not None:
                raise _AlreadyLoaded(known)
            super(IsolatedPlugins, self)._refuse_second(plugin)
            return module

        try:
            self._admit(plugin, set(), once)
        except _AlreadyLoaded as known_plugin:
            self.plugins.remove(plugin)
            return by_name[known_plugin.name]
        return plugin

    def _refuse_second(self, plugin: Plugin) -> None:
        """Two may have one name and be one: :meth:`admit` knows once the module is there."""


def _itself(module: Any) -> Any:
    return module


class _AlreadyLoaded(BaseException):
    """Not an error: passes what catches errors of plug-ins."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def sources_of(plugins: Plugins) -> list[Source]:
    """Where another process finds the plug-ins of this one."""
    sources = []
    for plugin in plugins.plugins:
        module = plugins.manager.get_plugin(plugin.name)
        if plugin.status == "ok" and module is not None:
            file = getattr(module, "__file__", None) or ""
            builtin = plugin.origin.partition(" ")[0] == DISTRIBUTION
            sources.append(Source(plugin.name, module.__name__, file, builtin))
    return sources


def plugins_from(sources: Iterable[Source]) -> IsolatedPlugins:
    """The plug-ins of another process, loaded in this one.

    Raises:
        PluginError: one of them does not load here.
    """
    plugins = IsolatedPlugins()
    for source in sources:
        if not source.builtin:
            plugins.admit(source.name, partial(_import_source, source), source.file)
    return plugins


def _import_source(source: Source) -> ModuleType:
    file = Path(source.file)
    spec = importlib.util.find_spec(source.module)
    if spec is not None and spec.origin and Path(spec.origin).resolve() == file.resolve():
        return importlib.import_module(source.module)
    if "." in source.module or file.name == "__init__.py":
        raise PluginError(f"module '{source.module}' is not found in another process")
    return import_file(file)
