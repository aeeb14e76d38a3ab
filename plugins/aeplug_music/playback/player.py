"""``aeplug play``: MIDI files and recordings through the system's own player."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from aeplug.errors import FileError
from aeplug.runtime import require_regular
from aeplug_audio.files import RECORDING_SUFFIXES
from aeplug_audio.synthesis.rendering import write_notes
from aeplug_audio.synthesis.voices import Note
from aeplug_music.midi.reading import read_midi, ticks_to_seconds
from aeplug_music.midi.suffixes import MIDI_SUFFIXES
from aeplug_music.score.tune import Tune

#: Programs that play a .wav, in order of preference, with their arguments.
PLAYERS = (
    ("afplay",),  # macOS
    ("pw-play",),  # Linux: PipeWire, PulseAudio, ALSA
    ("paplay",),
    ("aplay", "-q"),
    ("ffplay", "-nodisp", "-autoexit", "-loglevel", "error"),
    ("play", "-q"),  # SoX
)
_BLOCK = 1 << 16

Player = Callable[[Path], None]


class NoPlayerError(FileError):
    """No file can be played on this system."""


def find_player() -> Player:
    """Find a function that plays a .wav and returns at its end.

    Raises:
        NoPlayerError: the system has no program that plays sound.
    """
    if sys.platform == "win32":
        return _play_on_windows
    for name, *arguments in PLAYERS:
        program = shutil.which(name)
        if program:
            return partial(_run, (program, *arguments))
    names = ", ".join(name for name, *_ in PLAYERS)
    raise NoPlayerError(
        f"no program that plays sound: expected one of {names} on the PATH. Without one, write "
        f".wav files with --wav and play them elsewhere"
    )


def _run(command: Sequence[str], path: Path) -> None:
    result = subprocess.run([*command, str(path)], stderr=subprocess.PIPE, check=False)
    if result.returncode:
        lines = result.stderr.decode("utf-8", "replace").strip().splitlines()
        detail = f" ({Path(command[0]).name}: {_strip_program(lines[-1])})" if lines else ""
        raise FileError(f"cannot play sound; is there a sound device?{detail}")


def _strip_program(line: str) -> str:
    """An error of a program without the program's name and level before it."""
    return re.sub(r"^(?:\S+ )?(?:FAIL|ERROR|WARN)\S* ", "", line)


def _play_on_windows(path: Path) -> None:
    if sys.platform == "win32":
        import winsound

        try:
            winsound.PlaySound(str(path), winsound.SND_FILENAME)
        except RuntimeError as error:
            raise FileError(f"cannot play sound; is there a sound device? ({error})") from error


def make_playable(path: Path, folder: Path, soundfont: str | None = None) -> Path:
    """Return a .wav of a file: the file itself, or one written to ``folder``.

    Args:
        path: a MIDI file, or a recording (.wav, .flac, .ogg, .mp3).
        folder: for the .wav.
        soundfont: for MIDI files; None: a General MIDI one.

    Raises:
        FileError: the file is missing, of another kind, or cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix not in (*MIDI_SUFFIXES, *RECORDING_SUFFIXES):
        expected = ", ".join((*MIDI_SUFFIXES, *RECORDING_SUFFIXES))
        raise FileError(f"{path} cannot be played: expected {expected}")
    require_regular(path)
    if not path.exists():
        raise FileError(f"{path} is not there")
    target = folder / f"{path.stem}.wav"
    if suffix in MIDI_SUFFIXES:
        try:
            notes = tune_to_notes(read_midi(path))
        except FileError as error:
            raise FileError(f"{path}: {error}") from error
        write_notes(notes, target, soundfont)
        return target
    if suffix == ".wav":
        return path
    _decode(path, target)
    return target


def _decode(path: Path, target: Path) -> None:
    import soundfile

    try:
        with (
            path.open("rb") as opened,
            soundfile.SoundFile(opened) as source,
            soundfile.SoundFile(target, "w", source.samplerate, source.channels, "PCM_16") as wave,
        ):
            for block in source.blocks(_BLOCK, dtype="float32", always_2d=True):
                wave.write(block)
    except (OSError, soundfile.LibsndfileError) as error:
        raise FileError(f"{path} is not a readable recording ({error})") from error


def tune_to_notes(tune: Tune) -> list[Note]:
    """The notes of a MIDI file in seconds, through all changes of tempo."""
    end = max(tune.end, 1)
    ticks = sorted({0, end, *(tick for tick, _ in tune.tempos if tick < end)})
    seconds = [ticks_to_seconds(tune.tempos, tune.ticks_per_quarter, tick) for tick in ticks]
    notes: list[Note] = []
    for track in tune.tracks:
        begin = np.interp(track.onset, ticks, seconds).tolist()
        stop = np.interp(track.end, ticks, seconds).tolist()
        columns = zip(begin, stop, track.pitch.tolist(), track.velocity.tolist(), strict=True)
        notes += [Note(*column, track.program, track.is_drum) for column in columns]
    return notes
