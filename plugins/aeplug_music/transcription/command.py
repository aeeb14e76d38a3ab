"""``aeplug transcribe``: recordings of one voice -> files of music."""

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
from aeplug.errors import ConfigError
from aeplug_audio.files import RECORDING_SUFFIXES
from aeplug_music.score.metres import METRES
from aeplug_music.score.options import RECORDED_METRE


@click.command()
@inputs_argument
@manifest_option
@out_option
@overwrite_option
@json_option
@click.option(
    "--bpm",
    type=FiniteRange(min=20, max=400),
    help="Quarters a minute.  [default: estimated, of each recording]",
)
@click.option(
    "--metre",
    default=RECORDED_METRE,
    show_default=True,
    type=click.Choice(METRES),
    help="Time signature.",
)
@click.option("--picture/--no-picture", default=True, show_default=True, help="Also draw a .png.")
def transcribe(
    inputs: tuple[str, ...],
    manifest: str,
    out: str,
    overwrite: bool,
    bpm: float | None,
    metre: str,
    picture: bool,
    as_json: bool,
) -> int:
    """Write down what is hummed, sung or played in recordings of one voice.

    \b
    aeplug transcribe humming.wav --out notes
    aeplug transcribe takes/ "more/**/*.mp3" --bpm 96 --metre 3/4 --out notes

    IN is a WAV, FLAC, OGG or MP3 file, a folder (searched recursively; its tree is kept), a
    pattern, or - for a list of names on stdin. Each gives a .mid on a grid of four steps a
    quarter, and a picture: the pitch over the spectrogram, the notes on top. One line a file says
    which tempo it was taken for, and where the first bar begins. A file that cannot be done is
    listed with its reason in OUT/failed.jsonl, the rest goes on, and the exit code is 1.
    """
    if not (inputs or manifest):
        raise click.UsageError("Missing argument 'IN...': recordings, folders, or --from LIST")
    if not out:  # else it would mean the current folder
        raise ConfigError("--out is empty")
    from aeplug.jobs import Inputs
    from aeplug_music.transcription.converter import transcribe_files

    folder = Path(out).expanduser()
    named = Inputs(inputs, manifest, RECORDING_SUFFIXES, folder, skip_unlisted=True)
    report = transcribe_files(
        named, folder, bpm=bpm, metre=metre, picture=picture, overwrite=overwrite
    )
    return report_job(report, as_json)
