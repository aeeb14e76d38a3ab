"""The hooks a plug-in may implement, and nothing else.

Hooks run at start-up and at rare events, never per batch. Implementations take only the
arguments they need, by name and without defaults. Every hook is collect-all: each plug-in adds
to the result and none can answer for another.

What an implementation can rely on: a hook gains arguments, never loses one without a warning; a
hook or an argument that is to go is first marked, for one minor version or more, with
``@hookspec(warn_on_impl=DeprecationWarning("... is deprecated: implement ... instead"))`` or
``warn_on_impl_args``, and the one line that its users then see names what to write instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

from aeplug.plugins.specs import (
    CodecSpec,
    DatasetSpec,
    DecoderSpec,
    EncoderSpec,
    LatentSpec,
    LossSpec,
    PriorSpec,
    RunEvent,
    TaskSpec,
)

if TYPE_CHECKING:
    import click

PROJECT = "aeplug"

#: Goes up by one with each hook or argument added here and each field added to a spec. A plug-in
#: that needs the newest says ``aeplug_hook_version = N`` at the top of its module; an older aeplug
#: then says what to install instead of failing somewhere inside.
#:
#: 1: all hooks below but ``aeplug_priors``; 2: ``aeplug_priors``.
HOOK_VERSION = 2

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def aeplug_encoders() -> Iterable[EncoderSpec]:  # type: ignore[empty-body]
    """Encoders a task can name.

    Example::

        @hookimpl
        def aeplug_encoders():
            yield EncoderSpec("my-conv", "my_plugin.nets:MyEncoder", "four dilated layers")
    """


@hookspec
def aeplug_latents() -> Iterable[LatentSpec]:  # type: ignore[empty-body]
    """Bottlenecks a task can name; the core brings ``deterministic`` and ``gaussian``.

    Example::

        @hookimpl
        def aeplug_latents():
            yield LatentSpec("my-codebook", "my_plugin.nets:Codebook", "512 vectors")
    """


@hookspec
def aeplug_decoders() -> Iterable[DecoderSpec]:  # type: ignore[empty-body]
    """Decoders a task can name.

    Example::

        @hookimpl
        def aeplug_decoders():
            yield DecoderSpec("my-conv", "my_plugin.nets:MyDecoder", "mirror of my-conv")
    """


@hookspec
def aeplug_losses() -> Iterable[LossSpec]:  # type: ignore[empty-body]
    """Losses a task can name, also a built-in one: ``--set loss=my-loss``.

    Example::

        @hookimpl
        def aeplug_losses():
            yield LossSpec("huber", "my_plugin.losses:Huber", "quadratic near zero")
    """


@hookspec
def aeplug_codecs() -> Iterable[CodecSpec]:  # type: ignore[empty-body]
    """Readers and writers of files.

    Example::

        @hookimpl
        def aeplug_codecs():
            yield CodecSpec("csv", "my_plugin.csv:CsvCodec", suffixes=(".csv",))
    """


@hookspec
def aeplug_datasets() -> Iterable[DatasetSpec]:  # type: ignore[empty-body]
    """Data sets a task can name.

    Example::

        @hookimpl
        def aeplug_datasets():
            yield DatasetSpec("sensors", "my_plugin.data:Sensors", "made-up signals")
    """


@hookspec
def aeplug_priors() -> Iterable[PriorSpec]:  # type: ignore[empty-body]
    """Priors over latents that are fitted after training, for ``sample --prior NAME``.

    Example::

        @hookimpl
        def aeplug_priors():
            yield PriorSpec(
                "flow", "my_plugin.flow:fit", "my_plugin.flow:restore", "a normalising flow"
            )
    """


@hookspec
def aeplug_tasks() -> Iterable[TaskSpec]:  # type: ignore[empty-body]
    """Tasks: compositions of parts, by name, from any plug-in.

    Example::

        @hookimpl
        def aeplug_tasks():
            yield TaskSpec(
                "sensors", "anomaly detection", dataset="sensors", encoder="mlp",
                decoder="mlp", loss="mse", codec="csv", prepare="my_plugin.data:Prepare",
            )
    """


@hookspec
def aeplug_commands(cli: click.Group) -> None:
    """Add commands to the ``aeplug`` program; import heavy modules inside the command.

    Example::

        @hookimpl
        def aeplug_commands(cli):
            @cli.command()
            def hello():
                click.echo("hello")
    """


@hookspec
def aeplug_run_event(event: RunEvent) -> None:
    """Called on rare events of a run, on rank 0 only.

    An exception here is reported once and never stops the training.

    Example::

        @hookimpl
        def aeplug_run_event(event):
            if event.kind == "evaluated":
                print(event.step, event.metrics["loss"])
    """
