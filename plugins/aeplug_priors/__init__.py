"""Priors over latents beyond a mixture: of whole documents, and of a style."""

from __future__ import annotations

import click

from aeplug import hookimpl

aeplug_hook_version = 1


@hookimpl
def aeplug_commands(cli: click.Group) -> None:
    """Commands that these priors make possible."""
    from aeplug_priors.sequence.command import continue_
    from aeplug_priors.style.command import adapt

    cli.add_command(continue_)
    cli.add_command(adapt)
