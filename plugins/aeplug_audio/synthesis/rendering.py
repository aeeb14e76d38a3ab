"""Notes -> a .wav, through a soundfont if there is one, in blocks, at a set loudness."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from aeplug_audio.files.writing import write_wave
from aeplug_audio.synthesis.sampler import SoundfontVoices
from aeplug_audio.synthesis.soundfont import find_soundfont, open_soundfont
from aeplug_audio.synthesis.tones import ToneVoices
from aeplug_audio.synthesis.voices import Note, Voices

__all__ = ["write_notes"]

#: Samples per second of the .wav.
RATE = 44_100
#: Longest tail behind the last note's end, and the fade at its end, seconds.
TAIL, _FADE = 2.0, 0.5
#: Seconds rendered at a time.
_BLOCK = 10
#: Fade of a note that another one ends, seconds.
_CUT = 0.005

Samples = npt.NDArray[np.float32]


def open_voices(soundfont: str | Path | None = None) -> Voices:
    """Open the given soundfont, else an installed one (:func:`find_soundfont`), else use tones.

    Raises:
        FileError: the given file is not a soundfont.
    """
    path = Path(soundfont).expanduser() if soundfont else find_soundfont()
    return SoundfontVoices(open_soundfont(path)) if path else ToneVoices()


def write_notes(
    notes: Iterable[Note], path: Path, soundfont: str | Path | None = None, end: float = 0.0
) -> None:
    """Write a 16-bit .wav at 44,100 Hz and -16 LUFS, or less where peaks would exceed -1 dBTP.

    Stereo through a soundfont, mono with tones. It lasts until ``end`` or the last note's end, and
    up to 2 s longer while notes die away.

    Args:
        notes: in any order.
        path: file to write.
        soundfont: an .sf2; None: see :func:`open_voices`.
        end: shortest duration, seconds, for rests after the last note.

    Raises:
        FileError: the soundfont is not one, or the file cannot be written.

    Example:
        >>> import soundfile
        >>> from aeplug_audio.synthesis.voices import Note
        >>> write_notes([Note(0.0, 0.5, pitch=69)], Path("a.wav"), end=1.0)
        >>> soundfile.info("a.wav").duration >= 1
        True
    """
    voices = open_voices(soundfont)
    write_wave(render_blocks(notes, voices, RATE, end), path, RATE, voices.channels)


def render_blocks(
    notes: Iterable[Note], voices: Voices, rate: int, end: float = 0.0
) -> Iterator[Samples]:
    """Render notes in blocks of 10 s, ``(n, channels)``; notes sound on into the next block."""
    ordered = sorted(notes)
    end = max([end, *(note.end for note in ordered)])
    lasts = round((end + TAIL) * rate)
    cuts = _find_cuts(ordered, voices)
    size = _BLOCK * rate
    tail = np.zeros((0, voices.channels), np.float32)
    place = start = 0
    while start < lasts:
        room = np.zeros((size, voices.channels), np.float32)
        room = _add_sound(room, tail, 0)
        while place < len(ordered) and ordered[place].begin * rate < start + size:
            note = ordered[place]
            first = max(round(note.begin * rate), start)
            sound = voices.voice(note, rate, lasts - first)
            if place in cuts:
                sound = _shorten(sound, round((cuts[place] - note.begin) * rate), rate)
            room = _add_sound(room, sound, first - start)
            place += 1
        is_last = place == len(ordered)
        tail = room[size:]
        block = room[:size]
        if is_last and not np.any(np.abs(tail) > 1e-5):
            # Nothing more sounds: end with the tune, or with the last audible sample.
            audible = np.flatnonzero(np.abs(block).max(1, initial=0) > 1e-5)
            last = start + (int(audible[-1]) + 1 if len(audible) else 0)
            lasts = max(round(end * rate), min(last, lasts))
            tail = tail[:0]
        yield _fade_out(block[: max(lasts - start, 0)], start, round(end * rate), lasts, rate)
        start += size


def _add_sound(room: Samples, sound: Samples, at: int) -> Samples:
    """Add a sound to ``room`` from sample ``at`` on, padding it where needed."""
    if at + len(sound) > len(room):
        room = np.pad(room, ((0, at + len(sound) - len(room)), (0, 0)))
    room[at : at + len(sound)] += sound
    return room


def _find_cuts(notes: list[Note], voices: Voices) -> dict[int, float]:
    """When notes are ended by a later one: number of the note -> seconds."""
    next_begin: dict[int, float] = {}
    cuts = {}
    for number in range(len(notes) - 1, -1, -1):
        note = notes[number]
        kind = voices.exclusive_class(note) if note.drum else 0
        if kind:
            if kind in next_begin and next_begin[kind] > note.begin:
                cuts[number] = next_begin[kind]
            next_begin[kind] = note.begin
    return cuts


def _shorten(sound: Samples, length: int, rate: int) -> Samples:
    fade = round(_CUT * rate)
    sound = sound[: length + fade].copy()
    ending = sound[length:]
    ending *= np.linspace(1, 0, fade, dtype=np.float32)[: len(ending), None]
    return sound


def _fade_out(block: Samples, start: int, end: int, lasts: int, rate: int) -> Samples:
    """Fade out the last half second of a sound that reaches the longest tail."""
    fade = round(_FADE * rate)
    if lasts < end + round(TAIL * rate) or start + len(block) <= lasts - fade:
        return block
    left = (lasts - np.arange(start, start + len(block))) / fade
    return block * np.clip(left, 0, 1).astype(np.float32)[:, None]
