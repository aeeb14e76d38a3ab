"""Options that plug-ins bring to commands: of codecs, tasks, priors and builders of data sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from aeplug.plugins.options import options_of_kind, options_of_verb
from aeplug.plugins.specs import OptionSpec

_TYPES: Mapping[str, Any] = {"str": str, "int": int, "float": float}


class VerbCommand(click.Command):
    """A command that also takes the options which codecs and tasks bring for it.

    Attributes:
        verb: whose options; empty: the command's own name.
    """

    verb = ""

    def plugin_options(self) -> list[tuple[OptionSpec, set[str]]]:
        """Options that plug-ins bring, with the names of what takes them."""
        return options_of_verb(self.verb or self.name or "")

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The command's own parameters, then the plug-ins'."""
        own = super().get_params(ctx)
        taken = {option for parameter in own for option in parameter.opts}
        added = [
            _click_option(spec, sorted(users))
            for spec, users in self.plugin_options()
            if f"--{spec.name}" not in taken
        ]
        return [*own, *added]


class BuildCommand(VerbCommand):
    """A command that also takes the options of data sets' builders."""

    def plugin_options(self) -> list[tuple[OptionSpec, set[str]]]:
        """Options of builders, with the names of the data sets."""
        return options_of_kind("dataset")


class FitPriorCommand(VerbCommand):
    """A command that also takes the options of priors."""

    def plugin_options(self) -> list[tuple[OptionSpec, set[str]]]:
        """Options of priors, with the names of the priors."""
        return options_of_kind("prior")


def _click_option(spec: OptionSpec, users: list[str]) -> click.Option:
    default = "" if spec.default in (None, False, "") else f"  [default: {spec.default}]"
    text = f"{spec.help}{default}  ({', '.join(users)})"
    if spec.type == "bool":
        return click.Option([f"--{spec.name}"], is_flag=True, default=None, help=text)
    kind = click.Choice(spec.choices) if spec.choices else _TYPES[spec.type]
    return click.Option([f"--{spec.name}"], type=kind, default=None, help=text)
