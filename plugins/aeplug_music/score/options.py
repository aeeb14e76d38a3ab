"""Options that files of music take, as they are read and written; read at start-up, so no torch."""

from __future__ import annotations

from aeplug import OptionSpec
from aeplug_music.score.metres import METRES

#: Metre of a recording, unless one is set.
RECORDED_METRE = "4/4"

TEMPO = OptionSpec(
    "tempo",
    "float",
    None,
    "BPM (quarter notes) of what is written; default: the tune's own, or 120",
    minimum=10,
    maximum=1000,
)
WAV = OptionSpec("wav", "bool", False, "also write a .wav beside each .mid")
SOUNDFONT = OptionSpec(
    "soundfont", "str", None, "an .sf2 that plays the .wav; default: a General MIDI one"
)


def recording_options(verbs: tuple[str, ...]) -> tuple[OptionSpec, ...]:
    """Tempo and metre of the recordings among the files that ``verbs`` read."""
    return (
        OptionSpec(
            "bpm",
            "float",
            None,
            "BPM (quarter notes) of recordings; default: estimated",
            verbs=verbs,
            minimum=20,
            maximum=400,
        ),
        OptionSpec(
            "metre",
            "str",
            RECORDED_METRE,
            "time signature of recordings",
            verbs=verbs,
            choices=METRES,
        ),
    )
