"""What a checkpoint says of its model: task, plug-ins, settings, shape."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from aeplug._version import __version__
from aeplug.config import TaskConfig
from aeplug.interfaces import DataShape
from aeplug.plugins import Plugins


def describe(config: TaskConfig, plugins: Plugins, shape: DataShape) -> dict[str, Any]:
    """All that is needed to build the model again, JSON-ready."""
    return {
        "aeplug": __version__,
        "task": config.task.name,
        "plugins": required_plugins(config, plugins),
        "config": config.as_dict(),
        "shape": {
            "input": list(shape.input),
            "target": list(shape.target),
            "classes": shape.classes,
            "conditions": {name: list(classes) for name, classes in shape.conditions.items()},
        },
    }


def required_plugins(config: TaskConfig, plugins: Plugins) -> dict[str, str]:
    """Plug-ins whose parts a task uses, with their origin: what a checkpoint needs again."""
    owners = [plugins.owner("task", config.task.name)]
    for section, chosen in config.sections.items():
        if chosen.name:
            owners.append(plugins.owner("dataset" if section == "data" else section, chosen.name))
    return {plugin.name: plugin.origin for plugin in owners}


def round_figure(value: float) -> float | None:
    """Seven digits; None for what JSON cannot say."""
    return float(f"{value:.7g}") if math.isfinite(value) else None


def shareable_header(header: Mapping[str, Any]) -> dict[str, Any]:
    """A header without paths of this machine and without the weights' checksum."""
    kept = {key: value for key, value in header.items() if key != "weights_sha256"}
    section = dict(kept["config"]["data"])
    left_out = bool(section.pop("path", "")) or bool(kept.get("data_left_out"))
    return {**kept, "data_left_out": left_out, "config": {**kept["config"], "data": section}}
