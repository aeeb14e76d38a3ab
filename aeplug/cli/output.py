"""Results on stdout: aligned tables for people, one JSON object for programs."""

from __future__ import annotations

import json
import math
import os
import shlex
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from aeplug.errors import AeplugError, format_count
from aeplug.runtime.console import say

if TYPE_CHECKING:
    from pathlib import Path

    from aeplug.api import Run
    from aeplug.inference.results import WrittenResults
    from aeplug.jobs.files import JobReport


#: Of this run of the program: whether it has printed its object.
_run = {"has_printed": False}


def begin_output() -> None:
    """A run of the program begins: it has printed nothing."""
    _run["has_printed"] = False


def print_json_error(text: str) -> None:
    """The error as the run's one JSON object; nothing where the run has printed its object."""
    if not _run["has_printed"]:
        print_json({"error": text})


def print_json(value: Mapping[str, Any]) -> None:
    """One JSON object on stdout; what is not finite is null.

    Example:
        >>> print_json({"task": "mnist-vae", "loss": float("nan")})
        {
          "task": "mnist-vae",
          "loss": null
        }
    """
    _run["has_printed"] = True
    click.echo(
        json.dumps(_finite(value), indent=2, default=lambda setting: _finite(setting.as_dict()))
    )


def print_table(rows: Sequence[Sequence[str]], headings: Sequence[str]) -> None:
    """Aligned columns; the last is wrapped under itself to the terminal's width.

    Example:
        >>> print_table([("mnist", "digits"), ("groove", "feel of drums")], ("TASK", "SUMMARY"))
        TASK    SUMMARY
        mnist   digits
        groove  feel of drums
    """
    table = [list(headings), *(list(row) for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(headings) - 1)]
    indent = sum(widths) + 2 * len(widths)
    width = max(terminal_width() - indent, 20)
    for number, row in enumerate(table):
        cells = (cell.ljust(size) for cell, size in zip(row, widths, strict=False))
        start = "".join(f"{cell}  " for cell in cells)
        lines = _wrap(row[-1], width)
        first = f"{start}{lines[0]}".rstrip()
        click.echo(click.style(first, bold=True) if number == 0 else first)
        for line in lines[1:]:
            click.echo(" " * indent + line)


def print_figures(report: Mapping[str, Any]) -> None:
    """Figures as an aligned table; nested ones under a heading.

    Example:
        >>> print_figures({"items": 100, "psnr_db": 31.2345})
        items    100
        psnr_db  31.23
    """
    flat = {name: value for name, value in report.items() if not isinstance(value, Mapping)}
    size = max((len(name) for name in flat), default=0)
    for name, value in flat.items():
        click.echo(f"{name.ljust(size)}  {_number(value)}")
    for name, value in report.items():
        if isinstance(value, Mapping):
            click.echo(f"\n{name}")
            _print_nested(value)


def say_next(*words: object) -> None:
    """A command worth typing next, with the global options of this one, on stderr.

    Example:
        >>> say_next("vary", "mnist-vae", "my samples/sample-001.png", "--out", "variations")
    """
    say(f"next: {format_command(*words)}")


def format_command(*words: object) -> str:
    """A command of this program as it is typed, under the global options of the running one."""
    context = click.get_current_context(silent=True)
    options = context.find_root().params if context else {}
    own = [part for name in options.get("plugins_dir") or () for part in ("--plugins-dir", name)]
    own += [part for name in options.get("block") or () for part in ("--block", name)]
    own += ["--no-plugins"] if options.get("no_plugins") else []
    return shlex.join(["aeplug", *own, *map(str, words)])


def print_results(
    written: WrittenResults, as_json: bool = False, following: Sequence[object] = (), **facts: Any
) -> None:
    """The picture's path on stdout, or one JSON object; what was written on stderr.

    Args:
        written: files and picture.
        as_json: whether ``--json`` asks for an object: ``facts``, ``files`` and ``picture``.
        following: words of a command worth typing next.
        facts: JSON-ready.

    Example:
        >>> from aeplug.inference import make_samples, write_results
        >>> print_results(write_results(model, make_samples(model, 2), "out"))
        out/samples.png
    """
    files = written.files
    for remark in written.remarks:
        say(remark)
    if files:
        last = f" to {files[-1].name}" if len(files) > 1 else ""
        many = f"{len(files)} files, " if len(files) > 1 else ""
        say(f"wrote {many}{files[0]}{last}")
    say(f"picture: {written.picture}")
    if following:
        say_next(*following)
    if as_json:
        paths = [str(path) for path in files]
        picture = str(written.picture)
        print_json({**facts, **written.facts, "files": paths, "picture": picture})
    else:
        click.echo(str(written.picture))


