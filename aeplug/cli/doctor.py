"""``aeplug doctor``: what is installed, and whether it is in order."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from typing import Any

import click

from aeplug.cli.output import print_json, print_table
from aeplug.errors import DataError
from aeplug.plugins import active


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def doctor(as_json: bool) -> None:
    """Say what is installed, which device is used, and whether data and plug-ins are in order.

    \b
    aeplug doctor
    aeplug doctor --json
    """
    report = _examine()
    if as_json:
        print_json(report)
    else:
        for title in ("versions", "device", "data", "plugins"):
            rows = [[name, str(value)] for name, value in report[title].items()]
            print_table(rows, [title.upper(), ""])
            click.echo()
        click.echo("everything is in order" if report["ok"] else "see the lines above")
    if not report["ok"]:
        raise click.exceptions.Exit(1)


def _examine() -> dict[str, Any]:
    import platform
    from importlib import metadata

    import torch

    from aeplug._version import __version__
    from aeplug.runtime.distributed import pick_device

    names = (
        "torch",
        "numpy",
        "pluggy",
        "click",
        "pydantic",
        "safetensors",
        "pillow",
        "matplotlib",
        "pretty_midi",
        "symusic",
        "librosa",
    )
    versions = {"aeplug": __version__, "python": platform.python_version()}
    ok = True
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
            ok = False
    device = pick_device()
    described = {"used": str(device), "threads": torch.get_num_threads()}
    if device.type == "cuda":
        described["name"] = torch.cuda.get_device_name(device)
    data, found_all = _data_found()
    plugins = {
        plugin.name: plugin.status + (f": {plugin.reason}" if plugin.reason else "")
        for plugin in active().collect()
    }
    broken = any(plugin.status == "broken" for plugin in active().plugins)
    return {
        "ok": ok and found_all and not broken,
        "versions": versions,
        "device": described,
        "data": data,
        "plugins": plugins,
    }


def _data_found() -> tuple[dict[str, str], bool]:
    """Every data set that a task is trained on by default, opened."""
    from aeplug.config import config_of

    plugins = active()
    found, ok = {}, True
    for name in dict.fromkeys(task.dataset for task in plugins.specs("task")):
        spec = plugins.find("dataset", name)
        if spec.needs_folder:
            found[name] = "a folder of yours, given by --data"
            continue
        try:
            factory = spec.load()
            train = factory(config_of(factory)()).split("train")
            found[name] = f"{len(train):,} training items"
        except DataError as error:
            found[name], ok = str(error), False
    return found, ok
