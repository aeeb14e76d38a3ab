"""What can be measured of windows of melody; how, says :mod:`aeplug_music.melodies.attributes`."""

from __future__ import annotations

from aeplug import AttributeSpec

_MODULE = "aeplug_music.melodies.attributes"

ATTRIBUTES = (
    AttributeSpec(
        "note-density", f"{_MODULE}:note_density", "notes a quarter", "how many notes begin"
    ),
    AttributeSpec(
        "range", f"{_MODULE}:pitch_range", "semitones", "from the lowest note to the highest"
    ),
    AttributeSpec(
        "mean-interval", f"{_MODULE}:mean_interval", "semitones", "from a note to the next"
    ),
    AttributeSpec(
        "syncopation", f"{_MODULE}:syncopation", "levels a note", "how far notes go against metre"
    ),
    AttributeSpec(
        "mean-pitch", f"{_MODULE}:mean_pitch", "semitones", "of all notes, as MIDI number"
    ),
)
