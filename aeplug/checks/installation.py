"""Whether an installation is in order: libraries, device, bundled data, plug-ins."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Any

import torch

from aeplug._version import __version__
from aeplug.config import config_of
from aeplug.errors import DataError
from aeplug.plugins import Plugins
from aeplug.runtime.distributed import pick_device

#: Libraries whose versions are worth knowing.
LIBRARIES = (
    *("torch", "numpy", "pluggy", "click", "pydantic", "safetensors", "pillow", "matplotlib"),
    *("pretty_midi", "symusic", "librosa"),
)


def examine_installation(plugins: Plugins) -> dict[str, Any]:
    """What is installed, which device is used, and whether data and plug-ins are in order.

    Returns:
        ``ok``, and by name ``versions``, ``device``, ``data`` and ``plugins``, in words.
    """
    versions = {"aeplug": __version__, "python": platform.python_version(), **_versions()}
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


def _versions() -> dict[str, str]:
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions


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
