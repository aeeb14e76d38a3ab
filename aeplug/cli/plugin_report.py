"""What ``aeplug plugins`` and ``plugins show`` say of a plug-in, in a terminal of any width."""

from __future__ import annotations

import textwrap
from typing import Any

import click

from aeplug.cli.output import print_table, terminal_width
from aeplug.plugins import Plugin, Plugins

#: Where the documentation explains why a plug-in is not used, or what its notes mean.
EXPLAINED = "plugins/README.md#when-a-plug-in-is-not-used"


def print_plugin_line(plugin: Plugin) -> None:
    """Name, status and origin; under them what it brings, its hooks, and what is wrong."""
    click.echo(f"{click.style(plugin.name, bold=True)}  {plugin.status}  {plugin.origin}")
    rows = [(kind, ", ".join(names)) for kind, names in plugin.provides.items()]
    others = [hook for hook in plugin.hooks if hook in ("aeplug_commands", "aeplug_run_event")]
    if others:
        rows.append(("hooks", ", ".join(others)))
    if plugin.reason:
        rows.append(("reason", plugin.reason))
    rows += [("note", note) for note in plugin.notes]
    size = max((len(title) for title, _ in rows), default=0)
    room = max(terminal_width(), size + 24)
    for title, text in rows:
        start = f"  {title.ljust(size)}  "
        click.echo(
            textwrap.fill(
                text,
                room,
                initial_indent=start,
                subsequent_indent=" " * len(start),
                break_on_hyphens=False,  # paths and commands are there to be copied
                break_long_words=False,
            )
        )


def print_plugin(plugin: Plugin, plugins: Plugins) -> None:
    """Everything that is known of one plug-in."""
    rows = [
        ["name", plugin.name],
        ["summary", plugin.summary],
        ["version", plugin.version],
        ["origin", plugin.origin],
        ["file", plugin.location],
        ["status", plugin.status],
        ["reason", plugin.reason],
        *(["note", note] for note in plugin.notes),
        ["hook version", "" if plugin.hook_version is None else str(plugin.hook_version)],
        ["loaded in", f"{plugin.seconds:.3f} s" if plugin.status == "ok" else ""],
        ["hooks", ", ".join(plugin.hooks)],
    ]
    print_table([row for row in rows[1:] if row[1]], rows[0])
    for kind, specs in brought(plugin, plugins).items():
        click.echo()
        print_table([[spec["name"], spec["summary"]] for spec in specs], [kind.upper(), ""])
    if plugin.status == "broken" or plugin.notes:
        click.echo(f"\nexplained in {EXPLAINED}")


def brought(plugin: Plugin, plugins: Plugins) -> dict[str, list[dict[str, Any]]]:
    """What a plug-in brings by kind, each with name, summary and what it is made by or of."""
    found: dict[str, list[dict[str, Any]]] = {}
    for kind, spec in plugins.brought_by(plugin):
        of: dict[str, Any] = {"name": spec.name, "summary": spec.summary}
        if kind == "task":
            of["parts"] = {
                role: getattr(spec, role)
                for role in ("dataset", "encoder", "latent", "decoder", "loss", "codec")
            }
        else:
            of["factory"] = spec.factory
        found.setdefault(kind, []).append(of)
    return found
