"""What plug-ins bring, as lists for people and programs; imports no part and no torch."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aeplug.errors import PluginError, nearest
from aeplug.plugins.current import active
from aeplug.plugins.manager import Plugins
from aeplug.plugins.plugin import Plugin
from aeplug.plugins.specs import TaskSpec
from aeplug.plugins.validation import COLLECTED

#: Kinds of parts that a task can name, and priors; tasks have a list of their own.
KINDS = tuple(kind.kind for kind in COLLECTED.values() if kind.kind != "task")  # type: ignore[attr-defined]
#: Roles of a task's parts, and what names them in its description.
_ROLES = {"data": "dataset", **{role: role for role in ("encoder", "latent", "decoder", "loss")}}


def tasks(plugins: Plugins | None = None) -> list[dict[str, Any]]:
    """What can be trained.

    Args:
        plugins: whose tasks; by default those of this process.

    Returns:
        For each task ``name``, ``summary``, ``plugin``, ``parts`` (the name of each by its role)
        and ``weights``, whether trained ones ship with it.

    Example:
        >>> tasks = {task["name"]: task for task in aeplug.tasks()}
        >>> tasks["mnist-vae"]["parts"]["latent"], tasks["mnist-vae"]["weights"]
        ('gaussian', True)
    """
    plugins = plugins or active()
    plugins.collect()
    return [
        {
            "name": task.name,
            "summary": task.summary,
            "plugin": plugins.owner("task", task.name).name,
            "parts": {
                role: getattr(task, field) for role, field in {**_ROLES, "codec": "codec"}.items()
            },
            "weights": _ships_weights(task),
        }
        for task in plugins.specs("task")
    ]


def find_parts(
    kind: str = "", names: Sequence[str] = (), plugins: Plugins | None = None
) -> list[Any]:
    """Descriptions of parts that tasks can name.

    Args:
        kind: one of :data:`KINDS`; empty: all.
        names: of parts; none: all.
        plugins: whose; by default those of this process.

    Raises:
        PluginError: no part has one of the names; the message has the nearest.
    """
    plugins = plugins or active()
    specs = [spec for every in KINDS if kind in ("", every) for spec in plugins.specs(every)]
    known = {spec.name for spec in specs}
    for name in names:
        if name not in known:
            _refuse_incomplete(kind, name, plugins)
            hint = nearest(name, known if kind else known | set(KINDS))
            raise PluginError(f"no {kind or 'part'} is called '{name}'. {hint}")
    return [spec for spec in specs if not names or spec.name in names]


def incomplete_plugins(kind: str = "", plugins: Plugins | None = None) -> dict[str, str]:
    """Plug-ins whose tasks or parts are in no list, since a library is not installed.

    Args:
        kind: of what they bring: ``"task"`` or one of :data:`KINDS`; empty: parts of any kind.
        plugins: whose; by default those of this process.

    Returns:
        Name of the plug-in -> what is missing and the command that installs it.
    """
    kinds = [kind] if kind else KINDS
    hooks = {hook for hook, spec in COLLECTED.items() if spec.kind in kinds}  # type: ignore[attr-defined]
    return {
        plugin.name: plugin.reason
        for plugin in (plugins or active()).collect()
        if plugin.status == "incomplete" and hooks & set(plugin.hooks)
    }


def describe_part(spec: Any, plugins: Plugins | None = None) -> dict[str, Any]:
    """``kind``, ``name``, ``plugin`` and ``summary`` of a part."""
    owner = (plugins or active()).owner(spec.kind, spec.name)
    return {"kind": spec.kind, "name": spec.name, "plugin": owner.name, "summary": spec.summary}


def describe_plugin(plugin: Plugin, plugins: Plugins) -> dict[str, list[dict[str, Any]]]:
    """What a plug-in brings by kind, each with name, summary, and factory or parts."""
    described: dict[str, list[dict[str, Any]]] = {}
    for kind, spec in plugins.brought_by(plugin):
        entry: dict[str, Any] = {"name": spec.name, "summary": spec.summary}
        if kind == "task":
            entry["parts"] = {
                role: getattr(spec, role)
                for role in ("dataset", "encoder", "latent", "decoder", "loss", "codec")
            }
        else:
            entry["factory"] = spec.fit if kind == "prior" else spec.factory
        described.setdefault(kind, []).append(entry)
    return described


def _refuse_incomplete(kind: str, name: str, plugins: Plugins) -> None:
    """Say what a part's plug-in lacks, where that is why the part is in no list."""
    for plugin in plugins.plugins:
        for brought, spec in plugins.brought_by(plugin):
            if plugin.status == "incomplete" and kind in ("", brought) and spec.name == name:
                plugins.find(brought, name)


def _ships_weights(task: TaskSpec) -> bool:
    """As :func:`aeplug.model.checkpoint.shipped_weights`, without importing the package."""
    if task.weights is None:
        return False
    package, _, inner = task.weights.partition(":")
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return False  # a plug-in's mistake; the list is for everyone
    places = (spec.submodule_search_locations or []) if spec else []
    return any((Path(place) / inner / "config.json").is_file() for place in places)
