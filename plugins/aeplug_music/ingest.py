"""Files -> windows: what one process does with its share, file by file, then all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from aeplug.errors import FileError
from aeplug_music.fingerprints import Hashes, fingerprint, transposed_to_lowest
from aeplug_music.keys import estimated_shifts, shift_of_signature
from aeplug_music.melody import HIGHEST, LOWEST, Tokens
from aeplug_music.metres import METRES, longest_bar
from aeplug_music.midi import InvalidMidi, Tune, parse_midi
from aeplug_music.sources import Reader, Source
from aeplug_music.windows import Batch, Streams, Stretch, Windows, cut, quantise, stretches_of

#: Steps of grid after which a batch is worked off: some 20 MB with all that is made from it.
STEPS_AT_ONCE = 250_000

Parse = Callable[[bytes], Tune]


class Melody(NamedTuple):
    """One voice of a file; a tuple, since millions cross processes.

    Attributes:
        file: number of its source.
        title: of its track.
        bpm: quarters a minute at the start.
        key_shift: semitones, -5..6, to C major or A minor.
        key_known: from a key signature; False: estimated.
    """

    file: int
    title: str
    bpm: float
    key_shift: int
    key_known: bool


@dataclass
class Harvest:
    """What came of some files.

    Attributes:
        melodies: those with windows.
        tokens: their windows, uint8 ``(W, T)``; none where they are in a spool.
        spool: the file they were written to, and the row there of the first.
        melody: number in ``melodies``, ``(W,)``.
        bar, metre: see :class:`aeplug_music.windows.Windows`, ``(W,)``.
        exact: :func:`fingerprint` of each window, ``(W,)``.
        relative: that of the window up to transposition, ``(W,)``.
        skipped: (number of the source, reason, detail).
        silent: windows left out for silence.
    """

    melodies: list[Melody] = field(default_factory=list)
    tokens: Tokens = field(default_factory=lambda: np.zeros((0, 0), np.uint8))
    melody: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    bar: npt.NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    metre: npt.NDArray[np.int8] = field(default_factory=lambda: np.zeros(0, np.int8))
    exact: Hashes = field(default_factory=lambda: np.zeros(0, np.uint64))
    relative: Hashes = field(default_factory=lambda: np.zeros(0, np.uint64))
    skipped: list[tuple[int, str, str]] = field(default_factory=list)
    silent: int = 0
    spool: tuple[str, int] = ("", 0)


def joined(harvests: list[Harvest]) -> Harvest:
    """Several as one, in their order."""
    counts = np.cumsum([0, *(len(one.melodies) for one in harvests)])
    tokens = [one.tokens for one in harvests if len(one.tokens)] or [harvests[0].tokens]
    return Harvest(
        melodies=[melody for one in harvests for melody in one.melodies],
        tokens=np.concatenate(tokens),
        melody=np.concatenate([one.melody + n for one, n in zip(harvests, counts, strict=False)]),
        bar=np.concatenate([one.bar for one in harvests]),
        metre=np.concatenate([one.metre for one in harvests]),
        exact=np.concatenate([one.exact for one in harvests]),
        relative=np.concatenate([one.relative for one in harvests]),
        skipped=[skip for one in harvests for skip in one.skipped],
        silent=sum(one.silent for one in harvests),
    )


def window_width(bars: int) -> int:
    """Columns of a window of any metre."""
    return longest_bar(METRES) * bars


@dataclass
class _Waiting:
    """Melodies read and not yet worked on."""

    batch: Batch = field(default_factory=Batch)
    melodies: list[Melody] = field(default_factory=list)
    stretches: list[list[Stretch]] = field(default_factory=list)
    steps: float = 0.0


def ingest(
    files: Iterable[tuple[int, Source]],
    bars: int = 2,
    parse: Parse = parse_midi,
    begun: Callable[[int], None] = lambda number: None,
) -> Harvest:
    """Read files and cut their melodies into windows.

    Args:
        files: numbers, ascending, and sources.
        bars: bars a window.
        parse: bytes -> tune; raises FileError.
        begun: told the number of each file before it is read, and -1 before the work on all.
    """
    waiting = _Waiting()
    harvests: list[Harvest] = []
    skipped: list[tuple[int, str, str]] = []
    with Reader() as reader:
        for number, source in files:
            begun(number)
            try:
                steps = _add(waiting, number, parse(reader.read(source)))
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
                harvests.append(_work_off(waiting, bars))
                waiting = _Waiting()
        begun(-1)
        harvests.append(_work_off(waiting, bars))
    result = joined(harvests) if len(harvests) > 1 else harvests[0]
    result.skipped += skipped
    return result


def _add(waiting: _Waiting, number: int, tune: Tune) -> float:
    voices = [track for track in tune.tracks if not track.is_drum]
    if not voices:
        raise InvalidMidi("only drums")
    stretches = stretches_of(tune)
    key = tune.keys[0][1] if tune.keys else None
    shift = shift_of_signature(key) if key is not None else 0
    bpm = tune.bpm
    for track in voices:
        waiting.batch.add(track, stretches, tune.ticks_per_quarter)
        waiting.melodies.append(Melody(number, track.name, bpm, shift, key is not None))
        waiting.stretches.append(stretches)
    return 4 * len(voices) * tune.end / tune.ticks_per_quarter


def _work_off(waiting: _Waiting, bars: int) -> Harvest:
    if not len(waiting.batch):
        return Harvest(tokens=np.zeros((0, window_width(bars)), np.uint8))
    streams = quantise(waiting.batch)
    windows = cut(streams, bars, window_width(bars))
    shifts = estimated_shifts(streams)
    used = np.bincount(windows.melody, minlength=len(waiting.batch)) > 0
    return Harvest(
        [
            melody if melody.key_known else Melody(*melody[:3], shift, False)
            for melody, shift, has in zip(waiting.melodies, shifts, used.tolist(), strict=True)
            if has
        ],
        windows.tokens,
        (np.cumsum(used) - 1)[windows.melody],
        windows.bar.astype(np.int32),
        windows.metre.astype(np.int8),
        fingerprint(windows.tokens, windows.metre),
        fingerprint(transposed_to_lowest(windows.tokens), windows.metre),
        _why_not(waiting, streams, windows, used, bars),
        int(windows.silent.sum()),
    )


def _why_not(
    waiting: _Waiting,
    streams: Streams,
    windows: Windows,
    used: npt.NDArray[np.bool_],
    bars: int,
) -> list[tuple[int, str, str]]:
    """A reason for every file that gave no window: that of the melody which came furthest."""
    with_windows = {m.file for m, has in zip(waiting.melodies, used, strict=True) if has}
    reasons: dict[int, tuple[int, str, str]] = {}
    is_melody = streams.is_melody
    for number in np.flatnonzero(~used):
        file = waiting.melodies[number].file
        if file in with_windows:
            continue
        stretches = waiting.stretches[number]
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
