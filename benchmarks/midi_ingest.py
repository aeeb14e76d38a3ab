"""MIDI -> windows: this pipeline against the same one reading through pretty_midi.

Both run the whole of ``aeplug data build`` on the same files with as many processes: find, read,
quantise, cut into windows, drop duplicates, split, write. Only the function bytes -> tune differs.
The bundled set is repeated until ours takes ``--seconds``; both read all of it, in turn.

    python benchmarks/midi_ingest.py [--source TUNES.zip] [--processes 2] [--rounds 2]
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import statistics
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np

from aeplug_music.corpus.build import build_melodies
from aeplug_music.corpus.ingest import Parse
from aeplug_music.midi.reading import parse_midi
from aeplug_music.score.tune import Track, Tune


def parse_pretty_midi(data: bytes) -> Tune:
    """The same tune from pretty_midi, by the quickest way it offers from seconds to ticks."""
    import pretty_midi

    midi = pretty_midi.PrettyMIDI(io.BytesIO(data))
    tick = midi.time_to_tick
    bpms = midi.get_tempo_changes()
    # At one tempo, seconds are ticks by one factor; time_to_tick would be called for each note.
    scale = midi.resolution * bpms[1][0] / 60 if len(bpms[1]) == 1 else 0.0

    def ticks(seconds: list[float]) -> np.ndarray:
        if scale:
            return np.rint(np.array(seconds) * scale).astype(np.int32)
        return np.array([tick(one) for one in seconds], np.int32)

    tracks = []
    for instrument in midi.instruments:
        notes = sorted(instrument.notes, key=lambda note: note.start)
        if not notes:
            continue
        tracks.append(
            Track.of(
                [note.pitch for note in notes],
                ticks([note.start for note in notes]),
                ticks([note.end for note in notes]),
                [note.velocity for note in notes],
                instrument.program,
                instrument.is_drum,
                instrument.name,
            )
        )
    return Tune(
        midi.resolution,
        tracks,
        [(tick(one.time), one.numerator, one.denominator) for one in midi.time_signature_changes],
        [(tick(at), round(60e6 / bpm)) for at, bpm in zip(*bpms, strict=True)],
    )


def copied(source: Path, copies: int, folder: Path) -> list[str]:
    """The set several times over, as zips of their own."""
    paths = [folder / f"{number:04}.zip" for number in range(copies)]
    return [str(shutil.copyfile(source, path)) for path in paths]


def timed(sources: list[str], processes: int, parse: Parse) -> tuple[float, int]:
    """A whole build: seconds, and windows it made."""
    with tempfile.TemporaryDirectory() as out:
        start = time.perf_counter()
        report = build_melodies(
            sources, Path(out), processes, lambda done, total: None, parse=parse
        )
        return time.perf_counter() - start, int(report.figures["windows"])


def main() -> None:
    options = argparse.ArgumentParser(description="MIDI -> windows, against pretty_midi")
    options.add_argument("--source", type=Path, default=None, help="zip of MIDI, else the bundled")
    options.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options.add_argument("--seconds", type=float, default=5.0, help="that ours should take")
    options.add_argument("--rounds", type=int, default=2)
    given = options.parse_args()
    # Not above: the processes at work import this file, and have no need of torch.
    from aeplug.data import find_bundled

    source = given.source or find_bundled("folk_tunes.zip")
    with zipfile.ZipFile(source) as archive:
        files = sum(name.lower().endswith((".mid", ".midi")) for name in archive.namelist())
    with tempfile.TemporaryDirectory() as name:
        copies, taken = 1, 0.0
        while True:
            sources = copied(source, copies, Path(name))
            taken, _ = timed(sources, given.processes, parse_midi)
            if taken >= given.seconds:
                break
            copies = max(copies + 1, round(1.1 * copies * given.seconds / taken))
        print(f"{files} files x {copies}, {given.processes} processes", flush=True)
        runs: dict[str, list[float]] = {"aeplug": [], "pretty_midi": []}
        windows = set()
        for _ in range(given.rounds):
            for reader, parse in (("aeplug", parse_midi), ("pretty_midi", parse_pretty_midi)):
                seconds, made = timed(sources, given.processes, parse)
                runs[reader].append(seconds)
                windows.add(made)
                rate = copies * files / seconds
                print(f"{reader:12} {seconds:7.2f} s {rate:8.0f} files/s", flush=True)
    if len(windows) != 1:
        raise SystemExit(f"the readers disagree: {windows} windows")
    print(f"windows {windows.pop()}")
    print(f"ratio {statistics.median(runs['pretty_midi']) / statistics.median(runs['aeplug']):.1f}")


if __name__ == "__main__":
    main()
