"""Files -> windows: what one process does with its share, file by file, then all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

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
from aeplug_music.score.grid import NoteBatch, StepStreams, metre_segments, quantise
from aeplug_music.score.keys import estimate_shifts, signature_shift
from aeplug_music.score.metres import METRES, longest_bar
from aeplug_music.score.tokens import HIGHEST, LOWEST
from aeplug_music.score.tune import Tune

#: Steps of grid after which a batch is worked off: some 30 MB with all that is made from it.
STEPS_AT_ONCE = 400_000

Parse = Callable[[bytes], Tune]


def window_width(bars: int) -> int:
    """Columns of a window of any metre."""
    return longest_bar(METRES) * bars


@dataclass
class _Pending:
    """Melodies read and not yet worked on."""

    batch: NoteBatch = field(default_factory=NoteBatch)
    melodies: list[MelodyInfo] = field(default_factory=list)
    steps: float = 0.0


def ingest(
    files: Iterable[tuple[int, Source]],
    bars: int = 2,
    parse: Parse = parse_midi,
    begun: Callable[[int], None] = lambda number: None,
) -> ParsedFiles:
    """Read files and cut their melodies into windows.

    Args:
        files: numbers, ascending, and sources.
        bars: bars a window.
        parse: bytes -> tune; raises FileError.
        begun: told the number of each file before it is read, and -1 before the work on all.
    """
    waiting = _Pending()
    harvests: list[ParsedFiles] = []
    skipped: list[tuple[int, str, str]] = []
    with Reader() as reader:
        for number, source in files:
            begun(number)
            try:
                steps = _add_tune(waiting, number, parse(reader.read(source)))
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
                # One file never stops the rest, whatever is wrong with it.
                skipped.append((number, "unexpected error", f"{type(error).__name__}: {error}"))
                continue
            waiting.steps += steps
            if waiting.steps > STEPS_AT_ONCE:
                begun(-1)
                harvests.append(_process(waiting, bars))
                waiting = _Pending()
        begun(-1)
        harvests.append(_process(waiting, bars))
    result = concat_parsed(harvests) if len(harvests) > 1 else harvests[0]
    result.skipped += skipped
    return result


def _add_tune(waiting: _Pending, number: int, tune: Tune) -> float:
    voices = [track for track in tune.tracks if not track.is_drum]
    if not voices:
        raise InvalidMidi("only drums")
    stretches = metre_segments(tune)
    key = tune.keys[0][1] if tune.keys else None
    shift = signature_shift(key) if key is not None else 0
    bpm = tune.bpm
    for track in voices:
        waiting.batch.add(track, stretches, tune.ticks_per_quarter)
        waiting.melodies.append(MelodyInfo(number, track.name, bpm, shift, key is not None))
    return 4 * len(voices) * tune.end / tune.ticks_per_quarter


def _process(waiting: _Pending, bars: int) -> ParsedFiles:
    if not len(waiting.batch):
        return ParsedFiles(tokens=np.zeros((0, window_width(bars)), np.uint8))
    streams = quantise(waiting.batch)
    windows = cut_windows(streams, bars, window_width(bars))
    melodies = MelodyTable.of(waiting.melodies)
    melodies.key_shift = np.where(melodies.key_known, melodies.key_shift, estimate_shifts(streams))
    used = np.bincount(windows.melody, minlength=len(melodies)) > 0
    exact = fingerprint(windows.tokens, windows.metre)
    # Tunes repeat themselves: what a file has twice, a third of all, goes no further.
    file = melodies.file[windows.melody].astype(np.uint64)
    kept = find_unique(exact ^ mix_bits(file))
    tokens, metre = windows.tokens[kept], windows.metre[kept]
    return ParsedFiles(
        melodies.part(np.flatnonzero(used)),
        tokens,
        (np.cumsum(used) - 1)[windows.melody[kept]],
        windows.bar[kept].astype(np.int32),
        metre.astype(np.int8),
        exact[kept],
        fingerprint(transpose_to_lowest(tokens), metre),
        _explain_skipped(waiting, melodies.file, streams, windows, used, bars),
        silent=int(windows.silent.sum()),
        repeated=len(exact) - len(kept),
    )


def _explain_skipped(
    waiting: _Pending,
    files: Int,
    streams: StepStreams,
    windows: Windows,
    used: npt.NDArray[np.bool_],
    bars: int,
) -> list[tuple[int, str, str]]:
    """A reason for every file that gave no window: that of the melody which came furthest."""
    with_windows = set(files[used].tolist())
    reasons: dict[int, tuple[int, str, str]] = {}
    is_melody = streams.is_melody
    for number in np.flatnonzero(~used).tolist():
        file = int(files[number])
        if file in with_windows:
            continue
        stretches = waiting.batch.stretches[number]
        if streams.notes[number] == 0:
            reason = (0, "no notes within the range", f"MIDI {LOWEST} to {HIGHEST}")
        elif not is_melody[number]:
            voices = f"{streams.voices[number]:.1f} notes at once on average"
            reason = (1, "no melody, only chords", voices)
        elif all(stretch.metre < 0 for stretch in stretches):
            names = dict.fromkeys(f"{a}/{b}" for a, b in (one.signature for one in stretches))
            reason = (2, "metre not among those learnt", ", ".join(names))
        elif windows.silent[number]:
            reason = (4, "a bar of silence in every window", "")
        else:
            reason = (3, f"shorter than {bars} bars of one metre", "")
        reasons[file] = max(reasons.get(file, (-1, "", "")), reason)
    return [(file, reason, detail) for file, (_, reason, detail) in reasons.items()]
