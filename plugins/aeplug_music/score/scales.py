"""Keys and scales by name, and the pitches that they allow.

A key is a tonic and a mode, ``G`` or ``Dm``. A scale is a set of steps above the tonic; without one
a key has the major or the natural minor scale.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from aeplug.errors import ConfigError, nearest

#: Semitones above the tonic.
SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic-minor": (0, 2, 3, 5, 7, 8, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "pentatonic": (0, 2, 4, 7, 9),
    "blues": (0, 3, 5, 6, 7, 10),
    "chromatic": tuple(range(12)),
}
#: The pentatonic scale of a minor key.
_MINOR_PENTATONIC = (0, 3, 5, 7, 10)
_LETTERS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_SIGNS = {"": 0, "#": 1, "b": -1}
_SHARP_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_EXAMPLES = "such as G, Bb, F#m or Dm"


@dataclass(frozen=True)
class Key:
    """A tonic and a mode.

    Attributes:
        tonic: pitch class, 0 for C .. 11 for B.
        minor: whether it is a minor key.
    """

    tonic: int
    minor: bool = False

    def __str__(self) -> str:
        return _SHARP_NAMES[self.tonic] + "m" * self.minor

    def pitch_classes(self, scale: str = "") -> frozenset[int]:
        """Pitch classes of its scale; of another of :data:`SCALES` on its tonic, if named."""
        steps = SCALES[scale or ("minor" if self.minor else "major")]
        if scale == "pentatonic" and self.minor:
            steps = _MINOR_PENTATONIC
        return frozenset((self.tonic + step) % 12 for step in steps)


def parse_key(text: str) -> Key:
    """``G``, ``Bb``, ``F#m``, ``Dmin`` or ``D minor`` as a key.

    Raises:
        ConfigError: it is none.

    Example:
        >>> from aeplug_music.score.scales import parse_key
        >>> parse_key("F#m")
        Key(tonic=6, minor=True)
    """
    match = re.fullmatch(r"([A-Ga-g])([#b]?) ?(m|min|minor|maj|major)?", text.strip())
    if match is None:
        raise ConfigError(f"--key {text}: expected auto, none or a key {_EXAMPLES}")
    letter, sign, mode = match.groups()
    tonic = (_LETTERS[letter.lower()] + _SIGNS[sign]) % 12
    return Key(tonic, (mode or "").startswith("m") and not (mode or "").startswith("maj"))


def signature_key(sharps: int, minor: bool) -> Key:
    """The key of a signature of -7 to 7 sharps."""
    return Key((7 * sharps + (9 if minor else 0)) % 12, minor)


def check_scale(name: str) -> str:
    """The name of a scale; empty: none.

    Raises:
        ConfigError: no scale is called so.
    """
    if name and name not in SCALES:
        raise ConfigError(f"--scale {name}: no scale is called so. {nearest(name, SCALES)}")
    return name


def parse_pitch(text: str, option: str) -> int:
    """A MIDI number 0..127, by number or by name (``C4`` is 60).

    Raises:
        ConfigError: it is none.

    Example:
        >>> from aeplug_music.score.scales import parse_pitch
        >>> parse_pitch("Bb3", "low"), parse_pitch("58", "low")
        (58, 58)
    """
    text = text.strip()
    match = re.fullmatch(r"([A-Ga-g])([#b]?)(-?\d)", text)
    number = -1
    if match is not None:
        letter, sign, octave = match.groups()
        number = _LETTERS[letter.lower()] + _SIGNS[sign] + 12 * (int(octave) + 1)
    elif text.isascii() and text.isdigit():
        number = int(text)
    if not 0 <= number <= 127:
        raise ConfigError(
            f"--{option} {text}: expected a pitch such as C4 or F#5, or a MIDI number 0 to 127"
        )
    return number
