"""Laid under its recording, an aligned transcription has every note where the recording has it."""

from __future__ import annotations

from itertools import pairwise

import mido
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorded import sound_of, write

from aeplug_audio.analysis.voice import NoteEvent
from aeplug_audio.files.reading import RecordingInfo
from aeplug_music.midi.reading import parse_midi, tune_seconds
from aeplug_music.midi.serialising import to_midi
from aeplug_music.score.melody import extract_melody
from aeplug_music.score.metres import METRES, parse_metre
from aeplug_music.transcription.alignment import align_notes
from aeplug_music.transcription.rhythm import quantise
from aeplug_music.transcription.transcribe import Transcription

#: Steps of notes; see test_rhythm.
FIGURE = [2, 2, 4, 2, 2, 4, 3, 1, 4, 4, 2, 2, 2, 2, 8, 4]


def drifting(start, steps, slowest=0.1375):
    """Notes after a pause, ten per cent slower at the end than at the beginning."""
    length = np.linspace(0.125, slowest, len(steps)) * steps
    edges = np.cumsum([start, *length]).tolist()
    return [(a, b, 60 + 2 * (n % 4)) for n, (a, b) in enumerate(pairwise(edges))]


def aligned(notes, metre="4/4", bpm=None):
    """The tune of notes, as it is written and read again."""
    events = [NoteEvent(*note) for note in notes]
    on_grid = quantise(events, parse_metre(metre), bpm)
    transcription = Transcription(events, 0.0, on_grid, metre, None, None)
    return parse_midi(to_midi(align_notes(transcription))), on_grid


def onsets_of(path):
    """Seconds at which mido plays notes."""
    now, onsets = 0.0, []
    for message in mido.MidiFile(path):
        now += message.time
        if message.type == "note_on" and message.velocity:
            onsets.append(now)
    return np.array(onsets)


@pytest.mark.parametrize("pause", [0.03, 1.7, 6.4])
def test_a_recording_that_drifts_after_a_pause_lies_over_its_notes(tmp_path, invoke, pause):
    notes = drifting(0.0, FIGURE * 2)
    sound = sound_of(notes, lead=pause)
    path = write(tmp_path / "hum.wav", sound)
    out = tmp_path / "out"
    result = invoke("transcribe", path, "--align", "--no-picture", "--out", out)
    assert result.code == 0, result.err
    true = np.array([onset + pause for onset, _, _ in notes])
    found = onsets_of(out / "hum.mid")
    assert len(found) == len(true)
    assert np.abs(found - true).max() < 0.05
    # Else notes are on the grid from the first bar on, in one tempo.
    again = tmp_path / "plain"
    assert invoke("transcribe", path, "--no-picture", "--out", again).code == 0
    plain = onsets_of(again / "hum.mid")
    assert plain[0] == 0
    assert np.abs(plain + pause - true).max() > 0.05


def test_the_tempo_follows_the_player_and_bars_the_first_bar_line():
    tune, on_grid = aligned(drifting(2.2, FIGURE * 3))
    tempos = np.array([tempo for _, tempo in tune.tempos[2:-2]]) / 1e6
    assert tempos[:8].mean() == pytest.approx(0.5, rel=0.03)
    assert tempos[-8:].mean() == pytest.approx(0.55, rel=0.03)
    (_, *_), (since, *metre) = tune.time_signatures
    assert metre == [4, 4]
    bar = 4 * tune.ticks_per_quarter
    first = on_grid.grid.first_beat
    bars = since + bar * np.arange(-(since // bar), 8)
    assert np.abs(tune_seconds(tune, bars) - first).min() < 0.02
    # The same melody is read from it as without.
    melody = extract_melody(tune).passages[0]
    onsets = np.flatnonzero(melody.tokens > 1)
    assert np.diff(onsets).tolist() == np.diff(on_grid.onset).tolist()


@given(
    st.lists(
        st.tuples(st.floats(0.02, 3), st.floats(0.02, 3), st.integers(36, 96)),
        min_size=1,
        max_size=60,
    ),
    st.sampled_from(METRES),
    st.sampled_from([None, 60.0, 133.0]),
)
def test_any_notes_are_at_their_seconds(played, metre, bpm):
    notes, now = [], 0.0
    for rest, length, pitch in played:
        notes.append((now + rest, now + rest + length, pitch))
        now += rest + length
    tune, _ = aligned(notes, metre, bpm)
    (track,) = tune.tracks
    onsets, ends = tune_seconds(tune, track.onset), tune_seconds(tune, track.end)
    assert track.pitch.tolist() == [pitch for *_, pitch in notes]
    assert np.abs(onsets - [onset for onset, *_ in notes]).max() < 0.005
    assert np.abs(ends - [end for _, end, _ in notes]).max() < 0.005
    assert tune.time_signatures[-1][1:] == parse_metre(metre)


def test_a_note_too_short_for_the_grid_is_there():
    notes = [(0.5 * n, 0.5 * n + 0.4, 60) for n in range(8)]
    notes.insert(4, (1.96, 1.99, 67))
    tune, on_grid = aligned(notes)
    assert len(on_grid.onset) == 8
    assert len(tune.tracks[0]) == 9


def test_what_is_not_left_out_is_not_said_to_be():
    events = [NoteEvent(0.5 * n, 0.5 * n + 0.4, 60) for n in range(8)]
    events.insert(4, NoteEvent(1.96, 1.99, 67))
    info = RecordingInfo(seconds=4.5)
    transcription = Transcription(events, 0.0, quantise(events), "4/4", None, info)
    assert "1 too short for the grid left out" in transcription.summary()
    assert "left out" not in transcription.summary(aligned=True)
