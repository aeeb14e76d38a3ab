"""A note as it is heard: what is rendered."""

from __future__ import annotations

from dataclasses import dataclass

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
