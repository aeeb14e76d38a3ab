"""``aeplug transcribe``: recordings of one voice -> MIDI files."""

from __future__ import annotations

from pathlib import Path

import click

from aeplug.cli import (
    FiniteRange,
    inputs_argument,
    json_option,
    manifest_option,
    out_option,
    overwrite_option,
    report_job,
)
from aeplug.errors import AeplugError, ConfigError
from aeplug.runtime import missing_libraries
from aeplug_audio.files import RECORDING_SUFFIXES
from aeplug_music.score.metres import METRES
from aeplug_music.score.options import RECORDED_METRE

#: What recordings are read and analysed with, beside what all of music needs.
LIBRARIES = {"soundfile": "soundfile", "soxr": "soxr", "scipy": "scipy"}


@click.command()
@inputs_argument
@manifest_option
@out_option
@overwrite_option
@json_option
@click.option(
    "--bpm",
    type=FiniteRange(min=20, max=400),
    help="Tempo, BPM (quarter notes).  [default: estimated for each recording]",
)
@click.option(
    "--metre",
    default=RECORDED_METRE,
    show_default=True,
    type=click.Choice(METRES),
    help="Time signature.",
)
@click.option(
    "--align",
    is_flag=True,
    help="Keep the recording's time, so that the .mid lies under it in a sequencer.",
)
@click.option(
    "--picture/--no-picture",
    default=True,
    show_default=True,
    help="Also draw each transcription as a .png.",
)
def transcribe(
    inputs: tuple[str, ...],
    manifest: str,
    out: str,
    overwrite: bool,
    bpm: float | None,
    metre: str,
    align: bool,
    picture: bool,
    as_json: bool,
) -> int:
    """Transcribe recordings of one voice, hummed, sung or played, into MIDI files.

    \b
    aeplug transcribe humming.wav --out notes
    aeplug transcribe takes/ "more/**/*.mp3" --bpm 96 --metre 3/4 --out notes

    IN is a WAV, FLAC, OGG or MP3 file, a folder (searched recursively; its tree is kept), a
    pattern, or - for a list of names on stdin. Each gives a .mid on a grid of four steps per
    quarter note, and a picture of its spectrogram with the notes. One line per file gives the
    number of notes, tempo, metre, and where the first bar begins. Set --bpm only if you know the
    tempo: a wrong one spoils the rhythm. Files that fail are listed with their reasons in
    OUT/failed.jsonl; the others are transcribed, and the exit code is 1.

    By default a .mid begins with its first bar, in one tempo and on the grid, as models and
    notation need it. With --align it begins where the recording does, notes are as long and as late
    as they were played, and the tempo follows the player from beat to beat.
    """
    if not (inputs or manifest):
        raise click.UsageError("Missing argument 'IN...': recordings, folders, or --from LIST")
    if not out:  # else it would mean the current folder
        raise ConfigError("--out is empty")
    if missing := missing_libraries(LIBRARIES):  # else each file would say so
        raise AeplugError(f"transcribe: {missing}")
    from aeplug.jobs import Inputs
    from aeplug_music.transcription.converter import transcribe_files

    folder = Path(out).expanduser()
    recordings = Inputs(inputs, manifest, RECORDING_SUFFIXES, folder, skip_unlisted=True)
    report = transcribe_files(
        recordings,
        folder,
        bpm=bpm,
        metre=metre,
        align=align,
        picture=picture,
        overwrite=overwrite,
    )
    return report_job(report, as_json)
