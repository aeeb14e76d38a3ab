"""Options that plug-ins bring to commands: which there are, and values checked against them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from aeplug.errors import ConfigError
from aeplug.plugins.current import active
from aeplug.plugins.specs import OptionSpec, load_attribute

#: Options, each with the names of what takes it.
OptionUsers = list[tuple[OptionSpec, set[str]]]


def options_of_verb(verb: str) -> OptionUsers:
    """Options that tasks and their codecs bring for a verb, with the names of the tasks."""
    plugins = active()
    codecs = {codec.name: codec for codec in plugins.specs("codec")}
    options: dict[str, tuple[OptionSpec, set[str]]] = {}
    for task in plugins.specs("task"):
        codec = codecs.get(task.codec)
        for option in (*task.options, *(codec.options if codec else ())):
            if verb in option.verbs:
                options.setdefault(option.name, (option, set()))[1].add(task.name)
    return list(options.values())


def options_of_kind(kind: str) -> OptionUsers:
    """Options of a kind's own command: of builders of a ``dataset``, of fitting a ``prior``."""
    options: dict[str, tuple[OptionSpec, set[str]]] = {}
    for spec in active().specs(kind):
        for option in spec.options:
            options.setdefault(option.name, (option, set()))[1].add(spec.name)
    return list(options.values())


def check_options(
    options: Sequence[OptionSpec], values: Mapping[str, Any], owner: str
) -> dict[str, Any]:
    """The user's values over the options' defaults, by name with hyphens.

    Raises:
        ConfigError: a value out of range, of an option that is none of ``owner``'s, or of one that
            has no effect without another.
        AeplugError: an option's own check refuses its value.
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
    for name, option in own.items():
        if option.needs and result[name] != option.default and not result.get(option.needs):
            raise ConfigError(f"--{name} has no effect without --{option.needs}")
        if option.check and result[name] != option.default:
            load_attribute(option.check)(result[name])
    return result
