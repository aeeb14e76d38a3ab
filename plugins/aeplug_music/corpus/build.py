"""``aeplug data build`` for melodies: MIDI files -> arrays that training maps into memory.

Recordings are transcribed first, each to a MIDI file that stays in the built folder; tunes in
notation are written as MIDI files in the same way.

A built folder holds:

* ``tokens.npy``: uint8 ``(W, T)``, one window a row (see :mod:`aeplug_music.score.tokens`),
  tunes in order of their sources, each tune's windows in order of their bars.
* ``index.json``: ``format``, ``bars``, ``metres``, and ``tunes``: for each its ``source``,
  ``title``, ``split``, ``bpm``, ``key_shift`` (semitones to C major or A minor), ``key_known``
  (from a key signature, else estimated), ``rows`` (first row, and the one after the last), and for
  each of its rows ``bar`` (from 0) and ``metre`` (a name, or one for each row).
  Where a metre was named for all, ``read_in`` is that.
  With recordings and notation also ``transcriptions``: source -> MIDI file in ``transcribed/``.
* ``transcribed/``: MIDI files of recordings, and of tunes in notation.
* ``repaired.jsonl``: files that were damaged and read all the same, each with what was repaired;
  only where there are some.
* ``skipped.jsonl``: skipped files, each with its reason.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from aeplug.data import BuildReport, Skipped
from aeplug.errors import DataError, format_count, nearest
from aeplug.runtime import encode_json, say
from aeplug_music.corpus.fingerprints import Hashes, find_unique
from aeplug_music.corpus.ingest import MetreParser, Parse, ingest, window_width
from aeplug_music.corpus.parsed import MelodyInfo, ParsedFiles, concat_parsed
from aeplug_music.corpus.scores import convert_all
from aeplug_music.corpus.splitting import SPLITS, assign_splits, assign_splits_alone
from aeplug_music.corpus.workers import parse_files
from aeplug_music.midi.reading import parse_midi
from aeplug_music.midi.sources import Listing, Source, list_sources
from aeplug_music.score.metres import METRES, check_metre
from aeplug_music.score.options import RECORDED_METRE

FORMAT = 1
TOKENS, INDEX, SPOOLS = "tokens.npy", "index.json", "spools"
REPAIRED = "repaired.jsonl"
TRANSCRIBED, TRANSCRIPTIONS = "transcribed", "transcriptions"

Int = npt.NDArray[np.int64]


@dataclass
class Collection:
    """Melodies and columns of their distinct windows.

    Attributes:
        melodies: those with a window that no earlier one has, in order of their sources.
        kept: rows of the windows among all parsed ones, ``(W,)``.
        melody: number in ``melodies``, ascending, ``(W,)``.
        bar, metre: ``(W,)``; the metre is a number in ``METRES``.
        split: number in ``SPLITS`` of each melody, ``(M,)``.
        duplicates: number of windows dropped as equal to an earlier one.
        left_out: numbers of files dropped for sharing a window with held-out ones, ``(F,)``.
    """

    melodies: list[MelodyInfo]
    kept: Int
    melody: Int
    bar: Int
    metre: Int
    split: Int
    duplicates: int
    left_out: Int


def collect(
    parsed: ParsedFiles, exact: Hashes, relative: Hashes, leading: Int | None = None
) -> Collection:
    """Drop duplicates and split; files are in the order of their sources.

    Args:
        parsed: all files.
        exact: hashes of its windows.
        relative: hashes of the windows up to transposition.
        leading: numbers of the files that are split as if there were no others (see
            :func:`aeplug_music.corpus.splitting.assign_splits_alone`); None: all together.
    """
    # Melodies of a file stay in one split.
    names, file = np.unique(parsed.melodies.file, return_inverse=True)
    of_window = file[parsed.melody]
    if leading is None:
        left_out = np.zeros(len(names), bool)
        # Sorting releases the interpreter's lock, so the two sorts of all windows run in parallel.
        with ThreadPoolExecutor(1) as beside:
            splitting = beside.submit(assign_splits, len(names), of_window, relative)
            rows = find_unique(exact)
            split = splitting.result()
    else:
        is_leading = np.isin(names, leading)
        split, left_out = assign_splits_alone(len(names), of_window, relative, is_leading)
        candidates = np.flatnonzero(~left_out[of_window])
        rows = candidates[find_unique(exact[candidates])]
    owner = parsed.melody[rows]
    counts = np.bincount(owner, minlength=len(file))
    used = np.flatnonzero(counts)
    return Collection(
        parsed.melodies.select(used).to_rows(),
        rows,
        np.repeat(np.arange(len(used)), counts[used]),
        parsed.bar[rows].astype(np.int64),
        parsed.metre[rows].astype(np.int64),
        split[file][used],
        parsed.repeated + int((~left_out[of_window]).sum()) - len(rows),
        names[left_out],
    )


def build_melodies(
    sources: Sequence[str],
    out: Path,
    processes: int,
    progress: Callable[[int, int], None],
    *,
    bars: int = 2,
    bpm: float | None = None,
    metre: str | None = None,
    split_of: str | None = None,
    parse: Parse = parse_midi,
) -> BuildReport:
    """The builder of the data set ``melodies`` (see :mod:`aeplug.data.build`).

    Args:
        sources: files, folders, zips, globs.
        out: an empty folder.
        processes: number of worker processes.
        progress: called with files done and files in all.
        bars: bars per window.
        bpm: quarters a minute of recordings; None: estimated for each.
        metre: time signature of all; None: each file's own, 4/4 of recordings.
        split_of: one of the sources, whose tunes are split as if it were built alone; files that
            share a window with its held-out tunes are dropped, all others are trained on.
        parse: bytes of a file -> tune.

    Raises:
        DataError: a source does not exist, or no file gives a window.
    """
    parse = MetreParser(parse, check_metre(metre) if metre else "")
    names: list[str] = []
    skipped: list[Skipped] = []
    recordings: list[str] = []
    scores: list[Source] = []

    def list_with_names() -> Iterator[Listing]:
        for listing in list_sources(sources, skipped, recordings, scores=scores):
            names.extend(listing.names())
            yield listing

    spools = out / SPOOLS
    spools.mkdir()
    parsed_by_first = sorted(
        parse_files(list_with_names(), spools, max(processes, 1), bars, parse, progress),
        key=lambda pair: pair[0],
    )
    if not (names or recordings or scores or skipped):
        raise DataError(f"no MIDI files, recordings or notation in {', '.join(sources)}")
    progress(len(names), len(names))
    parts = [part for _, part in parsed_by_first]
    transcriptions: dict[str, str] = {}
    files = len(names) + len(recordings) + len(scores)
    figures: dict[str, Any] = {}
    if recordings or scores:
        folder = out / TRANSCRIBED
        folder.mkdir()
        transcribed: dict[str, str] = {}
        if recordings:
            transcribed = _transcribe(
                recordings, folder, processes, progress, skipped, bpm, metre or RECORDED_METRE
            )
            figures = {"recordings": len(recordings), "transcribed": len(transcribed)}
        if scores:
            say(f"reading {len(scores)} files of notation; a page takes about a second")
            tunes = convert_all(scores, folder, max(processes, 1), progress, skipped)
            figures |= {"files_of_notation": len(scores), "tunes_in_notation": len(tunes)}
            transcribed |= tunes
        transcriptions = {
            name: f"{TRANSCRIBED}/{os.path.basename(path)}" for name, path in transcribed.items()
        }
        part = ingest(enumerate(map(Source, transcribed.values()), len(names)), bars, parse)
        names += transcribed
        part.spool = (str(spools / TRANSCRIBED), 0)
        Path(part.spool[0]).write_bytes(part.tokens.tobytes())
        part.tokens = part.tokens[:0]
        parts.append(part)
    parsed = concat_parsed(parts) if parts else ParsedFiles()
    skipped += [
        Skipped(names[number], reason, detail) for number, reason, detail in sorted(parsed.skipped)
    ]
    if not len(parsed.exact):
        reasons = BuildReport(skipped=skipped).reasons()
        raise DataError(
            f"of {format_count(files, 'file')} none gives a window of {format_count(bars, 'bar')}: "
            + "; ".join(f"{count} {reason}" for reason, count in reasons[:5])
        )
    leading = None if split_of is None else _find_files(split_of, sources, names)
    collection = collect(parsed, parsed.exact, parsed.relative, leading)
    skipped += _list_redundant(parsed, collection, names)
    _write_tokens(out / TOKENS, parts, collection.kept, window_width(bars))
    shutil.rmtree(spools)
    _write_index(out / INDEX, collection, names, bars, transcriptions, metre or "")
    figures = {**_summarise(collection, files, parsed.silent), **figures}
    if parsed.repaired:
        _write_repaired(out / REPAIRED, parsed, names)
        figures["repaired"] = len(parsed.repaired)
    return BuildReport(figures, skipped)


def _transcribe(
    recordings: Sequence[str],
    folder: Path,
    processes: int,
    progress: Callable[[int, int], None],
    skipped: list[Skipped],
    bpm: float | None,
    metre: str,
) -> dict[str, str]:
    # Slow to import, and most builds have no recordings.
    from aeplug_music.transcription.batch import transcribe_all

    say(f"transcribing {len(recordings)} recordings; a minute of sound takes some seconds")
    return transcribe_all(recordings, folder, processes, progress, skipped, bpm, metre)


def _list_redundant(
    parsed: ParsedFiles, collection: Collection, names: Sequence[str]
) -> list[Skipped]:
    """Files without a new window, and those that share a window with held-out ones."""
    redundant = np.zeros(len(names), bool)
    redundant[parsed.melodies.file] = True
    redundant[[melody.file for melody in collection.melodies]] = False
    redundant[collection.left_out] = False
    reasons = (
        (np.flatnonzero(redundant), "every window is in an earlier file"),
        (collection.left_out, "shares a window with a held-out tune"),
    )
    return [Skipped(names[file], reason) for files, reason in reasons for file in files.tolist()]


def _find_files(leading: str, sources: Sequence[str], names: Sequence[str]) -> Int:
    """Numbers of the files of a source."""
    if leading not in sources:
        raise DataError(f"--split-of {leading}: not one of SOURCES. {nearest(leading, sources)}")
    recordings: list[str] = []
    scores: list[Source] = []
    listings = list_sources([leading], [], recordings, scores=scores)
    leading_names = {name for listing in listings for name in listing.names()}
    leading_names |= {*recordings, *map(str, scores)}
    # A tune of a book is named after the book.
    numbers = [
        number
        for number, name in enumerate(names)
        if name in leading_names or name.rpartition("#")[0] in leading_names
    ]
    return np.array(numbers, np.int64)


def _write_tokens(path: Path, parts: Sequence[ParsedFiles], rows_kept: Int, width: int) -> None:
    tokens = np.lib.format.open_memmap(path, "w+", np.uint8, (len(rows_kept), width))
    spools: dict[str, npt.NDArray[np.uint8]] = {}
    edges = np.cumsum([0, *(len(part.exact) for part in parts)])
    places = np.searchsorted(rows_kept, edges)
    for number, part in enumerate(parts):
        rows = rows_kept[places[number] : places[number + 1]] - edges[number]
        if len(rows):
            name, first = part.spool
            if name not in spools:
                spools[name] = np.memmap(name, np.uint8, "r").reshape(-1, width)
            tokens[places[number] : places[number + 1]] = spools[name][first + rows]
    tokens.flush()
    # Unmapped before the spools are removed, as Windows wants it.
    del tokens, spools


def _write_index(
    path: Path,
    collection: Collection,
    names: Sequence[str],
    bars: int,
    transcriptions: Mapping[str, str],
    read_in: str,
) -> None:
    edges = np.searchsorted(collection.melody, np.arange(len(collection.melodies) + 1)).tolist()
    bar, metre = collection.bar.tolist(), [METRES[number] for number in collection.metre.tolist()]
    tunes = []
    for melody, split, first, end in zip(
        collection.melodies, collection.split.tolist(), edges[:-1], edges[1:], strict=True
    ):
        metres = metre[first:end]
        is_uniform = metres.count(metres[0]) == len(metres)
        # Python's own format of lists of integers is JSON's, and three times as fast.
        tunes.append(
            f'{{"source": {encode_json(names[melody.file])}, "title": {encode_json(melody.title)}, '
            f'"split": "{SPLITS[split]}", "bpm": {round(melody.bpm, 3)}, '
            f'"key_shift": {melody.key_shift}, "key_known": {encode_json(melody.key_known)}, '
            f'"rows": [{first}, {end}], "bar": {bar[first:end]}, '
            f'"metre": {encode_json(metres[0] if is_uniform else metres)}}}'
        )
    content: dict[str, Any] = {"format": FORMAT, "bars": bars, "metres": list(METRES)}
    if read_in:
        content["read_in"] = read_in
    if transcriptions:
        content[TRANSCRIPTIONS] = dict(transcriptions)
    with path.open("w", encoding="utf-8") as file:
        # One line per tune, for people and line-based tools.
        file.write(json.dumps(content)[:-1] + ', "tunes": [\n')
        file.write(",\n".join(tunes))
        file.write("\n]}\n")


def _write_repaired(path: Path, parsed: ParsedFiles, names: Sequence[str]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for number, repairs in sorted(parsed.repaired):
            entry = {"source": names[number], "repairs": repairs}
            file.write(encode_json(entry) + "\n")


def _summarise(collection: Collection, files: int, silent: int) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "files": files,
        "tunes": len(collection.melodies),
        "windows": len(collection.kept),
    }
    counts = np.bincount(collection.metre, minlength=len(METRES)).tolist()
    figures |= {f"windows_{name}": n for name, n in zip(METRES, counts, strict=True) if n}
    figures["duplicate_windows_dropped"] = collection.duplicates
    figures["silent_windows_dropped"] = silent
    splits = np.bincount(collection.split, minlength=len(SPLITS)).tolist()
    rows = np.bincount(collection.split[collection.melody], minlength=len(SPLITS)).tolist()
    for name, tunes, windows in zip(SPLITS, splits, rows, strict=True):
        figures |= {f"{name}_tunes": tunes, f"{name}_windows": windows}
    return figures
