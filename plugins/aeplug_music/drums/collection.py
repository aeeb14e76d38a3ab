"""The performances of a folder, zip or file, MIDI files and patterns, and their windows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath

import numpy as np
import numpy.typing as npt

from aeplug.data import Skipped
from aeplug.errors import DataError, FileError
from aeplug_music.drums.kit import BAR, METRE
from aeplug_music.drums.patterns.header import Header
from aeplug_music.drums.patterns.pattern import InvalidPattern, parse_pattern
from aeplug_music.drums.patterns.timing import pattern_to_tune
from aeplug_music.drums.performance import Performance, cut_windows, extract_performance
from aeplug_music.midi.reading import parse_midi
from aeplug_music.midi.smf import MAX_BYTES, InvalidMidi
from aeplug_music.midi.sources import Reader, find_sources
from aeplug_music.midi.suffixes import MIDI_SUFFIXES, PATTERN_SUFFIX

#: Files that hold drums: MIDI, and patterns written as text.
DRUM_SUFFIXES = (*MIDI_SUFFIXES, PATTERN_SUFFIX)


@dataclass
class Windows:
    """Windows of bars, one per row.

    Attributes:
        velocity, offset: uint8 and int8 ``(n, T, 9)``, see :mod:`aeplug_music.drums.kit`.
        performance: number of the performance, int64 ``(n,)``.
        bar: first bar in the performance, int64 ``(n,)``.
    """

    velocity: npt.NDArray[np.uint8]
    offset: npt.NDArray[np.int8]
    performance: npt.NDArray[np.int64]
    bar: npt.NDArray[np.int64]


@dataclass
class Collection:
    """Performances with at least one window, and files without.

    Attributes:
        performances, names, windows: of each performance.
        headers: of each; None: it is no pattern but MIDI.
        skipped: skipped files, with their reasons.
    """

    performances: list[Performance] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    windows: list[Windows] = field(default_factory=list)
    headers: list[Header | None] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


def parse_performance(content: bytes, suffix: str) -> tuple[Performance, Header | None]:
    """Parse the drums of a file; also the header of a pattern.

    Args:
        content: the file's bytes.
        suffix: of the file; other than a pattern's it is MIDI.

    Raises:
        FileError: it is damaged, or has no notes.
    """
    if suffix.lower() != PATTERN_SUFFIX:
        return extract_performance(parse_midi(content)), None
    if len(content) > MAX_BYTES:
        raise InvalidPattern(f"over {MAX_BYTES} bytes")
    try:
        pattern = parse_pattern(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise InvalidPattern("not text in UTF-8") from None
    return extract_performance(pattern_to_tune(pattern)), pattern.header


def read_collection(path: Path, bars: int) -> Collection:
    """Read all files and cut them into windows of ``bars`` bars.

    Raises:
        DataError: the path does not exist, or no file gives a window.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    sources, skipped = find_sources([str(path)], DRUM_SUFFIXES)
    collection = Collection(skipped=list(skipped))
    with Reader() as reader:
        for source in sources:
            suffix = PurePath(source.member or source.path).suffix
            try:
                performance, header = parse_performance(reader.read(source), suffix)
                windows = _cut_windows(performance, bars, len(collection.names))
            except InvalidMidi as error:
                collection.skipped.append(Skipped(str(source), error.reason, error.detail))
                continue
            except InvalidPattern as error:
                collection.skipped.append(Skipped(str(source), "no drum pattern", str(error)))
                continue
            except FileError as error:
                collection.skipped.append(Skipped(str(source), str(error)))
                continue
            # What is trained on goes back into no file.
            collection.performances.append(replace(performance, origin=None))
            collection.names.append(str(source))
            collection.windows.append(windows)
            collection.headers.append(header)
    if not collection.names:
        raise DataError(
            f"{path}: none of {len(sources)} MIDI files and patterns gives {bars} bars of "
            f"drums{_describe_commonest_reason(collection.skipped)}"
        )
    return collection


def _describe_commonest_reason(skipped: list[Skipped]) -> str:
    """The most common reason why files were skipped, with its detail if all share it."""
    if not skipped:
        return ""
    (reason, _), *_ = Counter(skip.reason for skip in skipped).most_common(1)
    details = {skip.detail for skip in skipped if skip.reason == reason and skip.detail}
    return f": {reason}" + (f", {details.pop()}" if len(details) == 1 else "")


def _cut_windows(performance: Performance, bars: int, number: int) -> Windows:
    """Cut a performance into windows; raises FileError with the reason if there are none."""
    velocities, offsets, begins = [], [], []
    metres, silent, start = [], 0, 0
    for passage in performance.passages:
        first, start = start, start + -(-passage.steps // BAR)
        if passage.metre != METRE:
            metres.append(passage.metre)
            continue
        velocity, offset, _ = cut_windows(passage, bars, slide=1)
        has_hits = (velocity > 0).any(-1).reshape(-1, bars, BAR).any(-1).all(-1)
        silent += int((~has_hits).sum())
        velocities.append(velocity[has_hits])
        offsets.append(offset[has_hits])
        begins.append(first + np.flatnonzero(has_hits))
    if not sum(map(len, begins)):
        if not (performance.velocity > 0).any():
            raise FileError("no hit of the nine drums")
        if not begins:
            raise FileError(f"metre not learnt: {', '.join(dict.fromkeys(metres))}")
        raise FileError(
            "a bar of silence in every window" if silent else f"shorter than {bars} bars of {METRE}"
        )
    bar = np.concatenate(begins)
    owner = np.full(len(bar), number, np.int64)
    return Windows(np.concatenate(velocities), np.concatenate(offsets), owner, bar)
