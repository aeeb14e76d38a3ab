"""``aeplug data build --render``: single notes of a soundfont as windows of frames.

A built folder holds ``frames.npy``, uint8 ``(N, 1, 80, 80)``, and ``notes.json``: ``format``,
``soundfont``, ``programs`` (128 names), and for each note ``program``, ``pitch``, ``velocity`` and
``split``.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt

from aeplug.data import SPLITS, BuildReport, Skipped
from aeplug.errors import ConfigError, DataError, FileError
from aeplug_audio.sounds.dataset import ARRAY, FORMAT, INDEX, assign_splits
from aeplug_audio.sounds.note_windows import NoteRequest, render_windows
from aeplug_audio.synthesis.soundfont import find_soundfont, open_soundfont

#: Notes that a process renders at a time.
_TOGETHER = 64
Stored = npt.NDArray[np.uint8]


def build_notes(
    sources: Sequence[str],
    out: Path,
    processes: int,
    progress: Callable[[int, int], None],
    *,
    render: str = "0-119",
    pitches: str = "36-84",
    velocities: str = "100",
) -> BuildReport:
    """The builder of the data set ``notes`` (see :mod:`aeplug.data.build`).

    Notes are split by program and pitch, so that all velocities of a note are in one split.

    Args:
        sources: a soundfont, or none: an installed General MIDI one.
        out: an empty folder.
        processes: number of worker processes.
        progress: called with notes done and notes in all.
        render: General MIDI programs, ``0-7,40``.
        pitches: MIDI numbers.
        velocities: 1..127.

    Raises:
        ConfigError: a range cannot be parsed.
        DataError: there is no soundfont, or it has none of the notes.
    """
    requests = [
        NoteRequest(*note)
        for note in product(
            parse_numbers("--render", render, 0, 127),
            parse_numbers("--pitches", pitches, 0, 127),
            parse_numbers("--velocities", velocities, 1, 127),
        )
    ]
    path = _choose_soundfont(sources)
    try:
        font = open_soundfont(path)
    except FileError as error:
        raise DataError(str(error)) from error
    parts = [requests[start : start + _TOGETHER] for start in range(0, len(requests), _TOGETHER)]
    frames: list[Stored] = []
    rendered: list[NoteRequest] = []
    report = BuildReport()
    for number, (part, part_frames) in enumerate(
        zip(parts, _render_in_processes(path, parts, processes), strict=True)
    ):
        for note, windows in zip(part, part_frames, strict=True):
            if windows is None:
                report.skipped.append(
                    Skipped(f"{path}!{'-'.join(map(str, note))}", "the soundfont has no sound")
                )
            else:
                frames.append(windows)
                rendered.append(note)
        progress(min((number + 1) * _TOGETHER, len(requests)), len(requests))
    if not frames:
        raise DataError(f"{path} has no sound of programs {render} at pitches {pitches}")
    np.save(out / ARRAY, np.stack(frames))
    split = assign_splits([f"{note.program}-{note.pitch}" for note in rendered])
    names = [SPLITS[number] for number in split.tolist()]
    index = {
        "format": FORMAT,
        "soundfont": path.name,
        "programs": [font.name(program) for program in range(128)],
        **{field: [getattr(note, field) for note in rendered] for field in NoteRequest._fields},
        "split": names,
    }
    (out / INDEX).write_text(json.dumps(index), encoding="utf-8")
    report.figures = {
        "soundfont": path.name,
        "notes": len(rendered),
        "programs": len({note.program for note in rendered}),
        **{name: names.count(name) for name in SPLITS},
    }
    return report


def _choose_soundfont(sources: Sequence[str]) -> Path:
    if len(sources) > 1:
        raise DataError(f"{len(sources)} sources, expected one soundfont (.sf2), or none")
    path = Path(sources[0]).expanduser() if sources else find_soundfont()
    if path is None:
        raise DataError(
            "no soundfont is installed; name one: aeplug data build FILE.sf2 --render ..."
        )
    if path.is_dir():
        raise DataError(
            f"{path} is a folder, expected a soundfont (.sf2); sounds of your own need "
            "no building: give the folder as --data"
        )
    return path


def parse_numbers(option: str, text: str, low: int, high: int) -> list[int]:
    """Parse ``"0-7,40"`` into numbers, ascending, each once.

    Raises:
        ConfigError: it cannot be parsed, or a number is out of range.
    """
    values: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not (first.isascii() and first.isdigit() and (not dash or last.isdigit())):
            raise ConfigError(f"{option} {text}: expected numbers and ranges such as 0-7,40")
        values |= (
            set(range(int(first), int(last or first) + 1)) if int(last or first) < 1000 else {-1}
        )
    if not values or min(values) < low or max(values) > high:
        raise ConfigError(f"{option} {text}: expected numbers of {low} to {high}")
    return sorted(values)


def _render_in_processes(
    path: Path, parts: list[list[NoteRequest]], processes: int
) -> Iterator[list[Stored | None]]:
    if processes == 1 or len(parts) == 1:
        yield from (render_windows(path, part) for part in parts)
        return
    # Spawned: a fork would copy locks that threads of libraries may hold.
    workers = min(processes, len(parts))
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(render_windows, [path] * len(parts), parts)
