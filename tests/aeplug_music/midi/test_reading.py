"""Reading: the same notes as pretty_midi, and what a Tune says beside them."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile

import numpy as np
import pretty_midi
import pytest

from aeplug.data.bundled import find_bundled
from aeplug.errors import FileError
from aeplug_music.midi.reading import parse_midi, read_midi, ticks_to_seconds
from aeplug_music.score.melody import extract_melody


@pytest.fixture(scope="module")
def tunes():
    with zipfile.ZipFile(find_bundled("folk_tunes.zip")) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def agreement(data):
    """Notes by us and by pretty_midi, (pitch, onset tick, end tick), each sorted."""
    ours = parse_midi(data)
    midi = pretty_midi.PrettyMIDI(io.BytesIO(data))
    mine = sorted(
        note
        for track in ours.tracks
        for note in zip(track.pitch.tolist(), track.onset.tolist(), track.end.tolist(), strict=True)
    )
    theirs = sorted(
        (note.pitch, midi.time_to_tick(note.start), midi.time_to_tick(note.end))
        for instrument in midi.instruments
        for note in instrument.notes
    )
    return mine, theirs


def test_the_same_notes_as_pretty_midi_on_every_14th_bundled_file(tunes):
    for name in sorted(tunes)[::14]:
        mine, theirs = agreement(tunes[name])
        assert np.abs(np.array(mine) - np.array(theirs)).max() <= 1, name


@pytest.mark.slow
def test_the_same_notes_as_pretty_midi_on_every_bundled_file(tunes):
    for name, data in tunes.items():
        mine, theirs = agreement(data)
        assert np.abs(np.array(mine) - np.array(theirs)).max() <= 1, name


def test_every_bundled_file_is_read(tunes):
    for data in tunes.values():
        tune = parse_midi(data)
        assert tune.ticks_per_quarter == 480
        assert len(tune.time_signatures) == 1
        assert all((np.diff(track.onset) >= 0).all() for track in tune.tracks)


def made(change=lambda midi: None, resolution=480, bpm=120):
    midi = pretty_midi.PrettyMIDI(resolution=resolution, initial_tempo=bpm)
    piano = pretty_midi.Instrument(12, name="tune")
    piano.notes.append(pretty_midi.Note(80, 60, 0.0, 0.5))
    midi.instruments.append(piano)
    change(midi)
    out = io.BytesIO()
    midi.write(out)
    return parse_midi(out.getvalue())


def test_what_a_tune_says():
    def change(midi):
        midi.time_signature_changes.append(pretty_midi.TimeSignature(6, 8, 0.0))
        midi.key_signature_changes.append(pretty_midi.KeySignature(2, 0.0))
        drums = pretty_midi.Instrument(0, is_drum=True)
        drums.notes.append(pretty_midi.Note(70, 36, 0.0, 1.0))
        midi.instruments.append(drums)

    tune = made(change, resolution=96, bpm=90)
    assert tune.ticks_per_quarter == 96
    assert tune.time_signatures == [(0, 6, 8)]
    assert tune.keys == [(0, 2, False)]
    assert round(tune.bpm) == 90
    assert tune.name == "tune"
    assert [(t.program, t.is_drum) for t in tune.tracks] == [(12, False), (0, True)]


def test_seconds_through_changes_of_tempo():
    tempos = [(0, 1_000_000), (480, 500_000)]
    assert ticks_to_seconds(tempos, 480, 240) == pytest.approx(0.5)
    assert ticks_to_seconds(tempos, 480, 960) == pytest.approx(1.5)
    assert ticks_to_seconds([], 480, 960) == pytest.approx(1.0)


def test_of_several_signatures_at_one_tick_the_last_holds():
    events = (
        b"\x00\xff\x58\x04\x04\x02\x18\x08"
        + b"\x00\xff\x58\x04\x03\x02\x18\x08"
        + b"\x00\x90\x3c\x50\x83\x60\x80\x3c\x00\x00\xff\x2f\x00"
    )
    data = b"MThd" + struct.pack(">IHHH", 6, 0, 1, 480) + b"MTrk" + struct.pack(">I", len(events))
    assert parse_midi(data + events).time_signatures == [(0, 3, 4)]


def test_a_note_that_ends_where_it_begins_is_left_out():
    def change(midi):
        midi.instruments[0].notes.append(pretty_midi.Note(80, 72, 1.0, 1.0))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert (extract_melody(made(change)).tokens >= 2).sum() == 1


def test_a_missing_file(tmp_path):
    with pytest.raises(FileError, match="No such file"):
        read_midi(tmp_path / "none.mid")


def test_both_ways_of_taking_notes_from_the_parser_agree(tunes, monkeypatch):
    for name in sorted(tunes)[::400]:
        quick = parse_midi(tunes[name])
        with monkeypatch.context() as patch:
            patch.setattr("aeplug_music.midi.reading._PICKLES_MEMORY", False)
            plain = parse_midi(tunes[name])
        for a, b in zip(quick.tracks, plain.tracks, strict=True):
            for field in ("pitch", "onset", "end", "velocity"):
                assert np.array_equal(getattr(a, field), getattr(b, field))
