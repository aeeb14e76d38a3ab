"""How settings are drawn: one way for ``aeplug parts`` and ``aeplug train --help-task``."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from aeplug.cli.output import terminal_width

if TYPE_CHECKING:
    from aeplug.config.schema import Setting


def print_settings(settings: Sequence[Setting], section: str, indent: str = "  ") -> None:
    """A line ``KEY=VALUE  type, range, unit`` for each, as ``--set`` takes it, and its help.

    Args:
        settings: of one part.
        section: what stands before the dot of the key.
        indent: in front of every line.
    """
    if not settings:
        click.echo(f"{indent}no settings")
    for setting in settings:
        key = f"{indent}{section}.{setting.name}={as_typed(setting.default)}"
        kind = ", ".join(filter(None, (setting.type, setting.range, setting.unit)))
        if setting.main:
            kind += f"; short: {section}={as_typed(setting.default)}"
        room = terminal_width()
        if len(key) + 2 + len(kind) <= room:
            click.echo(click.style(key, bold=True) + f"  {kind}")
        else:
            click.echo(click.style(key, bold=True))
            _print_wrapped(kind, indent + "    ", room)
        if setting.help:
            _print_wrapped(setting.help, indent + "    ", room)


def as_typed(value: Any) -> str:
    """A value as it is written behind ``--set KEY=``: text as it is, all else as JSON."""
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def _print_wrapped(text: str, indent: str, room: int) -> None:
    click.echo(
        textwrap.fill(
            text, max(room, len(indent) + 20), initial_indent=indent, subsequent_indent=indent
        )
    )
