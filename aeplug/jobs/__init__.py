"""Many files through a model or a converter: resumable, and no bad file stops the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aeplug.runtime.lazy import lazy_exports

if TYPE_CHECKING:
    from aeplug.jobs.conversion import Conversion
    from aeplug.jobs.files import JobReport, reconstruct_files, run_job
    from aeplug.jobs.inputs import Inputs
    from aeplug.jobs.job import Job
    from aeplug.jobs.reconstruction import Reconstruction

__all__ = [
    "Conversion",
    "Inputs",
    "Job",
    "JobReport",
    "Reconstruction",
    "reconstruct_files",
    "run_job",
]

__getattr__, __dir__ = lazy_exports(__name__)
