"""General MIDI's sixteen families of eight programs each."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FAMILIES = (
    *("piano", "chromatic percussion", "organ", "guitar", "bass", "strings", "ensemble", "brass"),
    *("reed", "pipe", "synth lead", "synth pad", "synth effects", "ethnic", "percussive"),
    "sound effects",
)


def family_of(programs: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Numbers in ``FAMILIES`` of programs 0..127."""
    return programs // 8
