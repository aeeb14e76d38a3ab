"""Whether an installation is in order: libraries, device, bundled data, plug-ins."""

from __future__ import annotations

import contextlib
import platform
from importlib import metadata
from typing import Any

import torch

from aeplug._version import __version__
from aeplug.config import config_of
from aeplug.errors import DataError
from aeplug.plugins import Plugins
from aeplug.runtime.distributed import pick_device
from aeplug.runtime.libraries import ENGINE, distribution_name


def examine_installation(plugins: Plugins) -> dict[str, Any]:
    """What is installed, which device is used, and whether data and plug-ins are in order.

    Returns:
        ``ok``, and by name ``versions``, ``device``, ``data`` and ``plugins``, in words.
    """
    versions = {"aeplug": __version__, "python": platform.python_version(), **_versions(plugins)}
    device = pick_device()
    described = {"used": str(device), "threads": torch.get_num_threads()}
    if device.type == "cuda":
        described["name"] = torch.cuda.get_device_name(device)
    data, has_all_data = _open_data_sets(plugins)
    states = {
        plugin.name: plugin.status + (f": {plugin.reason}" if plugin.reason else "")
        for plugin in plugins.collect()
    }
    broken = any(plugin.status == "broken" for plugin in plugins.plugins)
    return {
        "ok": "not installed" not in versions.values() and has_all_data and not broken,
        "versions": versions,
        "device": described,
        "data": data,
        "plugins": states,
    }


def _versions(plugins: Plugins) -> dict[str, str]:
    """Of what the engine needs, and of what plug-ins say they do."""
    needs = dict.fromkeys(ENGINE.values(), "not installed")
    for plugin in plugins.collect():
        for name in map(distribution_name, plugin.requires.values()):
            needs.setdefault(name, f"not installed, the plug-in '{plugin.name}' needs it")
    for name in needs:
        with contextlib.suppress(metadata.PackageNotFoundError):
            needs[name] = metadata.version(name)
    return needs


def _open_data_sets(plugins: Plugins) -> tuple[dict[str, str], bool]:
    """Every data set that a task is trained on by default, opened; and whether all are there."""
    states, has_all = {}, True
    for name in dict.fromkeys(task.dataset for task in plugins.specs("task")):
        spec = plugins.find("dataset", name)
        if spec.needs_folder:
            states[name] = "a folder of yours, given by --data"
            continue
        try:
            factory = spec.load()
            train = factory(config_of(factory)()).split("train")
            states[name] = f"{len(train):,} training items"
        except DataError as error:
            states[name], has_all = str(error), False
    return states, has_all
