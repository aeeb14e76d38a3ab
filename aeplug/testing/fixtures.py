"""The pytest plug-in (``pytest11``): fixtures for the tests of a plug-in; imports no torch.

``aeplug_plugins``  plug-ins of this test alone
``aeplug_batch``    tiny batches of a task
``aeplug_cli``      the command line in this process
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from aeplug.checks.isolation import IsolatedPlugins, PluginSource
    from aeplug.interfaces import Batch
    from aeplug.plugins import Plugins


@dataclass(frozen=True)
class CommandResult:
    """What a command did.

    Attributes:
        code: its exit code.
        out: what it wrote to stdout, the results.
        err: what it wrote to stderr.
    """

    code: int
    out: str
    err: str


@pytest.fixture
def aeplug_plugins() -> Iterator[Callable[..., IsolatedPlugins]]:
    """``aeplug_plugins(module, path)``: the built-in plug-ins, the fakes and those given.

    They are this process's until the test ends; modules of single files are forgotten then.
    """
    from aeplug.plugins import current as module
    from aeplug.testing import isolated_plugins

    before, known = module._active, set(sys.modules)
    folders: set[str] = set()

    def make(*sources: PluginSource) -> IsolatedPlugins:
        isolated = isolated_plugins(*sources)
        folders.update(str(Path(e).resolve()) for e in sources if isinstance(e, str | Path))
        module.activate(isolated)
        return isolated

    yield make
    module._active = before
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", None)) in folders:
            del sys.modules[name]


@pytest.fixture
def aeplug_batch() -> Callable[..., Batch]:
    """``aeplug_batch("waves", plugins=..., count=4)``: see :func:`aeplug.testing.tiny_batch`."""
    from aeplug.testing import tiny_batch

    return tiny_batch


@pytest.fixture
def aeplug_cli(capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[..., CommandResult]]:
    """``aeplug_cli("train", "waves", "--steps", 5, plugins=...)``: a command in this process.

    With ``plugins`` those are all there are; else the installed ones. A command that fails fails
    the test, unless ``fails=True``; with ``fails=None`` either is right.
    """
    import click

    from aeplug.cli import program
    from aeplug.plugins import current as module

    before = module._active

    def call(
        *arguments: object, plugins: Plugins | None = None, fails: bool | None = False
    ) -> CommandResult:
        capfd.readouterr()
        commands = dict(program.cli.commands)
        extra: dict[str, Any] = {}
        if plugins is not None:
            module.activate(plugins)
            extra["parent"] = click.Context(click.Command("aeplug"))
            # The program then takes them as loaded already.
            extra["parent"].meta["aeplug.plugins"] = True
        code: Any = 0
        try:
            program.main([str(argument) for argument in arguments], **extra)
        except SystemExit as ended:
            code = ended.code or 0
        finally:
            program.cli.commands.clear()
            program.cli.commands.update(commands)
        text = capfd.readouterr()
        result = CommandResult(code, text.out, text.err)
        if fails is not None and bool(code) != fails:
            pytest.fail(f"aeplug {' '.join(map(str, arguments))}: exit code {code}\n{text.err}")
        return result

    yield call
    module._active = before
