"""Files of notation -> MIDI files, in several processes: one of each tune, for ``data build``."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePath

from aeplug.data import Skipped
from aeplug.errors import FileError
from aeplug_music.midi.notation import INSTALL, parse_score
from aeplug_music.midi.processes import CRASHED, run_each
from aeplug_music.midi.score_files import split_scores
from aeplug_music.midi.serialising import to_midi
from aeplug_music.midi.sources import Reader, Source

REASON = "notation not readable"
MISSING = f"notation needs music21, which is not installed: {INSTALL}"
#: Characters kept of a file's name.
_STEM = 60


@dataclass
class _Converted:
    """MIDI files of the tunes of a file, by their names; and why others have none."""

    files: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)


def convert_all(
    sources: Sequence[Source],
    folder: Path,
    processes: int,
    progress: Callable[[int, int], None],
    skipped: list[Skipped],
) -> dict[str, str]:
    """Write each tune of each file as a MIDI file.

    Args:
        sources: ABC, MusicXML.
        folder: existing folder for the files.
        processes: number of worker processes.
        progress: called with files done and files in all.
        skipped: receives tunes and files that cannot be read.

    Returns:
        Tune -> MIDI file, in order; of several in a file the second is called ``book.abc#2``.
    """
    if importlib.util.find_spec("music21") is None:
        skipped += [Skipped(str(source), MISSING) for source in sources]
        return {}
    converted: dict[int, _Converted] = {}
    convert = partial(_convert, folder=str(folder))
    results = run_each(list(enumerate(sources)), convert, processes)
    for done, ((number, source), result) in enumerate(results, 1):
        progress(done, len(sources))
        converted[number] = result or _Converted(reasons={str(source): CRASHED})
    files: dict[str, str] = {}
    for number in range(len(sources)):
        files |= converted[number].files
        skipped += [
            Skipped(name, CRASHED if why == CRASHED else REASON, "" if why == CRASHED else why)
            for name, why in converted[number].reasons.items()
        ]
    return files


def _convert(numbered: tuple[int, Source], folder: str) -> _Converted:
    number, source = numbered
    path = PurePath(source.member or source.path)
    converted = _Converted()
    try:
        with Reader() as reader:
            scores = split_scores(reader.read(source), path.suffix)
    except Exception as error:
        return _Converted(reasons={str(source): _explain(error)})
    for place, score in enumerate(scores, 1):
        name = f"{source}#{place}" if len(scores) > 1 else str(source)
        target = os.path.join(folder, f"score-{number:06}-{place:04}-{path.stem[:_STEM]}.mid")
        try:
            tune = parse_score(score, path.suffix)
            if len(tune.tracks) == 1:
                tune.tracks[0].name = tune.tracks[0].name or tune.name
            Path(target).write_bytes(to_midi(tune))
        except Exception as error:
            # No tune stops the others, whatever is wrong with it.
            converted.reasons[name] = _explain(error)
        else:
            converted.files[name] = target
    return converted


def _explain(error: Exception) -> str:
    return str(error) if isinstance(error, FileError) else f"{type(error).__name__}: {error}"
