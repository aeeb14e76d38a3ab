"""Options that files of music take, as they are read and written; read at start-up, so no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aeplug import OptionSpec
from aeplug.errors import ConfigError
from aeplug_music.score.metres import METRES
from aeplug_music.score.scales import SCALES

#: Metre of a recording, unless one is set.
RECORDED_METRE = "4/4"
#: Limits of the tempo that can be named, quarters a minute.
SLOWEST_BPM, FASTEST_BPM = 20, 400

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
    "soundfont",
    "str",
    None,
    "an .sf2 that plays the .wav; default: a General MIDI one",
    needs="wav",
    check="aeplug_audio.synthesis.soundfont:check_soundfont",
)
#: Verbs whose results can be constrained: those that make something new.
CONSTRAINED = ("sample", "vary", "interpolate", "continue")
#: Values of the option ``key`` that name no key.
AUTO_KEY, NO_KEY = "auto", "none"
DENSITY = OptionSpec(
    "density",
    "float",
    None,
    "about how many notes begin in a quarter, of drums steps with a hit; default: the model's own",
    verbs=CONSTRAINED,
    minimum=0.1,
    maximum=4,
)
CONSTRAINTS = (
    OptionSpec(
        "key",
        "str",
        AUTO_KEY,
        "key of what is new: G, Bb, F#m, Dm; auto: of `vary` and `continue` the file's, else none",
        verbs=CONSTRAINED,
    ),
    OptionSpec(
        "scale",
        "str",
        None,
        "scale on the key's tonic; default: major or minor, and the file's own accidentals",
        verbs=CONSTRAINED,
        choices=tuple(SCALES),
    ),
    OptionSpec(
        "low", "str", None, "lowest pitch of what is new: C4, or MIDI's 60", verbs=CONSTRAINED
    ),
    OptionSpec(
        "high", "str", None, "highest pitch of what is new: A5, or MIDI's 81", verbs=CONSTRAINED
    ),
    DENSITY,
)

ONLY = OptionSpec(
    "only",
    "bool",
    False,
    "write what the model reads alone, melody or drums, without the rest of its file",
    verbs=("reconstruct", "vary", "continue", "interpolate"),
)
BARS = OptionSpec(
    "bars",
    "int",
    None,
    "number of bars of a whole piece, or to add to one",
    verbs=("sample", "continue"),
    minimum=1,
)


def count_windows(options: Mapping[str, Any], bars: int) -> int:
    """Number of windows in the option ``bars``; 0 without it.

    Args:
        options: of the codec.
        bars: of a window.

    Raises:
        ConfigError: the option's bars are not whole windows.
    """
    wanted = int(options.get("bars") or 0)
    if wanted % bars:
        raise ConfigError(
            f"--bars {wanted}: expected a multiple of the model's {bars} bars, "
            f"such as {wanted + -wanted % bars}"
        )
    return wanted // bars


def tune_option(verbs: tuple[str, ...]) -> OptionSpec:
    """Which tune of a file of several ``verbs`` read."""
    return OptionSpec(
        "tune",
        "int",
        None,
        "number of the tune in a file of several (ABC); default: the first",
        verbs=verbs,
        minimum=1,
    )


def check_bpm(bpm: float | None) -> float | None:
    """The tempo of recordings in quarters a minute, if there can be such a one; None: estimated.

    Raises:
        ConfigError: it is too slow or too fast.
    """
    if bpm is None or SLOWEST_BPM <= bpm <= FASTEST_BPM:
        return bpm
    raise ConfigError(f"--bpm {bpm:g}: expected {SLOWEST_BPM} to {FASTEST_BPM}")


def recording_options(verbs: tuple[str, ...]) -> tuple[OptionSpec, ...]:
    """Tempo of the recordings among the files that ``verbs`` read, and metre of all."""
    return (
        OptionSpec(
            "bpm",
            "float",
            None,
            "BPM (quarter notes) of recordings; default: estimated",
            verbs=verbs,
            minimum=SLOWEST_BPM,
            maximum=FASTEST_BPM,
        ),
        OptionSpec(
            "metre",
            "str",
            None,
            "time signature, whatever files say; default: their own, the likeliest where they have "
            f"none but 1/4, and {RECORDED_METRE} of recordings",
            verbs=verbs,
            choices=METRES,
        ),
    )
