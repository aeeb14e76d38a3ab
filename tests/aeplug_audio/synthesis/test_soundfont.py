"""Soundfonts: what a made one sounds like, to the hertz; the bundled one; damaged ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_soundfont import RATE, write_soundfont

from aeplug.errors import FileError
from aeplug_audio.synthesis.sampler import SoundfontVoices
from aeplug_audio.synthesis.soundfont import Soundfont, find_soundfont, open_soundfont
from aeplug_audio.synthesis.tones import ToneVoices
from aeplug_audio.synthesis.voices import Note

OUT = 44_100


@pytest.fixture(scope="module")
def voices(tmp_path_factory):
    path = write_soundfont(tmp_path_factory.mktemp("font") / "made.sf2")
    return SoundfontVoices(Soundfont(path))


def hertz(sound):
    """Of the loudest tone, in a window of a second."""
    spectrum = np.abs(np.fft.rfft(sound[:OUT] * np.hanning(len(sound[:OUT])), 8 * OUT))
    return spectrum.argmax() / 8


@pytest.mark.parametrize(
    ("program", "pitch", "expected"),
    [(0, 69, 441), (0, 81, 882), (0, 62, 441 * 2 ** (-7 / 12)), (5, 69, 441 * 2 ** (1 / 12))],
)
def test_a_note_sounds_at_its_pitch(voices, program, pitch, expected):
    sound = voices.voice(Note(0, 1.5, pitch, 100, program), OUT)
    assert hertz(sound[:, 0]) == pytest.approx(expected, abs=0.3)


def test_it_sounds_as_long_as_it_is_held_and_dies_away_by_its_release(voices):
    sound = np.abs(voices.voice(Note(0, 1, 69), OUT)[:, 0])
    held, released = sound[OUT // 2 : OUT].max(), sound[int(1.25 * OUT) : int(1.3 * OUT)].max()
    # The release of half a second is for 100 dB.
    assert 20 * math.log10(held / released) == pytest.approx(50, abs=5)
    assert len(sound) / OUT == pytest.approx(1.45, abs=0.01)


def test_velocity_is_loudness_and_pan_a_side(voices):
    low = voices.voice(Note(0, 0.5, 60, 127), OUT)
    assert np.abs(low[:, 0]).max() > 0.5 and np.abs(low[:, 1]).max() < 1e-6
    loud, soft = (np.abs(voices.voice(Note(0, 0.5, 69, v), OUT)).max() for v in (127, 64))
    assert loud / soft == pytest.approx((127 / 64) ** 2, rel=0.01)


def test_a_drum_is_played_once_and_ends_those_of_its_class(voices):
    drum = Note(0, 0.01, 42, 100, 0, drum=True)
    assert voices.exclusive_class(drum) == 1
    assert voices.exclusive_class(Note(0, 1, 69)) == 0
    # A kit that is not there is played as the first one; a key without a drum is silent.
    assert len(voices.voice(Note(0, 0.5, 42, 100, 9, drum=True), OUT)) > 1000
    assert len(voices.voice(Note(0, 0.5, 60, 100, 0, drum=True), OUT)) == 0
    low = voices.voice(Note(0, 9, 46, 100, 0, drum=True), OUT)
    assert len(low) / OUT == pytest.approx(4997 / RATE * 2 ** (14 / 12), rel=0.01)


def test_a_program_that_is_missing_is_played_by_the_first(voices):
    here, there = (voices.voice(Note(0, 0.2, 70, 90, program), OUT) for program in (0, 77))
    np.testing.assert_array_equal(here, there)
    assert voices.font.programs == [0, 5]
    assert (voices.font.name(5), voices.font.name(77)) == ("Sharp", "")


@given(
    pitch=st.integers(0, 127),
    velocity=st.integers(1, 127),
    seconds=st.floats(0, 0.3),
    program=st.integers(0, 127),
    drum=st.booleans(),
)
def test_whatever_is_asked_of_the_bundled_one_is_sound(pitch, velocity, seconds, program, drum):
    path = find_soundfont()
    if path is None:
        pytest.skip("no soundfont")
    for player in (SoundfontVoices(open_soundfont(path)), ToneVoices()):
        sound = player.voice(Note(0, seconds, pitch, velocity, program, drum), 22_050, 5000)
        assert sound.shape[1] == player.channels and len(sound) <= 5000
        assert sound.dtype == np.float32 and np.isfinite(sound).all()
        assert np.abs(sound).max(initial=0) < 8


def test_what_is_wanted_shorter_is_the_beginning_of_the_whole(voices):
    note = Note(0, 0.3, 69)
    np.testing.assert_array_equal(voices.voice(note, OUT, 1000), voices.voice(note, OUT)[:1000])


def damaged(path, how):
    write_soundfont(path, 0x11 if how == "compressed" else 1)
    data = path.read_bytes()
    if how == "empty":
        path.write_bytes(b"")
    elif how == "no soundfont":
        path.write_bytes(b"RIFF" + data[4:200])
    elif how == "text":
        path.write_text("[instruments]")
    elif how == "without samples":
        path.write_bytes(data.replace(b"smpl", b"none", 1))
    elif how == "missing":
        path.unlink()
    return path


@pytest.mark.parametrize(
    ("how", "said"),
    [
        *(("empty", "is not a soundfont"), ("no soundfont", "is not a soundfont")),
        *(("text", "is not a soundfont"), ("without samples", "lacks samples")),
        *(("missing", "cannot be read"), ("compressed", "compressed soundfont")),
    ],
)
def test_a_damaged_one_is_told(tmp_path, how, said):
    with pytest.raises(FileError, match=said):
        Soundfont(damaged(tmp_path / "x.sf2", how))


@given(st.data())
def test_a_file_cut_or_altered_anywhere_is_an_error_or_plays(tmp_path_factory, data):
    path = write_soundfont(tmp_path_factory.mktemp("cut") / "x.sf2")
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        # Headers and tables; the samples may be anything.
        place = data.draw(st.integers(len(content) - 900, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        player = SoundfontVoices(Soundfont(path))
    except FileError:
        return
    for drum in (False, True):
        note = Note(0, 0.05, 45, 100, 0, drum)
        assert np.isfinite(player.voice(note, RATE, 2000)).all()
