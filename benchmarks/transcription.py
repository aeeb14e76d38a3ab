"""How well and how quickly `aeplug transcribe` hears: note F1 by instrument, and speed.

Thirty melodies, evenly spread over the bundled tunes, 16 s of each, are played by General MIDI
piano, violin and flute through the soundfont that pretty_midi carries (TimGM6mb), and as sines;
through tinysoundfont where it is installed (`pip install --no-deps tinysoundfont`), else through
aeplug's own player. They are written as 16 bits at 44,100 Hz and read again. A note counts as found
if its onset is within 50 ms and its pitch within 50 cents (mir_eval, no regard to ends). Speed is
seconds of sound by seconds of processor, of everything from the file to notes on the grid. With
`--pyin` librosa's pyin, a note for each run of one semitone, is measured on the same recordings.

The thirty were looked at while the transcription was made; `--offset` takes others, which were not.

    OMP_NUM_THREADS=1 python benchmarks/transcription.py [--player own] [--offset 41] [--pyin]
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import mir_eval
import numpy as np
import soundfile

from aeplug.data import find_bundled
from aeplug_audio.analysis.voice import NoteEvent
from aeplug_audio.synthesis.rendering import open_voices, render_blocks
from aeplug_audio.synthesis.soundfont import find_soundfont
from aeplug_audio.synthesis.voices import Note as Played
from aeplug_music.midi.reading import parse_midi
from aeplug_music.midi.sources import Reader, find_sources
from aeplug_music.score.melody import extract_melody
from aeplug_music.score.metres import STEPS_PER_QUARTER
from aeplug_music.score.tokens import tokens_to_notes
from aeplug_music.transcription.transcribe import transcribe

RATE, SECONDS, LEAD, VELOCITY = 44_100, 16.0, 0.25, 90
#: General MIDI programs; None: sines.
INSTRUMENTS: dict[str, int | None] = {"piano": 0, "violin": 40, "flute": 73, "sine": None}

Player = Callable[[Sequence[NoteEvent], int], Any]


def melodies(count: int, offset: int) -> list[list[NoteEvent]]:
    """The first seconds of so many tunes, at their own tempi; ``offset`` takes others."""
    sources, _ = find_sources([str(find_bundled("folk_tunes.zip"))])
    found = []
    with Reader() as reader:
        for number in range(count):
            place = (2 * number + 1) * len(sources) // (2 * count) + offset
            source = sources[place % len(sources)]
            melody = extract_melody(parse_midi(reader.read(source)))
            step = 60 / melody.bpm / STEPS_PER_QUARTER
            onsets, ends, pitches = (column.tolist() for column in tokens_to_notes(melody.tokens))
            start = onsets[0] * step - LEAD
            notes = [
                NoteEvent(a * step - start, min(b * step - start, SECONDS), pitch)
                for a, b, pitch in zip(onsets, ends, pitches, strict=True)
            ]
            found.append([note for note in notes if note.onset < SECONDS - 0.2])
    return found


def by_tinysoundfont(notes: Sequence[NoteEvent], program: int) -> Any:
    import tinysoundfont

    synth = tinysoundfont.Synth(samplerate=RATE)
    synth.program_select(0, synth.sfload(str(find_soundfont())), 0, program)
    events = sorted(
        [(round(note.end * RATE), False, note.pitch) for note in notes]
        + [(round(note.onset * RATE), True, note.pitch) for note in notes]
    )
    parts, place = [], 0
    for sample, begins, pitch in [*events, (events[-1][0] + RATE // 2, False, 0)]:
        if sample > place:
            stereo = np.array(np.frombuffer(synth.generate(sample - place), np.float32))
            parts.append(stereo.reshape(-1, 2).mean(1))
            place = sample
        if begins:
            synth.noteon(0, pitch, VELOCITY)
        else:
            synth.noteoff(0, pitch)
    return np.concatenate(parts)


def by_aeplug(notes: Sequence[NoteEvent], program: int) -> Any:
    played = [Played(one.onset, one.end, one.pitch, VELOCITY, program) for one in notes]
    return np.concatenate(list(render_blocks(played, open_voices(find_soundfont()), RATE))).mean(1)


def sines(notes: Sequence[NoteEvent]) -> Any:
    sound = np.zeros(round((notes[-1].end + 0.5) * RATE))
    for note in notes:
        seconds = np.arange(round((note.end - note.onset) * RATE)) / RATE
        fade = np.minimum(np.minimum(seconds / 0.01, seconds[::-1] / 0.02), 1)
        first = round(note.onset * RATE)
        hertz = 440 * 2 ** ((note.pitch - 69) / 12)
        sound[first : first + len(fade)] += fade * np.sin(2 * np.pi * hertz * seconds)
    return sound


def by_pyin(path: Path) -> list[NoteEvent]:
    """Runs of one semitone in librosa's pyin, as it is."""
    import librosa

    sound, rate = librosa.load(path, sr=22_050)
    pitch, voiced, _ = librosa.pyin(
        sound, fmin=65, fmax=2_100, sr=rate, frame_length=2_048, hop_length=512
    )
    semitones = np.where(voiced, np.round(librosa.hz_to_midi(np.nan_to_num(pitch, nan=1.0))), 0)
    edges = [0, *(np.flatnonzero(np.diff(semitones)) + 1).tolist(), len(semitones)]
    step = 512 / rate
    return [
        NoteEvent(a * step, b * step, int(semitones[a]))
        for a, b in pairwise(edges)
        if semitones[a] and (b - a) * step >= 0.05
    ]


