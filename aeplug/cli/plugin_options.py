"""Options that plug-ins bring to commands: of codecs, tasks, priors and builders of data sets."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import click

from aeplug.plugins.options import options_of_kind, options_of_verb
from aeplug.plugins.specs import OptionSpec

_TYPES: Mapping[str, Any] = {"str": str, "int": int, "float": float}


class PluginOption(click.Option):
    """An option as a plug-in describes it; its help ends with what takes it."""

    def __init__(self, spec: OptionSpec, users: Collection[str]) -> None:
        default = "" if spec.default in (None, False, "") else f"  [default: {spec.default}]"
        text = f"{spec.help}{default}  ({', '.join(sorted(users))})"
        kind: Any = click.Choice(spec.choices) if spec.choices else _TYPES.get(spec.type)
        is_flag = spec.type == "bool"
        super().__init__([f"--{spec.name}"], type=kind, is_flag=is_flag, default=None, help=text)


class VerbCommand(click.Command):
    """A command that also takes the options which codecs and tasks bring for it.

    Attributes:
        verb: whose options; empty: the command's own name.
        heading: of these options in the help.

    Example:
        >>> [option.name for option, tasks in VerbCommand("sample").plugin_options()][:3]
        ['tempo', 'program', 'velocity']
    """

    verb = ""
    heading = "Options of some tasks"

    def plugin_options(self) -> list[tuple[OptionSpec, set[str]]]:
        """Options that plug-ins bring, with the names of what takes them."""
        return options_of_verb(self.verb or self.name or "")

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The command's own parameters, then the plug-ins'."""
        own = super().get_params(ctx)
        taken = {option for parameter in own for option in parameter.opts}
        added = [
            PluginOption(spec, users)
            for spec, users in self.plugin_options()
            if f"--{spec.name}" not in taken
        ]
        return [*own, *added]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The command's own options, then those of plug-ins under a heading of their own."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            # Arguments, which the usage names, have records too since click 8.5, without a word.
            record = parameter.get_help_record(ctx)
            if record is not None and not isinstance(parameter, click.Argument):
                brought = isinstance(parameter, PluginOption)
                sections.setdefault(self.heading if brought else "Options", []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


class BuildCommand(VerbCommand):
    """A command that also takes the options of data sets' builders."""

    heading = "Options of some data sets"

    def plugin_options(self) -> list[tuple[OptionSpec, set[str]]]:
        """Options of builders, with the names of the data sets."""
        return options_of_kind("dataset")


class FitPriorCommand(VerbCommand):
    """A command that also takes the options of priors."""

    heading = "Options of some priors"

    def plugin_options(self) -> list[tuple[OptionSpec, set[str]]]:
        """Options of priors, with the names of the priors."""
        return options_of_kind("prior")
