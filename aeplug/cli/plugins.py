"""``aeplug plugins``: list plug-ins, write a new one, check one; listing imports no torch."""

from __future__ import annotations

import click

from aeplug.cli.options import json_option
from aeplug.cli.output import print_json
from aeplug.cli.plugins_check import check
from aeplug.cli.plugins_new import new
from aeplug.cli.reports import print_plugin, print_plugin_line
from aeplug.plugins import active
from aeplug.plugins.catalogue import describe_plugin


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def plugins(ctx: click.Context, as_json: bool) -> None:
    """List plug-ins, what they bring, and why one is not used.

    \b
    aeplug plugins
    aeplug --plugins-dir my-plugins plugins --json
    aeplug plugins new my-signals
    aeplug plugins check my-signals/
    """
    if ctx.invoked_subcommand is not None:
        return
    known = active().collect()
    if as_json:
        print_json({"plugins": [plugin.as_dict() for plugin in known]})
        return
    for plugin in known:
        print_plugin_line(plugin)


@plugins.command()
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """Show everything of one plug-in: NAME as `aeplug plugins` lists it.

    \b
    aeplug plugins show image
    aeplug plugins show image --json
    """
    plugin = active().named(name)
    if as_json:
        print_json({**plugin.as_dict(), "brings": describe_plugin(plugin, active())})
    else:
        print_plugin(plugin, active())


plugins.add_command(new)
plugins.add_command(check)
