"""Many recordings -> MIDI files, in several processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from aeplug.data import Skipped
from aeplug.errors import FileError
from aeplug_music.midi.processes import CRASHED, run_each
from aeplug_music.midi.writing import to_pretty_midi, write_midi
from aeplug_music.score.melody import extract_melody
from aeplug_music.transcription.transcribe import transcribe

VELOCITY = 80
REASON = "no melody in the recording"
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
    work = partial(_transcribe_file, bpm=bpm, metre=metre)
    for done, ((path, _), why) in enumerate(run_each(list(targets.items()), work, processes), 1):
        progress(done, len(targets))
        if why is None or why:
            reasons[path] = CRASHED if why is None else why
    skipped += [
        Skipped(path, CRASHED if why == CRASHED else REASON, "" if why == CRASHED else why)
        for path, why in sorted(reasons.items())
    ]
    return {path: target for path, target in targets.items() if path not in reasons}


def _transcribe_file(files: tuple[str, str], bpm: float | None, metre: str) -> str:
    path, target = files
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
