"""Priors over latents beyond a mixture: of whole documents, and of a style."""

from __future__ import annotations

from collections.abc import Iterable

import click

from aeplug import PriorSpec, hookimpl

aeplug_hook_version = 2


@hookimpl
def aeplug_priors() -> Iterable[PriorSpec]:
    """How documents go on, and where the latents of a few files lie."""
    yield PriorSpec(
        "sequence",
        "aeplug_priors.sequence.fitting:fit_sequence_prior",
        "aeplug_priors.sequence.prior:restore_sequence",
        "whole documents: which sections return, and what comes between",
        unit="document",
        duration="about 10 minutes on a CPU",
    )
    yield PriorSpec(
        "style",
        None,
        "aeplug_priors.style.prior:restore_style",
        "the style of a few files, of a model that was adapted",
        refit_hint="aeplug adapt makes a model that has it",
    )


@hookimpl
def aeplug_commands(cli: click.Group) -> None:
    """Commands that these priors make possible."""
    from aeplug_priors.sequence.command import continue_
    from aeplug_priors.style.command import adapt

    cli.add_command(continue_)
    cli.add_command(adapt)
