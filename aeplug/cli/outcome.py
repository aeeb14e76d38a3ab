"""What a command says at the end of a job, and the exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aeplug.errors import AeplugError
from aeplug.runtime.console import say

if TYPE_CHECKING:
    from aeplug.jobs.job import Job


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

    tally, out = job.tally, job.out
    were = "was" if tally.before == 1 else "were"
    before = f", {tally.before} {were} done before" if tally.before else ""
    say(f"wrote {tally.done} of {_counted(tally.total, 'file')} to {out}{before}")
    if stopped:
        say("stopped; the same command goes on")
        return 128 + stopped
    wrong = []
    if tally.failed:
        wrong.append(f"{tally.failed} of {_counted(tally.total, 'file')} could not be done")
    if tally.unlisted:
        wrong.append(f"{_counted(tally.unlisted, 'folder')} could not be listed")
    if wrong:
        raise AeplugError(f"{', '.join(wrong)}, reasons in {out / FAILED}")
    return 0


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
