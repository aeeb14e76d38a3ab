"""Commands parse, call the engine and print; nothing else lies in their modules."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import click
import pytest
from support import ROOT

from aeplug.cli.registry import COMMANDS, load_command
from aeplug.plugins import active

#: Statements of a command, imports and docstring aside.
LONGEST = 25


def all_commands() -> dict[str, click.Command]:
    """The program's and the built-in plug-ins', by their names on the line."""
    group = click.Group("aeplug")
    for name in COMMANDS:
        group.add_command(load_command(name))
    active().add_commands(group)
    commands: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        commands[name] = command
        if isinstance(command, click.Group):
            commands |= {f"{name} {inner}": each for inner, each in command.commands.items()}
    return commands


def callback(name: str):
    return inspect.unwrap(all_commands()[name].callback)


def statements(function: ast.FunctionDef) -> int:
    """All that a function does, in blocks too."""
    found = [node for node in ast.walk(function) if isinstance(node, ast.stmt)]
    skipped = (ast.Import, ast.ImportFrom)
    is_docstring = ast.get_docstring(function) is not None
    return sum(not isinstance(node, skipped) for node in found) - 1 - is_docstring


@pytest.mark.parametrize("name", sorted(all_commands()))
def test_a_command_is_short(name):
    source = inspect.getsource(callback(name))
    (function,) = ast.parse(inspect.cleandoc(source)).body
    assert isinstance(function, ast.FunctionDef)
    assert statements(function) <= LONGEST


def test_modules_of_commands_hold_commands_alone():
    modules = {Path(inspect.getfile(callback(name))) for name in all_commands()}
    assert len(modules) >= 20
    others = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.name}"
        for path in sorted(modules)
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and not node.decorator_list
    ]
    assert others == []
