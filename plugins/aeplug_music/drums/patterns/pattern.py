"""Drum patterns written as text: a header, and sections of bars with a row of cells for each drum.

The format is specified in ``data/patterns/README.md`` and is read strictly: whatever is not of it
is an error that gives the line and what was expected there. When each hit is played, by the swing
and the feel of the header, is computed in :mod:`aeplug_music.drums.patterns.timing`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from aeplug.errors import FileError, nearest
from aeplug_music.drums.kit import CLASSES, DRUMS, Velocity
from aeplug_music.drums.patterns.header import Header, HeaderError, parse_header
from aeplug_music.midi.reading import MAX_QUARTERS

#: Velocity of each cell: a rest, a ghost note, a hit, an accent; a digit is 14 each.
VELOCITY_OF = {".": 0, "g": 30, "x": 80, "X": 110, **{str(n): 14 * n for n in range(1, 10)}}

#: Lines that say something, with their numbers.
_Lines = Sequence[tuple[int, str]]


class InvalidPattern(FileError):
    """A text that is no drum pattern as specified, with the line, from 1, that shows it."""

    def __init__(self, what: str, line: int = 0) -> None:
        super().__init__(f"line {line}: {what}" if line else what)


@dataclass(frozen=True)
class Pattern:
    """A drum pattern as it is written.

    Attributes:
        header: metre, tempo, feel and names.
        sections: velocities of each by its name, uint8 ``(columns, 9)`` in whole bars, 0 where
            there is no hit; at least one.
        play: names of the sections, in the order in which they are played.
    """

    header: Header
    sections: Mapping[str, Velocity]
    play: tuple[str, ...]

    @property
    def velocity(self) -> Velocity:
        """All that is played, uint8 ``(columns, 9)``."""
        return np.concatenate([self.sections[name] for name in self.play])


def parse_pattern(text: str) -> Pattern:
    """Read a pattern.

    Raises:
        InvalidPattern: with the first line that is not as specified.
    """
    lines = [
        (number, stripped)
        for number, line in enumerate(text.split("\n"), 1)
        if (stripped := line.strip()) and not stripped.startswith("#")
    ]
    first = next((n for n, (_, line) in enumerate(lines) if line.startswith("[")), len(lines))
    settings = _parse_settings(lines[:first])
    play_line, play = settings.pop("play", (0, ""))
    try:
        header = parse_header({key: value for key, (_, value) in settings.items()})
    except HeaderError as error:
        line = settings[error.key][0] if error.key in settings else 0
        raise InvalidPattern(str(error), line) from None
    if first == len(lines):
        raise InvalidPattern("no section; expected '[name]' and below it a row for each drum")
    sections = _parse_sections(lines[first:], header)
    names = tuple(play.split()) or tuple(sections)
    for name in names:
        if name not in sections:
            raise InvalidPattern(f"play: no section '{name}'. {nearest(name, sections)}", play_line)
    quarters = sum(len(sections[name]) for name in names) // header.columns
    if quarters > MAX_QUARTERS:
        raise InvalidPattern(f"plays {quarters} quarters, at most {MAX_QUARTERS}", play_line)
    return Pattern(header, sections, names)


def _parse_settings(lines: _Lines) -> dict[str, tuple[int, str]]:
    """The header's lines as number and value by key."""
    settings: dict[str, tuple[int, str]] = {}
    for number, line in lines:
        key, _, value = (part.strip() for part in line.partition(":"))
        if not value:
            raise InvalidPattern(f"expected 'key: value' or '[section]', got '{line}'", number)
        if key in settings:
            raise InvalidPattern(f"{key} is given twice", number)
        settings[key] = number, value
    return settings


def _parse_sections(lines: _Lines, header: Header) -> dict[str, Velocity]:
    """Velocities of each section, by its name."""
    begins = [place for place, (_, line) in enumerate(lines) if line.startswith("[")]
    sections: dict[str, Velocity] = {}
    for begin, end in zip(begins, [*begins[1:], len(lines)], strict=True):
        number, line = lines[begin]
        name = line[1:-1].strip()
        if not line.endswith("]") or len(name.split()) != 1:
            raise InvalidPattern(f"expected '[name]' of one word, got '{line}'", number)
        if name in sections:
            raise InvalidPattern(f"section '{name}' is given twice", number)
        if end == begin + 1:
            raise InvalidPattern(f"section '{name}' has no row", number)
        sections[name] = _parse_section(lines[begin + 1 : end], header)
    return sections


def _parse_section(lines: _Lines, header: Header) -> Velocity:
    rows: dict[int, str] = {}
    for number, line in lines:
        name, _, cells = line.partition("|")
        drum = " ".join(name.split())
        if "|" not in line or not line.endswith("|"):
            raise InvalidPattern(f"expected 'drum | cells |', got '{line}'", number)
        if drum not in CLASSES:
            raise InvalidPattern(f"no drum '{drum}'. {nearest(drum, CLASSES)}", number)
        if CLASSES.index(drum) in rows:
            raise InvalidPattern(f"{drum} has two rows in this section", number)
        try:
            row = _parse_row(cells.removesuffix("|"), header)
        except ValueError as error:
            raise InvalidPattern(f"{drum}, {error}", number) from None
        length = len(next(iter(rows.values()), row))
        if len(row) != length:
            bars = [cells // header.bar_columns for cells in (len(row), length)]
            raise InvalidPattern(
                f"{drum} has {bars[0]} bars, the rows above have {bars[1]}", number
            )
        rows[CLASSES.index(drum)] = row
    velocity = np.zeros((len(row), DRUMS), np.uint8)
    for place, row in rows.items():
        velocity[:, place] = [VELOCITY_OF[cell] for cell in row]
    return velocity


def _parse_row(text: str, header: Header) -> str:
    """The cells of a row without bar lines and spaces; raises ValueError."""
    bars = ["".join(bar.split()) for bar in text.split("|")]
    for place, bar in enumerate(bars, 1):
        for cell in bar:
            if cell not in VELOCITY_OF:
                raise ValueError(
                    f"bar {place}: no cell is written '{cell}'; expected {' '.join(VELOCITY_OF)}"
                )
        if len(bar) != header.bar_columns:
            raise ValueError(
                f"bar {place}: {len(bar)} cells, expected {header.bar_columns} "
                f"({header.columns} a quarter in {header.metre})"
            )
    return "".join(bars)
