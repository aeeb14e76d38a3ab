"""Files -> windows, in one process: parsed file by file, then cut all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from aeplug.errors import FileError
from aeplug_music.corpus.fingerprints import (
    find_unique,
    fingerprint,
    mix_bits,
    transpose_to_lowest,
)
from aeplug_music.corpus.parsed import Int, MelodyInfo, MelodyTable, ParsedFiles, concat_parsed
from aeplug_music.corpus.windows import Windows, cut_windows
from aeplug_music.midi.reading import parse_midi
from aeplug_music.midi.smf import InvalidMidi
from aeplug_music.midi.sources import Reader, Source
from aeplug_music.score.grid import (
    NoteBatch,
    StepStreams,
    explain_no_notes,
    metre_segments,
    quantise,
)
from aeplug_music.score.keys import estimate_shifts, signature_shift
from aeplug_music.score.metre_choice import settle_metre
from aeplug_music.score.metres import METRES, longest_bar
from aeplug_music.score.triplets import find_triplets, split_triplets
from aeplug_music.score.tune import Track, Tune

#: Steps of grid after which pending melodies are processed: some 30 MB in all.
STEPS_AT_ONCE = 400_000

Parse = Callable[[bytes], Tune]


def window_width(bars: int) -> int:
    """Columns of a window that holds any metre."""
    return longest_bar(METRES) * bars


@dataclass(frozen=True)
class MetreParser:
    """Parses files, and reads each in the metre that it is to be read in.

    Attributes:
        parse: bytes -> tune.
        metre: of all tunes; empty: each in its own, or the likeliest where that is none.
    """

    parse: Parse = parse_midi
    metre: str = ""

    def __call__(self, data: bytes) -> Tune:
        """Raises FileError where the file cannot be read."""
        tune, remark = settle_metre(self.parse(data), self.metre)
        return replace(tune, repairs=(*tune.repairs, remark)) if remark else tune


@dataclass
class _Pending:
    """Melodies that are read and not yet processed."""

    batch: NoteBatch = field(default_factory=NoteBatch)
    melodies: list[MelodyInfo] = field(default_factory=list)
    steps: float = 0.0


def ingest(
    files: Iterable[tuple[int, Source]],
    bars: int = 2,
    parse: Parse = MetreParser(),
    on_start: Callable[[int], None] = lambda number: None,
) -> ParsedFiles:
    """Read files and cut their melodies into windows.

    Args:
        files: ascending numbers, and sources.
        bars: bars per window.
        parse: bytes -> tune; raises FileError.
        on_start: called with the number of each file before it is read, and with -1 before pending
            melodies are processed.
    """
    pending = _Pending()
    parts: list[ParsedFiles] = []
    skipped: list[tuple[int, str, str]] = []
    repaired: list[tuple[int, str]] = []
    with Reader() as reader:
        for number, source in files:
            on_start(number)
            try:
                tune = parse(reader.read(source))
                steps = _add_tune(pending, number, tune)
            except InvalidMidi as error:
                skipped.append((number, error.reason, error.detail))
                continue
            except FileError as error:
                skipped.append((number, "cannot be read", str(error)))
                continue
            except MemoryError:
                skipped.append((number, "out of memory", ""))
                continue
            except Exception as error:
                # No file stops the others, whatever is wrong with it.
                skipped.append((number, "unexpected error", f"{type(error).__name__}: {error}"))
                continue
            if tune.repairs:
                repaired.append((number, "; ".join(tune.repairs)))
            pending.steps += steps
            if pending.steps > STEPS_AT_ONCE:
                on_start(-1)
                parts.append(_process(pending, bars))
                pending = _Pending()
        on_start(-1)
        parts.append(_process(pending, bars))
    result = concat_parsed(parts) if len(parts) > 1 else parts[0]
    result.skipped += skipped
    result.repaired += repaired
    return result


def _add_tune(pending: _Pending, number: int, tune: Tune) -> float:
    voices = [track for track in tune.tracks if not track.is_drum]
    if not voices:
        raise InvalidMidi("only drums")
    segments = metre_segments(tune)
    key = tune.keys[0][1] if tune.keys else None
    shift = signature_shift(key) if key is not None else 0
    bpm = tune.bpm
    for track in voices:
        pending.batch.add(track, segments, tune.ticks_per_quarter)
        pending.melodies.append(MelodyInfo(number, track.name, bpm, shift, key is not None))
    return 4 * len(voices) * tune.end / tune.ticks_per_quarter


def _process(pending: _Pending, bars: int) -> ParsedFiles:
    if not len(pending.batch):
        return ParsedFiles(tokens=np.zeros((0, window_width(bars)), np.uint8))
    _split_triplets(pending.batch)
    streams = quantise(pending.batch)
    windows = cut_windows(streams, bars, window_width(bars))
    melodies = MelodyTable.of(pending.melodies)
    melodies.key_shift = np.where(melodies.key_known, melodies.key_shift, estimate_shifts(streams))
    used = np.bincount(windows.melody, minlength=len(melodies)) > 0
    exact = fingerprint(windows.tokens, windows.metre)
    # Tunes repeat themselves: a third of all windows are repeated within their file.
    file = melodies.file[windows.melody].astype(np.uint64)
    first = find_unique(exact ^ mix_bits(file))
    tokens, metre = windows.tokens[first], windows.metre[first]
    return ParsedFiles(
        melodies.select(np.flatnonzero(used)),
        tokens,
        (np.cumsum(used) - 1)[windows.melody[first]],
        windows.bar[first].astype(np.int32),
        metre.astype(np.int8),
        exact[first],
        fingerprint(transpose_to_lowest(tokens), metre),
        _explain_skipped(pending, melodies.file, streams, windows, used, bars),
        silent=int(windows.silent.sum()),
        repeated=len(exact) - len(first),
    )


def _split_triplets(batch: NoteBatch) -> None:
    """Put bars in triplets on their grid, in place."""
    for number in np.flatnonzero(find_triplets(batch)).tolist():
        track = Track(batch.notes[number])
        segments = batch.segments[number]
        batch.segments[number] = split_triplets(segments, track, batch.quarters[number])


def _explain_skipped(
    pending: _Pending,
    files: Int,
    streams: StepStreams,
    windows: Windows,
    used: npt.NDArray[np.bool_],
    bars: int,
) -> list[tuple[int, str, str]]:
    """A reason for every file without a window: that of the melody that came closest."""
    with_windows = set(files[used].tolist())
    reasons: dict[int, tuple[int, str, str]] = {}
    is_melody = streams.is_melody
    for number in np.flatnonzero(~used).tolist():
        file = int(files[number])
        if file in with_windows:
            continue
        segments = pending.batch.segments[number]
        if streams.notes[number] == 0:
            reason = (0, *explain_no_notes(pending.batch.notes[number]))
        elif not is_melody[number]:
            voices = f"{streams.voices[number]:.1f} notes at once on average"
            reason = (1, "no melody, only chords", voices)
        elif all(segment.metre < 0 for segment in segments):
            names = dict.fromkeys(
                f"{a}/{b}" for a, b in (segment.signature for segment in segments)
            )
            reason = (2, "metre not among those learnt", ", ".join(names))
        elif windows.silent[number]:
            reason = (4, "a bar of silence in every window", "")
        else:
            reason = (3, f"shorter than {bars} bars of one metre", "")
        reasons[file] = max(reasons.get(file, (-1, "", "")), reason)
    return [(file, reason, detail) for file, (_, reason, detail) in reasons.items()]
