"""The commands that come with aeplug, by name; plug-ins may take none of these names."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

import click

#: Name -> ``"module:attribute"``, in no order: help lists them alphabetically.
COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "attribute": "aeplug.cli.steer:attribute",
        "compare-pca": "aeplug.cli.latent:compare_pca",
        "data": "aeplug.cli.data:data",
        "demo": "aeplug.cli.demo:demo",
        "doctor": "aeplug.cli.inspect:doctor",
        "embed": "aeplug.cli.latent:embed",
        "evaluate": "aeplug.cli.evaluate:evaluate",
        "export": "aeplug.cli.export:export",
        "fit-prior": "aeplug.cli.prior:fit_prior",
        "interpolate": "aeplug.cli.generate:interpolate",
        "map": "aeplug.cli.latent:map_",
        "parts": "aeplug.cli.parts:parts",
        "plugins": "aeplug.cli.plugins:plugins",
        "reconstruct": "aeplug.cli.reconstruct:reconstruct",
        "sample": "aeplug.cli.generate:sample",
        "tasks": "aeplug.cli.inspect:tasks",
        "train": "aeplug.cli.train:train",
        "vary": "aeplug.cli.generate:vary",
    }
)


def load_command(name: str) -> click.Command:
    """The command of a name of :data:`COMMANDS`; imports its module."""
    module, _, attribute = COMMANDS[name].partition(":")
    command: click.Command = getattr(import_module(module), attribute)
    return command
