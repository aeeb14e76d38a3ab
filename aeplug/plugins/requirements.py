"""The libraries that a plug-in says it needs, and what becomes of it where one is missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from aeplug.errors import PluginError

if TYPE_CHECKING:
    import click

#: What a plug-in's module calls the libraries that it needs beside aeplug's own.
REQUIRES = "aeplug_requires"


def required_libraries(module: Any) -> dict[str, str]:
    """What a plug-in says it needs: name of a top-level module -> what pip installs.

    Raises:
        PluginError: it says so in another form.
    """
    requires = getattr(module, REQUIRES, {})
    expected = "names of modules to what pip installs, as {'PIL': 'Pillow'}"
    if not isinstance(requires, Mapping):
        raise PluginError(f"its {REQUIRES} is {requires!r:.60}, expected a dict: {expected}")
    for name, requirement in requires.items():
        if not (isinstance(name, str) and name.isidentifier() and isinstance(requirement, str)):
            raise PluginError(
                f"its {REQUIRES} has {name!r:.40}: {requirement!r:.40}, expected {expected}"
            )
    return dict(requires)


def refuse_commands(cli: click.Group, names: Iterable[str], reason: str) -> None:
    """Put in place of commands ones that only say why they cannot run, ``--help`` aside."""
    import click

    def refuse(**_: Any) -> None:
        raise PluginError(reason)

    for name in names:
        command = cli.commands[name]
        cli.commands[name] = click.Command(
            name,
            callback=refuse,
            params=[click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)],
            help=f"{command.help or ''}\n\nNot to be used here: {reason}",
            short_help=command.get_short_help_str(100),
            context_settings={"ignore_unknown_options": True},
        )
