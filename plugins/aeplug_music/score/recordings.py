"""What of recordings has to be known before any is read; the rest is :mod:`aeplug_audio`'s."""

from __future__ import annotations

from aeplug import OptionSpec
from aeplug_music.score.metres import METRES

RECORDING_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
#: What a recording is taken to be in where nothing is said.
RECORDED_METRE = "4/4"


def recording_options(verbs: tuple[str, ...]) -> tuple[OptionSpec, ...]:
    """What can be said of recordings: how fast they are, and in which metre."""
    return (
        OptionSpec(
            "bpm",
            "float",
            None,
            "quarters a minute of recordings (else estimated)",
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
