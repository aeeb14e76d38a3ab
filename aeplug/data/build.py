"""``data build``: files turned into arrays once, ahead of training.

A data set's builder is ``function(sources, out, processes, progress, **options) -> BuildReport``:

* ``sources``: what the user named, as typed: files, folders, zips, globs; empty only where the data
  set is ``sourceless``.
* ``out``: an empty folder to write to; what lies there afterwards, the data set reads by
  ``--data OUT``.
* ``processes``: how many to use.
* ``progress``: to be called with (files done, files in all) from time to time.
* ``options``: what :attr:`aeplug.plugins.specs.DatasetSpec.options` names, with underscores
  for hyphens.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aeplug.errors import DataError

SKIPPED = "skipped.jsonl"


@dataclass(frozen=True)
class Skipped:
    """A file that was left out.

    Attributes:
        source: the file as the user would find it (``tunes.zip!folder/tune.mid``).
        reason: why, in words that hold for other files too; the table counts by it.
        detail: what is particular to this file.
    """

    source: str
    reason: str
    detail: str = ""


@dataclass
class BuildReport:
    """What came of a build.

    Attributes:
        figures: counts for the closing table, by name.
        skipped: every file left out.
    """

    figures: dict[str, Any] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)

    def reasons(self) -> list[tuple[str, int]]:
        """Reasons with their counts, commonest first."""
        return Counter(skip.reason for skip in self.skipped).most_common()


Builder = Callable[..., BuildReport]


def build(
    builder: Builder,
    sources: list[str],
    out: Path,
    processes: int,
    progress: Callable[[int, int], None],
    options: Mapping[str, Any] | None = None,
    *,
    overwrite: bool = False,
) -> BuildReport:
    """Run a builder into a fresh folder that takes its place only when whole.

    Only a folder that a build made, or an empty one, is ever replaced.

    Raises:
        DataError: ``out`` is not to be replaced, or nothing usable was found.
    """
    out = out.expanduser().resolve()
    _check_replaceable(out, sources, overwrite)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        raise DataError(f"{out} cannot be written: {error.strerror}") from error
    try:
        report = builder(sources, fresh, processes, progress, **(options or {}))
        write_skipped(fresh / SKIPPED, report.skipped)
        fresh.chmod(0o755)  # mkdtemp makes it private
        if out.exists():
            # Moved aside first: what was there is deleted only once its successor is in place.
            old = fresh.with_name(fresh.name + ".old")
            out.rename(old)
            fresh.rename(out)
            shutil.rmtree(old)
        else:
            fresh.rename(out)
    except OSError as error:
        raise DataError(f"{out} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return report


def _check_replaceable(out: Path, sources: list[str], overwrite: bool) -> None:
    for place in (Path.cwd(), *(Path(source).expanduser().resolve() for source in sources)):
        if out == place or out in place.parents:
            raise DataError(f"--out {out} holds {place}; name another folder")
    if not out.exists():
        return
    if not out.is_dir():
        raise DataError(f"{out} exists and is a file")
    if any(out.iterdir()):
        if not overwrite:
            raise DataError(f"{out} exists and is not empty; give --overwrite to replace it")
        if not (out / SKIPPED).is_file():
            raise DataError(f"{out} was not made by 'data build'; it is not replaced")


def write_skipped(path: Path, skipped: list[Skipped]) -> None:
    """One JSON object a line: source, reason, detail."""
    lines = (json.dumps(vars(skip), ensure_ascii=False) + "\n" for skip in skipped)
    path.write_text("".join(lines), encoding="utf-8")


def summary(report: BuildReport) -> Mapping[str, Any]:
    """The report as JSON-ready values."""
    return {**report.figures, "skipped": len(report.skipped), "reasons": dict(report.reasons())}
