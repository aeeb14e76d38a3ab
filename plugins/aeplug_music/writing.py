"""A melody -> a Standard MIDI File, and the sound of it."""

from __future__ import annotations

import contextlib
import os
import wave
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pretty_midi

from aeplug.errors import FileError
from aeplug_music.melody import notes_of
from aeplug_music.metres import STEPS_PER_QUARTER, parts
from aeplug_music.score import Melody

TICKS_PER_QUARTER = 480
SAMPLE_RATE = 44_100
#: Longest sound written, in seconds; the synthesis holds it in memory whole.
LONGEST_SOUND = 1800.0
_LOUDEST = 0.9 * (2**15 - 1)


def to_pretty_midi(
    melody: Melody, name: str, bpm: float, program: int, velocity: int
) -> pretty_midi.PrettyMIDI:
    """The melody as an object that can be looked at, written and heard.

    Args:
        melody: what to play.
        name: of the track.
        bpm: quarters a minute.
        program: General MIDI program, 0..127.
        velocity: of every note, 1..127.
    """
    # The file holds whole microseconds a quarter; notes fall on ticks only at such a tempo.
    bpm = 60e6 / round(60e6 / bpm)
    midi = pretty_midi.PrettyMIDI(resolution=TICKS_PER_QUARTER, initial_tempo=bpm)
    seconds = 60.0 / bpm / STEPS_PER_QUARTER
    start = 0
    for passage in melody.passages:
        numerator, denominator = parts(passage.metre)
        midi.time_signature_changes.append(
            pretty_midi.TimeSignature(numerator, denominator, start * seconds)
        )
        start += len(passage.tokens)
    # Text in a Standard MIDI File is Latin-1; a name in another script loses what does not fit.
    name = name.encode("latin-1", "replace").decode("latin-1")
    instrument = pretty_midi.Instrument(program, name=name)
    for onset, end, pitch in zip(*(one.tolist() for one in notes_of(melody.tokens)), strict=True):
        instrument.notes.append(pretty_midi.Note(velocity, pitch, onset * seconds, end * seconds))
    midi.instruments.append(instrument)
    return midi


def write_midi(midi: pretty_midi.PrettyMIDI, path: Path) -> None:
    """Write a file that appears only when whole.

    Raises:
        FileError: it cannot be written.
    """
    fresh = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        midi.write(str(fresh))
        os.replace(fresh, path)
    except (OSError, ValueError) as error:
        raise FileError(f"{path} cannot be written: {error}") from error
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink()


def write_wav(midi: pretty_midi.PrettyMIDI, path: Path) -> None:
    """Write the sound of it, 16 bits, mono, 44,100 samples a second; appears only when whole.

    Raises:
        FileError: over half an hour, or it cannot be written.
    """
    if midi.get_end_time() > LONGEST_SOUND:
        raise FileError(f"{path} not written: over {LONGEST_SOUND:.0f} s of sound")
    heard = any(instrument.notes for instrument in midi.instruments)
    # The synthesis divides by the loudest sample, so silence is not asked of it.
    sound: Any = midi.synthesize(fs=SAMPLE_RATE) if heard else np.zeros(SAMPLE_RATE)
    write_sound(sound, path)


def write_sound(sound: npt.NDArray[np.float64], path: Path) -> None:
    """Write samples ``(n,)`` of any scale as a .wav, as loud as it can be; only when whole.

    Raises:
        FileError: it cannot be written.
    """
    peak = float(np.abs(sound).max(initial=0.0)) or 1.0
    samples = np.round(sound * (_LOUDEST / peak)).astype("<i2")
    fresh = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(fresh), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(SAMPLE_RATE)
            file.writeframes(samples.tobytes())
        os.replace(fresh, path)
    except (OSError, wave.Error) as error:
        raise FileError(f"{path} cannot be written: {error}") from error
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink()
