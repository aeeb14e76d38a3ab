"""Files of music -> documents of melodies: MIDI, recordings, notation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aeplug.errors import FileError
from aeplug.interfaces import Document
from aeplug.runtime import say
from aeplug_audio.files import RECORDING_SUFFIXES
from aeplug_music.midi.notation import read_score
from aeplug_music.midi.reading import read_midi
from aeplug_music.midi.serialising import to_midi
from aeplug_music.midi.suffixes import NOTATION_SUFFIXES
from aeplug_music.score.melody import extract_melody
from aeplug_music.score.metre_choice import settle_metre
from aeplug_music.score.metres import check_metre
from aeplug_music.score.options import RECORDED_METRE, check_bpm
from aeplug_music.score.track_choice import choose_tracks, describe_choice
from aeplug_music.score.tune import Tune


@dataclass(frozen=True)
class MelodyReader:
    """How files are read.

    Attributes:
        number: of the tune in books of several, from 1; None: see the reader of notation.
        track: name or number of the melody's track, or ``all``; empty: the likeliest.
        metre: time signature, whatever a file says; empty: its own.
        bpm: quarters a minute of recordings; None: estimated.
    """

    number: int | None = None
    track: str = ""
    metre: str = ""
    bpm: float | None = None

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> MelodyReader:
        """As the options ``tune``, ``track``, ``metre`` and ``bpm`` say.

        Raises:
            ConfigError: melodies are not modelled in this metre, or at this tempo.
        """
        metre = options.get("metre")
        return cls(
            options.get("tune"),
            str(options.get("track") or ""),
            check_metre(metre) if metre else "",
            check_bpm(options.get("bpm")),
        )

    def read(self, path: Path) -> Document:
        """Read a file's melody; the content is a :class:`aeplug_music.score.melody.Melody`.

        The summary of a transcription is printed on stderr, of a file with several tracks the one
        that was taken, and a metre that is not the file's.

        Raises:
            FileError: it cannot be read, or has no melody or no such track.
        """
        if path.is_dir():
            raise FileError(f"{path} is a folder, expected a music file")
        try:
            tune = self._read_tune(path)
            tune.data = tune.data or to_midi(tune)
            tune, remark = settle_metre(tune, self.metre)
            choice = choose_tracks(tune, self.track)
            reading = "; ".join(filter(None, (describe_choice(tune, choice), remark)))
            if reading:
                say(f"{path}: {reading}")
            first, *others = (extract_melody(tune, number) for number in choice.numbers)
            melody = replace(first, others=tuple(others))
            return Document(melody, path.stem, path, size=len(tune.data), reading=reading)
        except FileError as error:
            raise FileError(f"{path}: {error}") from error

    def _read_tune(self, path: Path) -> Tune:
        suffix = path.suffix.lower()
        if suffix in NOTATION_SUFFIXES:
            return read_score(path, self.number)
        if suffix in RECORDING_SUFFIXES:
            # Slow to import, and most files are no recordings.
            from aeplug_music.transcription.transcribe import read_recording

            return read_recording(path, self.bpm, self.metre or RECORDED_METRE)
        return read_midi(path)
