"""Options that plug-ins bring to commands: of codecs, tasks and builders of data sets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from aeplug.errors import ConfigError
from aeplug.plugins import active
from aeplug.plugins.specs import OptionSpec

if TYPE_CHECKING:
    from aeplug.model.model import Model

_TYPES: Mapping[str, Any] = {"str": str, "int": int, "float": float}


class VerbCommand(click.Command):
    """A command that also takes the options which codecs and tasks bring for it.

    Attributes:
        verb: whose options; empty: the command's own name.
    """

    verb = ""

    def brought(self) -> list[tuple[OptionSpec, set[str]]]:
        """Options that plug-ins bring, with the names of what takes them."""
        return plugin_options(self.verb or self.name or "")

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The command's own parameters, then the plug-ins'."""
        own = super().get_params(ctx)
        taken = {option for parameter in own for option in parameter.opts}
        brought = [
            _click_option(spec, sorted(users))
            for spec, users in self.brought()
            if f"--{spec.name}" not in taken
        ]
        return [*own, *brought]


class BuildCommand(VerbCommand):
    """A command that also takes the options of data sets' builders."""

    def brought(self) -> list[tuple[OptionSpec, set[str]]]:
        """Options of builders, with the names of the data sets."""
        found: dict[str, tuple[OptionSpec, set[str]]] = {}
        for dataset in active().specs("dataset"):
            for option in dataset.options:
                found.setdefault(option.name, (option, set()))[1].add(dataset.name)
        return list(found.values())


def plugin_options(verb: str) -> list[tuple[OptionSpec, set[str]]]:
    """Options of a verb, over all plug-ins, with the names of the tasks that take them."""
    plugins = active()
    codecs = {codec.name: codec for codec in plugins.specs("codec")}
    found: dict[str, tuple[OptionSpec, set[str]]] = {}
    for task in plugins.specs("task"):
        codec = codecs.get(task.codec)
        for option in (*task.options, *(codec.options if codec else ())):
            if verb in option.verbs:
                found.setdefault(option.name, (option, set()))[1].add(task.name)
    return list(found.values())


def resolve_options(model: Model, verb: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The model's own options with the user's values over their defaults, checked.

    Raises:
        ConfigError: a value out of range, or an option that the model's task does not take.
    """
    codec = active().find("codec", model.config.sections["codec"].name)
    options = (*model.spec.options, *codec.options)
    return check_options([one for one in options if verb in one.verbs], values, model.spec.name)


def check_options(
    options: Sequence[OptionSpec], values: Mapping[str, Any], owner: str
) -> dict[str, Any]:
    """The user's values over the options' defaults, by name with hyphens.

    Raises:
        ConfigError: a value out of range, or of an option that is none of ``owner``'s.
    """
    own = {option.name: option for option in options}
    result = {name: option.default for name, option in own.items()}
    for key, value in values.items():
        name = key.replace("_", "-")
        if value is None:
            continue
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"--{name} {value}: expected a finite number")
        if name not in own:
            raise ConfigError(f"'{owner}' takes no option --{name}")
        option = own[name]
        if option.minimum is not None and value < option.minimum:
            raise ConfigError(f"--{name} {value}: expected at least {option.minimum:g}")
        if option.maximum is not None and value > option.maximum:
            raise ConfigError(f"--{name} {value}: expected at most {option.maximum:g}")
        result[name] = value
    return result


def _click_option(spec: OptionSpec, users: list[str]) -> click.Option:
    default = "" if spec.default in (None, False, "") else f"  [default: {spec.default}]"
    text = f"{spec.help}{default}  ({', '.join(users)})"
    if spec.type == "bool":
        return click.Option([f"--{spec.name}"], is_flag=True, default=None, help=text)
    kind = click.Choice(spec.choices) if spec.choices else _TYPES[spec.type]
    return click.Option([f"--{spec.name}"], type=kind, default=None, help=text)
