"""Results on stdout: aligned tables for people, one JSON object for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import click


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


def terminal_width() -> int:
    """Columns of the terminal, 100 where there is none."""
    import shutil

    return shutil.get_terminal_size((100, 24)).columns


def _print_nested(nested: Mapping[str, Any]) -> None:
    inner = [value for value in nested.values() if isinstance(value, Mapping)]
    if not inner or len(inner) != len(nested):
        for name, value in nested.items():
            click.echo(f"  {name}  {_number(value)}")
        return
    columns: list[str] = []
    for value in inner:
        columns += [name for name in value if name not in columns]
    rows = [
        [name, *(_number(value[column]) if column in value else "" for column in columns)]
        for name, value in nested.items()
    ]
    heads = ["", *columns]
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    for row in [heads, *rows]:
        cells = [row[0].ljust(widths[0])] + [
            cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)
        ]
        click.echo("  " + "  ".join(cells).rstrip())


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e5 else f"{value:.0f}"
    return str(value)


def _wrapped(text: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(text, width) or [""]


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
