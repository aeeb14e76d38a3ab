"""The commands that come with aeplug, by name; plug-ins may take none of these names."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

import click

#: Name -> ``"module:attribute"``, in no order: help lists them alphabetically.
COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "attribute": "aeplug.cli.attribute:attribute",
        "compare-pca": "aeplug.cli.compare_pca:compare_pca",
        "data": "aeplug.cli.data:data",
        "demo": "aeplug.cli.demo:demo",
        "doctor": "aeplug.cli.doctor:doctor",
        "embed": "aeplug.cli.embed:embed",
        "evaluate": "aeplug.cli.evaluate:evaluate",
        "export": "aeplug.cli.export:export",
        "fit-prior": "aeplug.cli.fit_prior:fit_prior",
        "interpolate": "aeplug.cli.interpolate:interpolate",
        "map": "aeplug.cli.map:map_",
        "parts": "aeplug.cli.parts:parts",
        "plugins": "aeplug.cli.plugins:plugins",
        "reconstruct": "aeplug.cli.reconstruct:reconstruct",
        "sample": "aeplug.cli.sample:sample",
        "tasks": "aeplug.cli.tasks:tasks",
        "train": "aeplug.cli.train:train",
        "vary": "aeplug.cli.vary:vary",
    }
)


def load_command(name: str) -> click.Command:
    """The command of a name of :data:`COMMANDS`; imports its module."""
    module, _, attribute = COMMANDS[name].partition(":")
    command: click.Command = getattr(import_module(module), attribute)
    return command
