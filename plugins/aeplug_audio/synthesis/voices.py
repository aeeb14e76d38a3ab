"""A note to be rendered, and what makes its sound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

#: Longest that one note sounds, in seconds; one that is held longer ends there.
LONGEST_NOTE = 60.0


@dataclass(frozen=True, order=True)
class Note:
    """One note, or one stroke of a drum.

    Attributes:
        begin: seconds from the beginning of the sound.
        end: seconds; where it is let go.
        pitch: MIDI number, 0..127; of a drum General MIDI's (36 is the kick).
        velocity: 1..127.
        program: General MIDI program, 0..127.
        drum: whether it is channel 10's.
    """

    begin: float
    end: float
    pitch: int
    velocity: int = 80
    program: int = 0
    drum: bool = False


class Voices(Protocol):
    """What makes the sound of a note."""

    channels: int

    def voice(self, note: Note, rate: int, longest: int | None = None) -> Samples:
        """``(n, channels)`` from the note's beginning till it has died away."""
        ...

    def exclusive_class(self, note: Note) -> int:
        """The class of notes that end one another; 0: none."""
        ...
