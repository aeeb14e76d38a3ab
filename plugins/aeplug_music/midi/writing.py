"""A melody -> a Standard MIDI File, and its sound beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pretty_midi

from aeplug.errors import FileError
from aeplug.runtime import atomic_replace, describe_write_error
from aeplug_audio.synthesis.rendering import write_notes
from aeplug_audio.synthesis.voices import Note
from aeplug_music.midi.reading import parse_midi, tune_seconds
from aeplug_music.score.melody import Melody
from aeplug_music.score.metres import parse_metre
from aeplug_music.score.tokens import tokens_to_notes
from aeplug_music.score.tune import Tune

TICKS_PER_QUARTER = 480


def to_pretty_midi(
    melody: Melody, name: str, bpm: float, program: int, velocity: int
) -> pretty_midi.PrettyMIDI:
    """Convert a melody into an object that can be written and rendered.

    Args:
        melody: to convert.
        name: of the track.
        bpm: quarters a minute.
        program: General MIDI program, 0..127.
        velocity: of every note, 1..127.
    """
    # The file holds whole microseconds per quarter; notes fall on ticks only at such a tempo.
    bpm = 60e6 / round(60e6 / bpm)
    midi = pretty_midi.PrettyMIDI(resolution=TICKS_PER_QUARTER, initial_tempo=bpm)
    times = melody.times * 60.0 / bpm
    start, before = 0, ""
    for passage in melody.passages:
        # Where only the grid changes there is nothing to write.
        if passage.signature != before or not passage.bar:
            numerator, denominator = parse_metre(passage.signature)
            midi.time_signature_changes.append(
                pretty_midi.TimeSignature(numerator, denominator, times[start])
            )
        start, before = start + len(passage.tokens), passage.signature
    # Text in a Standard MIDI File is Latin-1; other characters are replaced.
    name = name.encode("latin-1", "replace").decode("latin-1")
    instrument = pretty_midi.Instrument(program, name=name)
    for onset, end, pitch in zip(
        *(column.tolist() for column in tokens_to_notes(melody.tokens)), strict=True
    ):
        instrument.notes.append(pretty_midi.Note(velocity, pitch, times[onset], times[end]))
    midi.instruments.append(instrument)
    return midi


def write_files(
    midi: pretty_midi.PrettyMIDI, stem: Path, options: Mapping[str, Any], seconds: float
) -> list[Path]:
    """Write ``stem.mid``, and with the option ``wav`` its sound beside it; returns the files.

    Args:
        midi: to write.
        stem: path without suffix.
        options: ``wav``, ``soundfont``.
        seconds: to the end of the last bar, which may end with rests.

    Raises:
        FileError: a file cannot be written.
    """
    written = [stem.with_name(stem.name + ".mid")]
    write_midi(midi, written[0])
    if options.get("wav"):
        written.append(stem.with_name(stem.name + ".wav"))
        write_notes(list_notes(midi), written[1], options.get("soundfont"), seconds)
    return written


def write_edited(
    data: bytes, stem: Path, options: Mapping[str, Any], last_tick: int = 0
) -> list[Path]:
    """As :func:`write_files`, for a file that is there as bytes.

    Args:
        data: of a Standard MIDI File that can be read.
        stem: path without suffix.
        options: ``wav``, ``soundfont``.
        last_tick: to which the sound goes on at least.

    Raises:
        FileError: a file cannot be written.
    """
    written = [stem.with_name(stem.name + ".mid")]
    try:
        written[0].parent.mkdir(parents=True, exist_ok=True)
        with atomic_replace(written[0]) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise FileError(f"{written[0]} cannot be written: {error.strerror or error}") from error
    if options.get("wav"):
        tune = parse_midi(data)
        written.append(stem.with_name(stem.name + ".wav"))
        seconds = tune_seconds(tune, np.array([max(last_tick, tune.end)]))[0]
        write_notes(_notes_of_tune(tune), written[1], options.get("soundfont"), float(seconds))
    return written


def _notes_of_tune(tune: Tune) -> list[Note]:
    notes = []
    for track in tune.tracks:
        begins, ends = tune_seconds(tune, track.onset), tune_seconds(tune, track.end)
        columns = (begins, ends, track.pitch, track.velocity)
        notes += [
            Note(begin, end, int(pitch), int(velocity), track.program, track.is_drum)
            for begin, end, pitch, velocity in zip(
                *(column.tolist() for column in columns), strict=True
            )
        ]
    return notes


def write_midi(midi: pretty_midi.PrettyMIDI, path: Path) -> None:
    """Write a file whole or not at all.

    Raises:
        FileError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_replace(path) as temporary:
            midi.write(str(temporary))
    except (OSError, ValueError) as error:
        reason = describe_write_error(error, path.parent)
        raise FileError(f"{path} cannot be written: {reason}") from error


def list_notes(midi: pretty_midi.PrettyMIDI) -> list[Note]:
    """List its notes for rendering."""
    return [
        Note(
            note.start, note.end, note.pitch, note.velocity, instrument.program, instrument.is_drum
        )
        for instrument in midi.instruments
        for note in instrument.notes
    ]
