"""Recordings -> MIDI files, for a job: a .mid each, and a picture of the transcription."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aeplug.errors import FileError
from aeplug.interfaces import Document
from aeplug.jobs import Conversion, Inputs, Job, JobReport, run_job
from aeplug.runtime import say
from aeplug_audio.files import RECORDING_SUFFIXES
from aeplug_music.midi.serialising import to_midi
from aeplug_music.midi.writing import to_pretty_midi, write_edited, write_files
from aeplug_music.score.melody import extract_melody
from aeplug_music.score.options import RECORDED_METRE
from aeplug_music.transcription.alignment import align_notes
from aeplug_music.transcription.transcribe import Transcription, transcribe

#: Bytes of a frame of a recording, about.
_FRAME_BYTES = 256
VELOCITY = 80


class Transcriber:
    """A converter (:class:`aeplug.jobs.conversion.Converter`).

    Args:
        bpm: quarters a minute; None: estimated for each recording.
        metre: time signature of all.
        align: whether notes stay at the seconds of the recording.
    """

    def __init__(
        self, bpm: float | None = None, metre: str = RECORDED_METRE, align: bool = False
    ) -> None:
        self.bpm, self.metre, self.align = bpm, metre, align

    def read(self, path: Path) -> Document:
        """Transcribe a recording; the content is a :class:`~.transcribe.Transcription`.

        Raises:
            FileError: it is no recording, or there is no melody in it.
        """
        if path.suffix.lower() not in RECORDING_SUFFIXES:
            raise FileError(f"{path}: expected a recording, {', '.join(RECORDING_SUFFIXES)}")
        try:
            transcription = transcribe(path, self.bpm, self.metre)
        except FileError as error:
            raise FileError(f"{path}: {error}") from error
        say(f"{path}: {transcription.summary(aligned=self.align)}")
        return Document(
            transcription, path.stem, path, size=_FRAME_BYTES * len(transcription.analysis)
        )

    def write(self, document: Document, stem: Path, options: Mapping[str, Any]) -> list[Path]:
        """Write ``stem.mid``, and ``stem.png`` with the option ``picture``.

        Raises:
            FileError: a file cannot be written.
        """
        transcription: Transcription = document.content
        if self.align:
            tune = align_notes(transcription, document.name)
            written = write_edited(to_midi(tune), stem, {})
        else:
            melody = extract_melody(transcription.tune(document.name))
            midi = to_pretty_midi(melody, document.name, melody.bpm, 0, VELOCITY)
            written = write_files(midi, stem, {}, 0.0)
        if options.get("picture"):
            # matplotlib is slow to import.
            from aeplug_music.transcription.page import draw_transcription

            written.append(stem.with_name(stem.name + ".png"))
            draw_transcription(transcription, document.name, written[1])
        return written


def transcribe_files(
    inputs: Inputs,
    out: Path,
    *,
    bpm: float | None = None,
    metre: str = RECORDED_METRE,
    align: bool = False,
    picture: bool = True,
    overwrite: bool = False,
) -> JobReport:
    """Transcribe recordings into a folder: a .mid each, and a picture of the transcription.

    Args:
        inputs: the recordings.
        out: folder for the results.
        bpm: quarters a minute; None: estimated for each recording.
        metre: time signature of all.
        align: keep notes at the seconds of the recording
            (:mod:`aeplug_music.transcription.alignment`), not on the grid from its first bar.
        picture: also draw a .png.
        overwrite: replace existing files.

    Raises:
        AeplugError: see :meth:`aeplug.jobs.Job.run`.
    """
    identity = {"transcribe": 1, "bpm": bpm or "estimated", "metre": metre, "align": align}
    conversion = Conversion(Transcriber(bpm, metre, align), identity)
    return run_job(Job(conversion, inputs, out, ".mid", {"picture": picture}, overwrite=overwrite))
