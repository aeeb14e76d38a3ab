"""``aeplug play``, with a player that writes down what it was given."""

from __future__ import annotations

import os
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile
from support import assert_one_line_error

from aeplug.errors import FileError
from aeplug_music.playback.player import make_playable, tune_to_notes
from aeplug_music.score.tune import Track, Tune

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="players are shell scripts")


@pytest.fixture
def player(tmp_path, monkeypatch):
    """A folder that is the whole PATH, with a player in it; returns how to put one there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def put(name: str, script: str) -> None:
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    return put


def tune(tmp_path: Path) -> Path:
    import pretty_midi

    midi = pretty_midi.PrettyMIDI()
    midi.instruments.append(pretty_midi.Instrument(40))
    midi.instruments[0].notes.append(pretty_midi.Note(90, 69, 0, 0.3))
    path = tmp_path / "tune.mid"
    midi.write(str(path))
    return path


def test_midi_and_recordings_are_played_in_order(invoke, player, tmp_path):
    played = tmp_path / "played"
    player("aplay", f'/bin/cp "$2" {played}-$(/usr/bin/basename "$2"); echo "$1" >> {played}')
    midi = tune(tmp_path)
    flac = tmp_path / "tone.flac"
    soundfile.write(flac, 0.5 * np.sin(np.arange(8000) / 5), 16_000)
    result = invoke("play", midi, flac)
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines() == [str(midi), str(flac)]
    assert played.read_text().split() == ["-q", "-q"]
    with wave.open(f"{played}-tune.wav") as file:
        assert (file.getframerate(), file.getnchannels()) == (44_100, 2)
        assert np.abs(np.frombuffer(file.readframes(10_000), "<i2")).max() > 1000
    tone, rate = soundfile.read(f"{played}-tone.wav")
    assert (len(tone), rate) == (8000, 16_000)
    # What was made for playing is gone.
    assert sorted(one.name for one in tmp_path.iterdir() if one.is_file()) == [
        *("played", "played-tone.wav", "played-tune.wav", "tone.flac", "tune.mid")
    ]


def test_what_cannot_be_read_is_named_though_nothing_plays(invoke, player, tmp_path):
    result = invoke("play", tmp_path / "nosuch.mid")
    assert_one_line_error(result.err, "nosuch.mid is not there")
    midi = tune(tmp_path)
    result = invoke("play", tmp_path / "nosuch.mid", midi, midi)
    assert_one_line_error(result.err, "no program that plays sound")
    os.mkfifo(tmp_path / "fifo.mid")
    assert_one_line_error(invoke("play", tmp_path / "fifo.mid").err, "is no regular file")


def test_one_bad_file_stops_nothing(invoke, player, tmp_path):
    player("aplay", "exit 0")
    (tmp_path / "bad.mid").write_bytes(b"MThd")
    result = invoke("play", tmp_path / "bad.mid", tmp_path / "none.wav", tune(tmp_path))
    assert result.code == 1 and result.out.splitlines() == [str(tmp_path / "tune.mid")]
    said = result.err.splitlines()
    assert "bad.mid: truncated" in said[0] and "none.wav is not there" in said[1]
    assert "2 of 3 files could not be played" in said[2] and len(said) == 3


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("page.pdf", b"%PDF", "expected .mid, .midi, .kar, .rmi, .wav, .flac, .ogg, .mp3"),
        ("bad.ogg", b"OggS", "is not a readable recording"),
        ("bad.mid", b"RIFF", "bad.mid: "),
    ],
)
def test_files_that_are_nothing_to_play(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FileError, match=said):
        make_playable(tmp_path / name, tmp_path)
    (tmp_path / "x.wav").mkdir()
    with pytest.raises(FileError, match="is a folder"):
        make_playable(tmp_path / "x.wav", tmp_path)


def test_a_system_without_a_player_or_a_device_says_so(invoke, player, tmp_path):
    midi = tune(tmp_path)
    result = invoke("play", midi)
    assert result.code == 1
    assert_one_line_error(result.err, "no program that plays sound", "aplay", "--wav")
    player("aplay", "echo 'audio open error: No such file or directory' >&2; exit 1")
    result = invoke("play", midi)
    assert result.code == 1
    assert_one_line_error(
        result.err, "cannot play sound; is there a sound device? (aplay: audio open"
    )
    # SoX names itself, and how bad it is, before what it says.
    player("aplay", "echo '/usr/bin/play FAIL sox: Sorry, no default audio device' >&2; exit 1")
    result = invoke("play", midi)
    assert "(aplay: sox: Sorry, no default audio device)" in result.err


def test_notes_stand_where_the_tempo_puts_them():
    melody = Track.of([60, 64, 67], [0, 480, 960], [480, 960, 1440], 70, program=5)
    drums = Track.of([36], [960], [970], 99, is_drum=True)
    tune = Tune(480, [melody, drums], tempos=[(0, 500_000), (480, 1_000_000), (960, 250_000)])
    notes = sorted(tune_to_notes(tune))
    assert [note.begin for note in notes] == pytest.approx([0, 0.5, 1.5, 1.5])
    assert [note.end for note in notes] == pytest.approx([0.5, 1.5, 1.5 + 10 / 480 / 4, 1.75])
    assert [(one.pitch, one.velocity, one.program, one.drum) for one in notes] == [
        *((60, 70, 5, False), (64, 70, 5, False), (36, 99, 0, True), (67, 70, 5, False))
    ]
