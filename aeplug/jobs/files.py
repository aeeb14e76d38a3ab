"""Files through a model into a folder, with a sheet of the first; what ``reconstruct`` does."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aeplug.data.batching import count_pieces
from aeplug.errors import ConfigError
from aeplug.inference.reconstruct import fix_latents
from aeplug.interfaces import Document, Sampling, SequencedCodec, supports
from aeplug.jobs.failures import FAILED
from aeplug.jobs.inputs import Inputs
from aeplug.jobs.job import Job
from aeplug.jobs.reconstruction import Reconstruction
from aeplug.jobs.work import JobCounts
from aeplug.model.model import Model
from aeplug.plugins import active
from aeplug.runtime.console import say

#: Files on a sheet of inputs and results, and how many side by side.
SHOWN, COLUMNS = 60, 10


@dataclass(frozen=True)
class JobReport:
    """What a job did.

    Attributes:
        out: folder of the results.
        counts: of files.
        stopped: number of the signal that ended it early, else 0.
        picture: sheet that was drawn, if one was.
        pieces: what the model's pieces are called, in the plural.

    Example:
        >>> from aeplug.jobs.work import JobCounts
        >>> JobReport(Path("out"), JobCounts(total=3, done=2, failed=1)).as_dict()["failures"]
        'out/failed.jsonl'
    """

    out: Path
    counts: JobCounts
    stopped: int = 0
    picture: Path | None = None
    pieces: str = "pieces"

    @property
    def failures(self) -> Path:
        """The list of files that could not be done, with reasons."""
        return self.out / FAILED

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready: counts of files, paths, and pieces that were passed through."""
        passed = self.counts.passed
        by_file = {name: each.as_dict() for name, each in sorted(self.counts.passed_files.items())}
        return {
            "total": self.counts.total,
            "done": self.counts.done,
            "done_before": self.counts.before,
            "failed": self.counts.failed,
            "stopped": bool(self.stopped),
            "path": str(self.out),
            "failures": str(self.failures) if self.counts.failed else None,
            "picture": str(self.picture) if self.picture else None,
            **({"passed_through": {**passed.as_dict(), "files": by_file}} if passed else {}),
            **({"readings": self.counts.readings} if self.counts.readings else {}),
        }


def run_job(job: Job) -> JobReport:
    """Run a job; a line on stderr for each folder or pattern that gave no files, or left some out.

    Raises:
        AeplugError: see :meth:`aeplug.jobs.Job.run`.

    Example:
        >>> from aeplug.inference import make_samples, write_results
        >>> files = [str(path) for path in write_results(model, make_samples(model, 2), "in").files]
        >>> inputs = Inputs(files, "", [], Path("out"))
        >>> run_job(Job(Reconstruction(model), inputs, Path("out"), ".png")).counts.done
        2
    """
    stopped = job.run()
    for remark in job.inputs.remarks:
        say(remark)
    return JobReport(job.out, job.counts, stopped)


def reconstruct_files(
    model: Model,
    inputs: Inputs,
    out: Path,
    options: Mapping[str, Any] | None = None,
    *,
    sampling: Sampling | None = None,
    seed: int = 0,
    to: Mapping[str, Any] | None = None,
    latent_of: str | Path = "",
    sheet: str | Path | None = None,
    overwrite: bool = False,
) -> JobReport:
    """Put files through a model, and write each result under the name of its file.

    Args:
        model: what they go through.
        inputs: which files.
        out: folder of the results.
        options: of the codec, by name with hyphens.
        sampling: how to decode; None: greedily.
        seed: of every draw.
        to: change the class: condition's name -> class.
        latent_of: a file; decode with its latents, piece by piece, in place of their own.
        sheet: also draw the first results below their inputs, into this PNG.
        overwrite: replace results of another job, and the sheet.

    Raises:
        AeplugError: the disk is full, results would replace inputs, ``out`` belongs to another
            job or cannot be written, or no file is named.

    Example:
        >>> from aeplug.inference import make_samples, write_results
        >>> _ = write_results(model, make_samples(model, 3), "digits")
        >>> inputs = Inputs(["digits"], "", [".png"], Path("out"))
        >>> reconstruct_files(model, inputs, Path("out"), sheet="sheet.png").counts.done
        3
    """
    latents = None
    if latent_of:  # what options say of the inputs does not hold for this file
        plain = model.with_options({})
        latents = fix_latents(plain, plain.read(latent_of))
    picture = _place_sheet(Path(sheet).expanduser(), out, overwrite, inputs) if sheet else None
    suffixes = active().find("codec", model.config.sections["codec"].name).suffixes
    job = Job(
        Reconstruction(model, sampling or Sampling(greedy=True), seed, to or {}, latents),
        inputs,
        out,
        suffixes[0] if suffixes else "",
        options,
        overwrite=overwrite,
        keep_pairs=SHOWN if picture else 0,
    )
    report = run_job(job)
    if model.guard is not None:
        report = replace(report, pieces=model.guard.pieces)
    if picture is None or not job.pairs:
        return report
    _draw_sheet(model, job.pairs, picture)
    return replace(report, picture=picture)


def _place_sheet(sheet: Path, out: Path, overwrite: bool, inputs: Inputs) -> Path | None:
    """Where the sheet goes: not among the results, and never over an input.

    None where one is there already: a job that is resumed draws nothing twice.
    """
    if sheet.suffix.lower() != ".png":
        raise ConfigError(f"--sheet {sheet}: expected a name that ends in .png")
    if out.resolve() in sheet.resolve().parents:
        raise ConfigError(f"--sheet {sheet} would lie among the results in {out}; name another")
    if not sheet.exists():
        return sheet
    if not overwrite:
        say(f"--sheet {sheet} is there already and stays; give --overwrite to draw it again")
        return None
    real = os.path.realpath(sheet)
    if any(os.path.realpath(file.path) == real for file in inputs):
        raise ConfigError(f"--sheet {sheet} would replace an input; name another")
    return sheet


def _draw_sheet(model: Model, pairs: list[tuple[int, Document, Document]], picture: Path) -> None:
    ordered = sorted(pairs, key=lambda pair: pair[0])
    # Long documents fill a line each: each result directly below its input.
    columns = 1 if any(_is_long(model, before) for _, before, _ in ordered) else COLUMNS
    rows = []
    for start in range(0, len(ordered), columns):
        part = ordered[start : start + columns]
        rows.append(("input", [before for _, before, _ in part]))
        rows.append(("reconstruction", [after for _, _, after in part]))
    picture.parent.mkdir(parents=True, exist_ok=True)
    model.codec.sheet(rows, picture, f"{model.spec.name}: inputs and reconstructions")


def _is_long(model: Model, document: Document) -> bool:
    codec = model.codec
    return supports(codec, SequencedCodec) and count_pieces(codec.split(document)) > 1
