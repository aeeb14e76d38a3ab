"""Bundled tunes through the soundfont: the notes that are heard, by mir_eval's measure."""

from __future__ import annotations

import numpy as np
import pytest
from recorded import write

from aeplug.data.bundled import find_bundled
from aeplug_audio.synthesis.rendering import open_voices, render_blocks
from aeplug_audio.synthesis.soundfont import find_soundfont
from aeplug_audio.synthesis.voices import Note
from aeplug_music.midi.reading import parse_midi
from aeplug_music.midi.sources import Reader, find_sources
from aeplug_music.score.melody import extract_melody
from aeplug_music.score.tokens import tokens_to_notes
from aeplug_music.transcription.transcribe import transcribe

RATE, SECONDS = 22_050, 8.0

mir_eval = pytest.importorskip("mir_eval")
pytestmark = pytest.mark.skipif(find_soundfont() is None, reason="needs a soundfont")


@pytest.fixture(scope="module")
def tunes():
    """The beginnings of three tunes at 120: onset, end, pitch."""
    sources, _ = find_sources([str(find_bundled("folk_tunes.zip"))])
    found = []
    with Reader() as reader:
        for number in (400, 2_000, 3_600):
            melody = extract_melody(parse_midi(reader.read(sources[number])))
            columns = np.array(tokens_to_notes(melody.tokens)).T
            notes = [(a / 8 + 0.2, b / 8 + 0.2, p) for a, b, p in columns.tolist()]
            found.append([one for one in notes if one[1] < SECONDS])
    return found


def hertz(pitches):
    return np.array([440 * 2 ** ((pitch - 69) / 12) for pitch in pitches])


# The bars that thirty tunes of each are measured against in benchmarks/transcription.py.
@pytest.mark.parametrize(("program", "bar"), [(0, 0.99), (40, 0.93), (73, 0.72)])
def test_notes_are_heard(tunes, tmp_path, program, bar):
    scores = []
    for number, tune in enumerate(tunes):
        played = [Note(a, b, p, 90, program) for a, b, p in tune]
        sound = np.concatenate(list(render_blocks(played, open_voices(), RATE))).mean(1)
        path = write(tmp_path / f"{number}.wav", 0.7 * sound / np.abs(sound).max(), RATE)
        found = transcribe(path).notes
        scores.append(
            mir_eval.transcription.precision_recall_f1_overlap(
                np.array([one[:2] for one in tune]),
                hertz([one[2] for one in tune]),
                np.array([(note.onset, note.end) for note in found]),
                hertz([note.pitch for note in found]),
                offset_ratio=None,
            )[2]
        )
    assert np.mean(scores) >= bar, scores
