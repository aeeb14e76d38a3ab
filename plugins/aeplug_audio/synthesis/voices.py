"""A note to be rendered, and what makes its sound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["Note"]

Samples = npt.NDArray[np.float32]

#: Longest duration of a note, seconds; one that is held longer ends there.
LONGEST_NOTE = 60.0


@dataclass(frozen=True, order=True)
class Note:
    """A note, or a stroke of a drum.

    Example:
        >>> min(Note(0.5, 1.0, pitch=69), Note(0.0, 0.5, pitch=72)).pitch  # by onset
        72

    Attributes:
        begin: onset, seconds from the beginning of the sound.
        end: release, seconds.
        pitch: MIDI number, 0..127; for drums General MIDI's percussion key (36 is the kick).
        velocity: 1..127.
        program: General MIDI program, 0..127.
        drum: whether it is on channel 10.
    """

    begin: float
    end: float
    pitch: int
    velocity: int = 80
    program: int = 0
    drum: bool = False


class Voices(Protocol):
    """Renders single notes. ``channels`` is 1 or 2."""

    channels: int

    def voice(self, note: Note, rate: int, longest: int | None = None) -> Samples:
        """Sound of a note from its onset until it has died away, ``(n, channels)``."""
        ...

    def exclusive_class(self, note: Note) -> int:
        """Notes of one class, above 0, end one another (open and closed hi-hat); 0: no class."""
        ...