def f1(found: Sequence[NoteEvent], expected: Sequence[NoteEvent]) -> float:
    if not found:
        return 0.0

    def columns(notes: Sequence[NoteEvent]) -> tuple[Any, Any]:
        hertz = [440 * 2 ** ((note.pitch - 69) / 12) for note in notes]
        return np.array([(note.onset, note.end) for note in notes]), np.array(hertz)

    scores = mir_eval.transcription.precision_recall_f1_overlap(
        *columns(expected),
        *columns(found),
        onset_tolerance=0.05,
        pitch_tolerance=50.0,
        offset_ratio=None,
    )
    return float(scores[2])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    installed = importlib.util.find_spec("tinysoundfont") is not None
    parser.add_argument(
        "--player",
        choices=["tinysoundfont", "own"],
        default="tinysoundfont" if installed else "own",
    )
    parser.add_argument("--melodies", type=int, default=30)
    parser.add_argument("--offset", type=int, default=0, help="tunes further on in the collection")
    parser.add_argument("--pyin", action="store_true", help="also librosa's pyin alone; slow")
    given = parser.parse_args()
    player: Player = by_tinysoundfont if given.player == "tinysoundfont" else by_aeplug
    ways: dict[str, Callable[[Path], Sequence[NoteEvent]]] = {
        "aeplug": lambda path: transcribe(path).notes
    }
    if given.pyin:
        ways["pyin alone"] = by_pyin
    tunes = melodies(given.melodies, given.offset)
    print(f"{len(tunes)} melodies of {SECONDS:.0f} s, player: {given.player}")
    print(f"{'':12}" + "".join(f"{name:>9}" for name in INSTRUMENTS) + "  times real time")
    with tempfile.TemporaryDirectory() as folder:
        files: dict[str, list[Path]] = {}
        for name, program in INSTRUMENTS.items():
            files[name] = []
            for number, notes in enumerate(tunes):
                sound = sines(notes) if program is None else player(notes, program)
                path = Path(folder) / f"{name}-{number}.wav"
                soundfile.write(str(path), sound / np.abs(sound).max() * 0.7, RATE)
                files[name].append(path)
        seconds = sum(soundfile.info(str(path)).duration for one in files.values() for path in one)
        for way, hear in ways.items():
            hear(files["sine"][0])  # what is compiled or imported once
            took, line = 0.0, f"{way:12}"
            for paths in files.values():
                began = time.process_time()
                found = [hear(path) for path in paths]
                took += time.process_time() - began
                pairs = zip(found, tunes, strict=True)
                line += f"{statistics.mean(f1(notes, tune) for notes, tune in pairs):9.3f}"
            print(f"{line}{seconds / took:17.1f}", flush=True)


if __name__ == "__main__":
    main()
