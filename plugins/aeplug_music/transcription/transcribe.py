"""A recording of one voice -> its notes, and the tune they make on the grid."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aeplug.errors import FileError
from aeplug.runtime import say
from aeplug_audio.analysis.frames import Analysis, analyse
from aeplug_audio.analysis.voice import NoteEvent, decode_notes
from aeplug_audio.files.reading import Recording, RecordingInfo
from aeplug_music.score.metres import STEPS_PER_QUARTER, parse_metre
from aeplug_music.score.options import RECORDED_METRE
from aeplug_music.score.tune import Track, Tune
from aeplug_music.transcription.rhythm import QuantisedNotes, quantise

TICKS_PER_QUARTER = 480


@dataclass(frozen=True)
class Transcription:
    """The notes of a recording, in seconds and on the grid.

    Attributes:
        notes: in order, in seconds.
        tuning: semitones by which they lie above concert pitch, -0.5 to 0.5.
        on_grid: the notes in steps; of several on one step the last.
        metre: time signature.
        analysis: of every frame, for pictures.
        info: length, format and level of the file.
    """

    notes: list[NoteEvent]
    tuning: float
    on_grid: QuantisedNotes
    metre: str
    analysis: Analysis
    info: RecordingInfo

    def tune(self, name: str = "") -> Tune:
        """The notes as a file of music would hold them, from the first bar line on."""
        ticks = TICKS_PER_QUARTER // STEPS_PER_QUARTER
        notes = self.on_grid
        track = Track.of(notes.pitch, notes.onset * ticks, notes.end * ticks, name=name)
        tempo = round(60e6 / notes.grid.bpm)
        return Tune(
            TICKS_PER_QUARTER, [track], [(0, *parse_metre(self.metre))], [(0, tempo)], name=name
        )

    def summary(self, *, aligned: bool = False) -> str:
        """Notes, tempo, metre and tuning in one line, and what was assumed.

        ``aligned``: of the notes in the recording's time, of which none is left out.
        """
        grid = self.on_grid.grid
        count = len(self.notes if aligned else self.on_grid.onset)
        facts = [
            f"{count} notes",
            f"{grid.bpm:.1f} BPM ({'estimated' if grid.estimated else 'set'})",
            f"in {self.metre}",
            f"first bar line at {grid.first_beat:.2f} s",
        ]
        if len(self.notes) > count:
            facts.insert(1, f"{len(self.notes) - count} too short for the grid left out")
        if grid.better_bpm is not None:
            facts.append(f"but {grid.better_bpm:.0f} BPM fits the notes far better")
        if abs(self.tuning) > 0.05:
            side = "above" if self.tuning > 0 else "below"
            facts.append(f"{abs(self.tuning) * 100:.0f} cents {side} concert pitch")
        if self.info.is_clipped:
            facts.append(f"clipped: {self.info.clipped:.1%} of the samples at full scale")
        return ", ".join(facts)


def transcribe(path: Path, bpm: float | None = None, metre: str = RECORDED_METRE) -> Transcription:
    """The notes of a recording of one voice, read block by block.

    Args:
        path: WAV, FLAC, OGG or MP3.
        bpm: quarters a minute; None: estimated.
        metre: time signature.

    Raises:
        FileError: it cannot be read (see :class:`aeplug_audio.files.reading.Recording`), or nothing
            in it has a pitch for as long as a note.
    """
    recording = Recording(path)
    analysis = analyse(recording)
    notes, tuning = decode_notes(analysis)
    if not notes:
        raise FileError("no melody: nothing in it has a pitch for as long as a note")
    on_grid = quantise(notes, parse_metre(metre), bpm)
    return Transcription(notes, tuning, on_grid, metre, analysis, recording.info)


def read_recording(path: Path, bpm: float | None = None, metre: str = RECORDED_METRE) -> Tune:
    """The tune of a recording (:func:`transcribe`); prints its summary on stderr."""
    transcription = transcribe(path, bpm, metre)
    say(f"{path}: {transcription.summary()}")
    return transcription.tune(path.stem)
