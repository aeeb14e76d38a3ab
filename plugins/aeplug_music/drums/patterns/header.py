"""The header of a drum pattern: what each of its keys says, and what values it can have."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from aeplug.errors import nearest
from aeplug_music.corpus.splitting import SPLITS
from aeplug_music.drums.kit import CLASSES
from aeplug_music.score.metres import parse_metre

#: Pairs that can be swung: their length in quarters.
PAIRS = {"eighths": Fraction(1), "sixteenths": Fraction(1, 2)}
#: Cells that a quarter can have: 2 are eighths, 3 triplets, 4 sixteenths, 6 triplets of sixteenths.
COLUMNS = (1, 2, 3, 4, 6, 8, 12)
#: Least and most: quarters a minute; percent of a pair; milliseconds that a drum is late.
TEMPI, SWINGS, FEELS = (20.0, 400.0), (50.0, 80.0), (-100.0, 100.0)

_METRE = re.compile(r"[1-9]\d?/(1|2|4|8|16)", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)


class HeaderError(ValueError):
    """A key of the header that is missing or not known, or whose value is none that it can have."""

    def __init__(self, key: str, what: str) -> None:
        super().__init__(f"{key}: {what}")
        self.key = key


@dataclass(frozen=True)
class Header:
    """What a pattern says of itself above its sections.

    Attributes:
        metre: a time signature, ``"6/8"``.
        bpm: quarters a minute, 20 to 400.
        columns: cells a quarter, one of ``COLUMNS``.
        swing: where the second of each pair falls, in percent of the pair, 50 (straight) to 80.
        pair: what is swung, a key of ``PAIRS``.
        late: milliseconds that a class of :mod:`aeplug_music.drums.kit` is late, or early below 0;
            only of those that are.
        name, style: empty where it does not say.
        split: ``train``, ``val`` or ``test``, or empty.
    """

    metre: str
    bpm: float
    columns: int = 4
    swing: float = SWINGS[0]
    pair: str = "eighths"
    late: Mapping[int, float] = field(default_factory=dict)
    name: str = ""
    style: str = ""
    split: str = ""

    @property
    def bar(self) -> Fraction:
        """Length of a bar in quarters."""
        numerator, denominator = parse_metre(self.metre)
        return Fraction(4 * numerator, denominator)

    @property
    def bar_columns(self) -> int:
        """Cells of a bar."""
        return int(self.bar * self.columns)


def parse_header(values: Mapping[str, str]) -> Header:
    """Read the header from its values by key.

    Raises:
        HeaderError: for the first key that is wrong.
    """
    fields: dict[str, Any] = {}
    for key, text in values.items():
        if key not in _PARSERS:
            raise HeaderError(key, f"no such key. {nearest(key, KEYS)}")
        try:
            fields |= _PARSERS[key](text)
        except ValueError as error:
            raise HeaderError(key, str(error)) from None
    for key, name, example in (("metre", "metre", "4/4"), ("tempo", "bpm", "96")):
        if name not in fields:
            raise HeaderError(key, f"missing; expected a line such as '{key}: {example}'")
    header = Header(**fields)
    if (header.bar * header.columns).denominator != 1:
        raise HeaderError("columns", f"{header.columns} a quarter do not fill a {header.metre} bar")
    if header.swing != SWINGS[0] and (header.bar / PAIRS[header.pair]).denominator != 1:
        raise HeaderError(
            "swing", f"a {header.metre} bar does not hold whole pairs of {header.pair}"
        )
    return header


def _parse_metre(text: str) -> dict[str, Any]:
    if not _METRE.fullmatch(text):
        raise ValueError(f"expected a time signature such as 4/4 or 6/8, got '{text}'")
    return {"metre": text}


def _parse_tempo(text: str) -> dict[str, Any]:
    return {"bpm": _parse_number(text, TEMPI, "quarters a minute")}


def _parse_columns(text: str) -> dict[str, Any]:
    if text not in map(str, COLUMNS):
        raise ValueError(f"expected one of {', '.join(map(str, COLUMNS))} a quarter, got '{text}'")
    return {"columns": int(text)}


def _parse_swing(text: str) -> dict[str, Any]:
    percent, _, pair = text.partition(" ")
    if pair not in PAIRS:
        raise ValueError(f"expected a percentage and {' or '.join(PAIRS)}, got '{text}'")
    return {"swing": _parse_number(percent, SWINGS, "percent of the pair"), "pair": pair}


def _parse_feel(text: str) -> dict[str, Any]:
    late: dict[int, float] = {}
    for part in text.split(","):
        drum, _, ms = part.strip().rpartition(" ")
        if drum not in CLASSES:
            raise ValueError(f"expected a drum and milliseconds, got '{part.strip()}'")
        late[CLASSES.index(drum)] = _parse_number(ms, FEELS, "milliseconds")
    return {"late": late}


def _parse_split(text: str) -> dict[str, Any]:
    if text not in SPLITS:
        raise ValueError(f"expected one of {', '.join(SPLITS)}, got '{text}'")
    return {"split": text}


def _parse_number(text: str, limits: tuple[float, float], unit: str) -> float:
    least, most = limits
    if not _NUMBER.fullmatch(text) or not least <= float(text) <= most:
        raise ValueError(f"expected {least:g} to {most:g} {unit}, got '{text}'")
    return float(text)


#: Reads a value into fields of :class:`Header`, by key.
_PARSERS: Mapping[str, Callable[[str], dict[str, Any]]] = {
    "name": lambda text: {"name": text},
    "style": lambda text: {"style": text},
    "metre": _parse_metre,
    "tempo": _parse_tempo,
    "columns": _parse_columns,
    "swing": _parse_swing,
    "feel": _parse_feel,
    "split": _parse_split,
}
#: All keys, that of the arrangement too, which is read with the sections.
KEYS = (*_PARSERS, "play")
