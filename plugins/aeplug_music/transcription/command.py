"""``aeplug transcribe``: recordings of one voice -> files of music."""

from __future__ import annotations

from pathlib import Path

import click

from aeplug.cli import FiniteRange, manifest_option, report_job
from aeplug.errors import ConfigError
from aeplug.runtime import say
from aeplug_audio.files import RECORDING_SUFFIXES
from aeplug_music.score.metres import METRES
from aeplug_music.score.options import RECORDED_METRE


@click.command()
@click.argument("inputs", metavar="[IN]...", nargs=-1)
@manifest_option
@click.option(
    "--out", type=click.Path(file_okay=False), required=True, help="Folder for the results."
)
@click.option(
    "--overwrite", is_flag=True, help="Replace files in OUT that another job or person left."
)
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
    from aeplug.jobs import Conversion, Inputs, Job
    from aeplug_music.transcription.converter import Transcriber

    folder = Path(out).expanduser()
    named = Inputs(inputs, manifest, RECORDING_SUFFIXES, folder, skip_unlisted=True)
    conversion = Conversion(
        Transcriber(bpm, metre), {"transcribe": 1, "bpm": bpm or "estimated", "metre": metre}
    )
    job = Job(conversion, named, folder, ".mid", {"picture": picture}, overwrite=overwrite)
    stopped = job.run()
    for line in named.remarks:
        say(line)
    return report_job(job, stopped)
