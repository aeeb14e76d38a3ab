"""The command ``aeplug play``."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from aeplug.errors import AeplugError, FileError
from aeplug.runtime import say


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--soundfont", help="An .sf2 that plays MIDI.  [default: a General MIDI one]")
def play(files: tuple[Path, ...], soundfont: str | None) -> None:
    """Play FILES one after another: MIDI (through a soundfont), WAV, FLAC, OGG, MP3.

    \b
    aeplug sample melody-2bar -n 3 --out out
    aeplug play out/*.mid

    Sound is played by the system: afplay on macOS, Windows' own player, and on Linux pw-play,
    paplay, aplay, ffplay or SoX. Ctrl-C stops it.
    """
    from aeplug_music.playback.player import NoPlayerError, find_player, make_playable

    failed, player = 0, None
    for path in files:
        try:
            with tempfile.TemporaryDirectory(prefix="aeplug-") as folder:
                wave = make_playable(path, Path(folder), soundfont)
                # Only now: of a file that cannot be read nobody wants to hear that nothing plays.
                player = player or find_player()
                click.echo(path)
                player(wave)
        except AeplugError as error:
            failed += 1
            if len(files) == 1 or isinstance(error, NoPlayerError):
                raise
            say(str(error))
    if failed:
        raise FileError(f"{failed} of {len(files)} files could not be played")
