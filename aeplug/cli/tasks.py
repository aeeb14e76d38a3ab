"""``aeplug tasks``; imports no torch."""

from __future__ import annotations

from typing import Any

import click

from aeplug.cli.output import print_json, print_table
from aeplug.plugins import active


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def tasks(as_json: bool) -> None:
    """List what can be trained.

    \b
    aeplug tasks
    aeplug tasks --json
    """
    plugins = active()
    plugins.collect()
    found = [
        {
            "name": task.name,
            "summary": task.summary,
            "plugin": plugins.owner("task", task.name).name,
            "parts": {
                "data": task.dataset,
                "encoder": task.encoder,
                "latent": task.latent,
                "decoder": task.decoder,
                "loss": task.loss,
                "codec": task.codec,
            },
            "weights": _ships_weights(task),
        }
        for task in plugins.specs("task")
    ]
    if as_json:
        print_json({"tasks": found})
        return
    rows = [
        [entry["name"], "yes" if entry["weights"] else "no", entry["plugin"], entry["summary"]]
        for entry in found
    ]
    print_table(rows, ["TASK", "WEIGHTS", "PLUG-IN", "SUMMARY"])


def _ships_weights(task: Any) -> bool:
    import importlib.util
    from pathlib import Path

    if task.weights is None:
        return False
    package, _, inner = task.weights.partition(":")
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return False  # a plug-in's mistake; the list is for everyone
    places = (spec.submodule_search_locations or []) if spec else []
    return any((Path(place) / inner / "config.json").is_file() for place in places)
