"""The program: global options, plug-ins, and one clear line for every error."""

from __future__ import annotations

import io
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import click

from aeplug._version import __version__
from aeplug.cli.output import begin_output, print_json_error
from aeplug.cli.registry import COMMANDS, load_command
from aeplug.cli.suggestions import explain_option, suggest_command
from aeplug.errors import AeplugError
from aeplug.plugins import Plugins, activate, active, explain_missing_library
from aeplug.plugins.current import blocked_from_environment, folders_from_environment
from aeplug.runtime.console import flush_streams, say
from aeplug.runtime.files import describe_lack_of_memory


class Program(click.Group):
    """A group that loads plug-ins after its own options and before its commands."""

    def invoke_plugins(self, ctx: click.Context) -> None:
        """Load plug-ins as the global options say, once, and let them add commands."""
        if ctx.meta.get("aeplug.plugins"):
            return
        ctx.meta["aeplug.plugins"] = True
        options = ctx.params
        activate(
            Plugins(
                [*folders_from_environment(), *map(Path, options.get("plugins_dir") or ())],
                [*blocked_from_environment(), *(options.get("block") or ())],
                only_builtin=bool(options.get("no_plugins")),
                strict=bool(options.get("strict")),
            )
        )
        active().add_commands(self)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands, plug-ins' included."""
        self.invoke_plugins(ctx)
        return super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command by name; an unknown one names the nearest."""
        self.invoke_plugins(ctx)
        command = super().get_command(ctx, cmd_name)
        if command is None and not ctx.resilient_parsing:
            raise click.UsageError(
                f"no command is called '{cmd_name}'. {suggest_command(cmd_name, self.commands)}",
                ctx,
            )
        return command


@click.group(
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="aeplug")
@click.option(
    "--plugins-dir",
    multiple=True,
    is_eager=True,
    type=click.Path(file_okay=False),
    help="Load the single-file plug-ins (*.py) of this folder. Also $AEPLUG_PLUGINS_DIR.",
)
@click.option(
    "--block",
    multiple=True,
    is_eager=True,
    metavar="NAME",
    help="Do not load this plug-in. Also $AEPLUG_BLOCK.",
)
@click.option("--no-plugins", is_flag=True, is_eager=True, help="Load only what comes with aeplug.")
@click.option("--strict", is_flag=True, is_eager=True, help="A broken plug-in stops the program.")
@click.option("--debug", is_flag=True, is_eager=True, help="Show the traceback of an error.")
def cli(**options: Any) -> None:
    """Autoencoders of any modality, as plug-ins of one engine.

    \b
    aeplug demo                        train, sample and reconstruct in minutes
    aeplug tasks                       what can be trained
    aeplug train mnist-vae             train it; the run is kept in runs/
    aeplug sample mnist-vae --out out  draw from a run, or from shipped weights
    """


def main(arguments: list[str] | None = None, **extra: Any) -> None:
    """Run the command line; ends the process with its exit code.

    ``extra`` goes to click's context: tests hand in a parent that says which plug-ins there are.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names of files need not be text: their bytes go out as they came in.
        sys.stdout.reconfigure(errors="surrogateescape")
    try:
        _main(arguments, extra)
    finally:
        flush_streams()


def _main(arguments: list[str] | None, extra: dict[str, Any]) -> None:
    # Before torch is imported. Threads that spin long while they wait make two busy programs on
    # few cores many times slower than one after the other; threads that never spin make one alone
    # slower by half. This is a few microseconds.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "20000")
    # Large tensors on huge pages: else the system, asked for every page of each feature map anew,
    # takes as much time as the convolution that fills it.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    for name in COMMANDS:
        cli.add_command(load_command(name))
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    # Taken from anywhere on the line: one adds it to the end of a command that has just failed.
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    debug = "--debug" in own
    begin_output()
    fail = partial(_fail, as_json="--json" in own)
    arguments = [*_folders_first([a for a in own if a != "--debug"]), *arguments[len(own) :]]
    try:
        code = cli.main(arguments, prog_name="aeplug", standalone_mode=False, **extra)
        if sys.stdout is not None:
            sys.stdout.flush()  # results: that they are cut short is an error
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Abort:
        fail("stopped", 130)
    except getattr(click.exceptions, "NoArgsIsHelpError", ()) as error:  # since click 8.2
        say(error.format_message())
        sys.exit(2)
    except click.ClickException as error:
        if debug:
            raise
        context = getattr(error, "ctx", None)
        hint = f" (see '{context.command_path} --help')" if context else ""
        text = error.format_message()
        if isinstance(error, click.NoSuchOption):
            text = explain_option(error, own)
        fail(text + hint, error.exit_code)
    except BrokenPipeError:
        sys.exit(141)  # the reader left (`aeplug tasks | head -1`)
    except KeyboardInterrupt:
        fail("stopped", 130)
    except AeplugError as error:
        if debug:
            raise
        fail(str(error), 1)
    except OSError as error:
        # A full disk, a missing permission: the system's own words say it best.
        if debug:
            raise
        place = f"{error.filename}: " if error.filename else ""
        fail(f"{place}{error.strerror or error}", 1)
    except Exception as error:
        if debug:
            raise
        if known := explain_missing_library(error) or describe_lack_of_memory(error):
            fail(known, 1)
        text = " ".join(str(error).split())
        fail(f"{type(error).__name__}: {text} (--debug shows where; this is a bug)", 1)


def _folders_first(arguments: list[str]) -> list[str]:
    """``--plugins-dir DIR`` is the program's option, wherever on the line it stands."""
    first, rest = [], list(arguments)
    while "--plugins-dir" in rest[:-1]:
        place = rest.index("--plugins-dir")
        first += rest[place : place + 2]
        del rest[place : place + 2]
    return first + rest


def _fail(text: str, code: int, *, as_json: bool) -> NoReturn:
    say(f"aeplug: error: {text}")
    if as_json:  # a program reads stdout: it shall find an object there
        print_json_error(text)
    sys.exit(code)
