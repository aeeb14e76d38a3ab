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

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aeplug.errors import ConfigError, DataError, nearest
from aeplug.plugins import Plugins, active, load_attribute
from aeplug.plugins.options import check_options
from aeplug.plugins.specs import DatasetSpec
from aeplug.runtime.console import Progress
from aeplug.runtime.files import encode_json

SKIPPED = "skipped.jsonl"


@dataclass(frozen=True)
class Skipped:
    """A file that was left out.

    Attributes:
        source: the file as the user would find it (``tunes.zip!folder/tune.mid``).
        reason: why, in words that hold for other files too; the table counts by it.
        detail: what is particular to this file.

    Example:
        >>> Skipped("tunes.zip!a.mid", "no melody", "3 tracks of chords")
        Skipped(source='tunes.zip!a.mid', reason='no melody', detail='3 tracks of chords')
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

    Example:
        >>> BuildReport({"windows": 40}, [Skipped("a.mid", "no melody")]).reasons()
        [('no melody', 1)]
    """

    figures: dict[str, Any] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)

    def reasons(self) -> list[tuple[str, int]]:
        """Reasons with their counts, commonest first."""
        return Counter(skip.reason for skip in self.skipped).most_common()


Builder = Callable[..., BuildReport]


def build_dataset(
    sources: Sequence[str | Path],
    out: str | Path,
    *,
    dataset: str = "",
    options: Mapping[str, Any] | None = None,
    processes: int = 0,
    overwrite: bool = False,
    plugins: Plugins | None = None,
) -> BuildReport:
    """Turn files into arrays for training, for ``aeplug.train(..., data=out)``.

    Args:
        sources: files, folders, zips or globs; none where the data set makes its data up.
        out: folder to write.
        dataset: kind of data set; needed where more than one can be built of such sources.
        options: of its builder, by name with hyphens.
        processes: at work; 0: one a core.
        overwrite: replace ``out``, where a build made it.
        plugins: which bring data sets; by default those of this process.

    Raises:
        ConfigError: no such data set can be built, it needs sources, or an option does not fit.
        DataError: ``out`` is not to be replaced, or nothing usable was found.

    Example:
        >>> import zipfile
        >>> with zipfile.ZipFile(find_bundled("folk_tunes.zip")) as archive:
        ...     tune = archive.extract("airdsAirs/book1_0052.mid", "tunes")
        >>> build_dataset(["tunes"], "mine", dataset="melodies", processes=1).figures["windows"]
        9
    """
    spec = find_buildable(dataset, bool(sources), plugins or active())
    checked = check_options(spec.options, options or {}, spec.name)
    with _Progress() as progress:
        return build(
            load_attribute(str(spec.builder)),
            [str(source) for source in sources],
            Path(out),
            processes or os.cpu_count() or 1,
            progress,
            {name.replace("-", "_"): value for name, value in checked.items()},
            overwrite=overwrite,
        )


def find_buildable(name: str, has_sources: bool, plugins: Plugins) -> DatasetSpec:
    """The data set of this name, or the only one that can be built.

    Raises:
        ConfigError: there is none, there are several, or it is built of sources and has none.
    """
    buildable = {spec.name: spec for spec in plugins.specs("dataset") if spec.builder}
    if not name:
        # What makes its data up is not meant where sources are named, and nothing else without.
        meant = [each for each, spec in buildable.items() if spec.sourceless != has_sources]
        if len(meant) != 1:
            raise ConfigError(f"--dataset is needed, one of: {', '.join(buildable) or 'none'}")
        name = meant[0]
    if name not in buildable:
        raise ConfigError(f"no data set '{name}' can be built. {nearest(name, buildable)}")
    if not has_sources and not buildable[name].sourceless:
        raise ConfigError(f"'{name}' is built of SOURCES: name files, folders, zips or globs")
    return buildable[name]


class _Progress:
    """A bar that begins again where a builder goes over its files a second time."""

    def __init__(self) -> None:
        self._bar: Progress | None = None

    def __enter__(self) -> _Progress:
        return self

    def __call__(self, done: int, total: int) -> None:
        if self._bar is None or self._bar.total != total:
            self.close()
            self._bar = Progress(total, "files").__enter__()
        self._bar.update(done)

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None


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
    lines = (encode_json(vars(skip)) + "\n" for skip in skipped)
    path.write_text("".join(lines), encoding="utf-8")


def summary(report: BuildReport) -> Mapping[str, Any]:
    """The report as JSON-ready values."""
    return {**report.figures, "skipped": len(report.skipped), "reasons": dict(report.reasons())}
