"""The command ``aeplug play``."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from aeplug.errors import AeplugError, FileError
from aeplug.runtime import say


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--soundfont", help="An .sf2 that plays MIDI, in place of the one that comes along.")
def play(files: tuple[Path, ...], soundfont: str | None) -> None:
    """Play FILES, one after another: MIDI through a soundfont, WAV, FLAC, OGG, MP3.

    \b
    aeplug sample melody-2bar -n 3 --out out
    aeplug play out/*.mid

    The sound goes to what the system has for it: afplay on macOS, Windows' own, and on Linux
    pw-play, paplay, aplay, ffplay or SoX. Ctrl-C ends it.
    """
    from aeplug_music.playback.player import find_player, make_playable

    player = find_player()
    failed = 0
    for path in files:
        try:
            with tempfile.TemporaryDirectory(prefix="aeplug-") as folder:
                wave = make_playable(path, Path(folder), soundfont)
                click.echo(path)
                player(wave)
        except AeplugError as error:
            failed += 1
            if len(files) == 1:
                raise
            say(str(error))
    if failed:
        raise FileError(f"{failed} of {len(files)} files were not played")
