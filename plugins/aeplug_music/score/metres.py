"""The metres a model can learn, as one table.

A metre is named by its time signature. Its bar has ``16 * numerator / denominator`` steps, since a
quarter has four. Metres outside the table (5/4, 7/8, 4/2 ...) are too rare in the data to be
learnt: the build skips and counts passages in them, and the codec passes them through unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence

from aeplug.errors import ConfigError

STEPS_PER_QUARTER = 4
#: On the grid of triplets: two steps for each of the three notes.
STEPS_PER_TRIPLET_QUARTER = 6

#: Steps of a bar by metre. The order is part of saved models: append only.
STEPS_PER_BAR = {
    "4/4": 16,
    "3/4": 12,
    "6/8": 12,
    "2/4": 8,
    "2/2": 16,
    "9/8": 18,
    "3/8": 6,
    "12/8": 24,
    "3/2": 24,
    "6/4": 24,
}

#: Names in the order of their numbers.
METRES = tuple(STEPS_PER_BAR)

#: Metre whose bar in eighths is that of another in triplets.
COMPOUND = {"4/4": "12/8", "2/2": "12/8", "3/4": "9/8", "2/4": "6/8"}
#: Shorter metres whose bars make up one of a metre: models that do not know it take it in these.
_PARTS = {"12/8": ("6/8", "3/8"), "9/8": ("3/8",), "6/8": ("3/8",)}

#: Metre of a Standard MIDI File without a time signature.
DEFAULT_METRE = (4, 4)


def longest_bar(metres: Sequence[str]) -> int:
    """Steps of the longest bar among ``metres``."""
    return max(STEPS_PER_BAR[metre] for metre in metres)


def window_lengths(metres: Sequence[str], bars: int) -> tuple[int, ...]:
    """Steps of a window of ``bars`` bars in each of ``metres``, in their order."""
    return tuple(STEPS_PER_BAR[metre] * bars for metre in metres)


def find_learnt(metre: str, learnt: Sequence[str]) -> str:
    """The metre in which a model takes passages in ``metre``; empty: in none.

    Example:
        >>> find_learnt("12/8", ("4/4", "6/8")), find_learnt("5/4", ("4/4", "6/8"))
        ('6/8', '')
    """
    return next((name for name in (metre, *_PARTS.get(metre, ())) if name in learnt), "")


def check_metre(metre: str) -> str:
    """Return the time signature if melodies are modelled in it.

    Raises:
        ConfigError: they are not.
    """
    if metre not in STEPS_PER_BAR:
        raise ConfigError(f"metre {metre}: expected one of {', '.join(STEPS_PER_BAR)}")
    return metre


def parse_metre(metre: str) -> tuple[int, int]:
    """``"6/8"`` -> ``(6, 8)``."""
    numerator, _, denominator = metre.partition("/")
    return int(numerator), int(denominator)