def print_path(
    path: Path, summary: str, as_json: bool = False, following: Sequence[object] = (), **facts: Any
) -> None:
    """A file or folder that was written, on stdout; a summary of it on stderr.

    Example:
        >>> print_path(Path("out/latents.npz"), "100 rows", as_json=True, rows=100)
        {
          "rows": 100,
          "path": "out/latents.npz"
        }
    """
    say(f"wrote {summary}")
    if following:
        say_next(*following)
    if as_json:
        print_json({**facts, "path": str(path)})
    else:
        click.echo(str(path))


def print_pictures(pictures: Sequence[Path], as_json: bool = False, **facts: Any) -> None:
    """Paths of pictures on stdout, or one JSON object with ``facts``."""
    for picture in pictures:
        say(f"picture: {picture}")
        if not as_json:
            click.echo(str(picture))
    if as_json:
        print_json({**facts, "pictures": [str(picture) for picture in pictures]})


def print_run(run: Run, as_json: bool = False) -> None:
    """The folder of a finished run on stdout, or one JSON object; what to try on stderr."""
    held_out = run.metrics("val")[-1:]
    verb = "sample" if "samples.png" in (path.name for path in run.pictures()) else "evaluate"
    say_next(verb, run.folder, *(("--out", "samples") if verb == "sample" else ()))
    if not as_json:
        click.echo(str(run.folder))
        return
    print_json(
        {
            "task": run.task,
            "path": str(run.folder),
            "checkpoints": {name: str(path) for name, path in run.checkpoints().items()},
            "pictures": [str(path) for path in run.pictures()],
            "metrics": held_out[0] if held_out else {},
        }
    )


def resume_command(run: Run, device: str) -> str:
    """What to type to resume a run, started as this program was: by ``torchrun`` too."""
    words = ["train", run.task, "--run", str(run.folder), "--resume"]
    if device != "auto":
        words += ["--device", device]
    command = format_command(*words)
    if "TORCHELASTIC_RUN_ID" in os.environ:
        own, all_ = (os.environ.get(name, "1") for name in ("LOCAL_WORLD_SIZE", "WORLD_SIZE"))
        nodes = int(all_) // int(own)
        several = ["--nnodes", str(nodes)] if nodes > 1 else []
        launcher = ["torchrun", *several, "--nproc-per-node", own, "-m", "--"]
        return f"{shlex.join(launcher)} {command}"
    return command


def report_job(report: JobReport, as_json: bool = False, **facts: Any) -> int:
    """Say what a job did; with ``as_json`` also as one object, of ``facts`` and counts.

    Returns:
        The exit code, where all went well or it was stopped.

    Raises:
        AeplugError: files could not be done; where their reasons stand.

    Example:
        >>> from aeplug.jobs import JobReport
        >>> from aeplug.jobs.work import JobCounts
        >>> report_job(JobReport(Path("out"), JobCounts(total=3, done=2), stopped=2))
        130
    """
    counts, out = report.counts, report.out
    before = f", {counts.before} {_were(counts.before)} done before" if counts.before else ""
    say(f"wrote {counts.done} of {format_count(counts.total, 'file')} to {out}{before}")
    passed = counts.passed
    if passed is not None and passed.count:
        say(passed.describe(report.pieces))
    if report.picture:
        say(f"picture: {report.picture}")
    if as_json:
        print_json({**facts, **report.as_dict()})
    elif report.picture:
        click.echo(str(report.picture))
    if report.stopped:
        say("Stopped. Run the same command to resume.")
        return 128 + report.stopped
    wrong = []
    if counts.failed:
        wrong.append(f"{counts.failed} of {format_count(counts.total, 'file')} could not be done")
    if counts.unlisted:
        wrong.append(f"{format_count(counts.unlisted, 'folder')} could not be listed")
    if wrong:
        raise AeplugError(f"{', '.join(wrong)}, reasons in {report.failures}")
    return 0


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


def _wrap(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width) or [""]


def _finite(value: Any) -> Any:
    """JSON-ready: what is not finite as None."""
    if isinstance(value, Mapping):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _were(number: int) -> str:
    return "was" if number == 1 else "were"
