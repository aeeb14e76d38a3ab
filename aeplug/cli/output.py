"""Results on stdout: aligned tables for people, one JSON object for programs."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from aeplug.errors import AeplugError
from aeplug.runtime.console import say

if TYPE_CHECKING:
    from aeplug.config.schema import Setting
    from aeplug.jobs.job import Job

#: Reasons shown as they come up.
REASONS_SHOWN = 5


def print_json(value: Mapping[str, Any]) -> None:
    """One JSON object on stdout; what is not finite is null."""
    click.echo(json.dumps(_finite(value), indent=2))


def print_table(rows: Sequence[Sequence[str]], headings: Sequence[str]) -> None:
    """Aligned columns; the last is wrapped under itself to the terminal's width."""
    table = [list(headings), *(list(row) for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(headings) - 1)]
    indent = sum(widths) + 2 * len(widths)
    width = max(terminal_width() - indent, 20)
    for number, row in enumerate(table):
        cells = (cell.ljust(size) for cell, size in zip(row, widths, strict=False))
        start = "".join(f"{cell}  " for cell in cells)
        lines = _wrapped(row[-1], width)
        first = f"{start}{lines[0]}".rstrip()
        click.echo(click.style(first, bold=True) if number == 0 else first)
        for line in lines[1:]:
            click.echo(" " * indent + line)


def print_figures(report: Mapping[str, Any]) -> None:
    """Figures as an aligned table; nested ones under a heading."""
    flat = {name: value for name, value in report.items() if not isinstance(value, Mapping)}
    size = max((len(name) for name in flat), default=0)
    for name, value in flat.items():
        click.echo(f"{name.ljust(size)}  {_number(value)}")
    for name, value in report.items():
        if isinstance(value, Mapping):
            click.echo(f"\n{name}")
            _print_nested(value)


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


def report_job(job: Job, stopped: int) -> int:
    """Say what a job did.

    Args:
        job: that was run.
        stopped: what its ``run`` gave.

    Returns:
        The exit code, where all went well or it was stopped.

    Raises:
        AeplugError: files could not be done; where their reasons stand.
    """
    from aeplug.jobs.failures import FAILED

    counts, out = job.counts, job.out
    were = "was" if counts.before == 1 else "were"
    before = f", {counts.before} {were} done before" if counts.before else ""
    say(f"wrote {counts.done} of {_counted(counts.total, 'file')} to {out}{before}")
    if stopped:
        say("stopped; the same command goes on")
        return 128 + stopped
    wrong = []
    if counts.failed:
        wrong.append(f"{counts.failed} of {_counted(counts.total, 'file')} could not be done")
    if counts.unlisted:
        wrong.append(f"{_counted(counts.unlisted, 'folder')} could not be listed")
    if wrong:
        raise AeplugError(f"{', '.join(wrong)}, reasons in {out / FAILED}")
    return 0


def failure_logger(bad: list[str]) -> Callable[[str, str], None]:
    """Says why a file is left out, of the first few, and notes all in ``bad``."""

    def failed(path: str, reason: str) -> None:
        bad.append(path)
        if len(bad) <= REASONS_SHOWN:
            say(f"left out: {reason if path in reason else f'{path}: {reason}'}")

    return failed


def terminal_width() -> int:
    """Columns of the terminal, 100 where there is none."""
    import shutil

    return shutil.get_terminal_size((100, 24)).columns


def _print_nested(nested: Mapping[str, Any], indent: str = "  ") -> None:
    """Numbers in lines, then what is nested; mappings of one depth as a table."""
    inner = {name: value for name, value in nested.items() if isinstance(value, Mapping)}
    plain = {name: value for name, value in nested.items() if name not in inner}
    size = max((len(name) for name in plain), default=0)
    for name, value in plain.items():
        click.echo(f"{indent}{name.ljust(size)}  {_number(value)}")
    flat = all(not isinstance(cell, Mapping) for value in inner.values() for cell in value.values())
    if inner and flat and not plain:
        _print_grid(inner, indent)
        return
    for name, value in inner.items():
        click.echo(f"{indent}{name}")
        _print_nested(value, indent + "  ")


def _print_grid(rows: Mapping[str, Mapping[str, Any]], indent: str) -> None:
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    # Long names go down the side, where they cost their width once.
    if len(rows) < len(columns) or sum(map(len, columns)) > terminal_width() - 20:
        rows, columns = (
            {name: {row: rows[row][name] for row in rows if name in rows[row]} for name in columns},
            list(rows),
        )
    table = [["", *columns]] + [
        [name, *(_number(row[column]) if column in row else "" for column in columns)]
        for name, row in rows.items()
    ]
    widths = [max(len(line[number]) for line in table) for number in range(len(table[0]))]
    for line in table:
        cells = [line[0].ljust(widths[0])] + [
            cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)
        ]
        click.echo(indent + "  ".join(cells).rstrip())


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e5 else f"{value:.0f}"
    return str(value)


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width) or [""]


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _print_wrapped(text: str, indent: str, room: int) -> None:
    click.echo(
        textwrap.fill(
            text, max(room, len(indent) + 20), initial_indent=indent, subsequent_indent=indent
        )
    )


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
