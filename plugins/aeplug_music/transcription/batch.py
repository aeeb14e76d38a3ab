"""Many recordings -> MIDI files, in several processes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from aeplug.data import Skipped
from aeplug.errors import FileError
from aeplug_music.midi.writing import to_pretty_midi, write_midi
from aeplug_music.score.melody import extract_melody
from aeplug_music.transcription.transcribe import transcribe

VELOCITY = 80
REASON, CRASHED = "no melody in the recording", "crashed the reader"
#: Most recordings submitted per process: when a process dies, all submitted ones are tried again.
_A_PROCESS = 8
#: Characters kept of a recording's name.
_STEM = 60


def transcribe_all(
    recordings: Sequence[str],
    folder: Path,
    processes: int,
    progress: Callable[[int, int], None],
    skipped: list[Skipped],
    bpm: float | None,
    metre: str,
) -> dict[str, str]:
    """Transcribe each recording into a MIDI file.

    Args:
        recordings: their paths.
        folder: existing folder for the files.
        processes: number of worker processes.
        progress: called with recordings done and recordings in all.
        skipped: receives those that cannot be transcribed.
        bpm: quarters a minute; None: estimated for each.
        metre: time signature of all.

    Returns:
        Recording -> MIDI file, in the order of the recordings.
    """
    targets = {
        path: str(folder / f"{number:06}-{Path(path).stem[:_STEM]}.mid")
        for number, path in enumerate(recordings)
    }
    reasons: dict[str, str] = {}
    results = _iter_results(list(targets), targets, processes, bpm, metre)
    for done, (path, why) in enumerate(results, 1):
        progress(done, len(targets))
        if why:
            reasons[path] = why
    skipped += [
        Skipped(path, CRASHED if why == CRASHED else REASON, "" if why == CRASHED else why)
        for path, why in sorted(reasons.items())
    ]
    return {path: target for path, target in targets.items() if path not in reasons}


def _iter_results(
    recordings: list[str], targets: dict[str, str], processes: int, bpm: float | None, metre: str
) -> Iterator[tuple[str, str]]:
    """Yield each recording, and why it could not be transcribed; empty: it was."""
    # Spawned: forking a process in which torch runs threads may hang.
    context = multiprocessing.get_context("spawn")
    at_once = processes * _A_PROCESS
    while recordings:
        pool = ProcessPoolExecutor(min(processes, len(recordings)), context)
        try:
            with pool:
                while recordings:
                    futures: dict[Future[str], str] = {
                        pool.submit(_transcribe_file, path, targets[path], bpm, metre): path
                        for path in recordings[:at_once]
                    }
                    for future in as_completed(futures):
                        why = future.result()
                        recordings.remove(futures[future])
                        yield futures[future], why
        except BrokenProcessPool:
            if at_once == 1:
                yield recordings.pop(0), CRASHED
                continue
            # One of the submitted recordings crashed its process: one by one shows which.
            processes, at_once = 1, 1


def _transcribe_file(path: str, target: str, bpm: float | None, metre: str) -> str:
    try:
        tune = transcribe(Path(path), bpm, metre).tune(Path(path).stem)
        melody = extract_melody(tune)
        write_midi(to_pretty_midi(melody, tune.name, melody.bpm, 0, VELOCITY), Path(target))
    except FileError as error:
        return str(error)
    except Exception as error:
        # No file stops the others, whatever is wrong with it.
        return f"{type(error).__name__}: {error}"
    return ""
