"""Music as sound: loudness, length, blocks, with a soundfont and without."""

from __future__ import annotations

import tracemalloc
import wave

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_soundfont import write_soundfont

from aeplug.errors import FileError
from aeplug_audio.files.loudness import LoudnessMeter
from aeplug_audio.files.writing import write_wave
from aeplug_audio.synthesis import rendering
from aeplug_audio.synthesis.rendering import open_voices, render_blocks, write_notes
from aeplug_audio.synthesis.sampler import SoundfontVoices
from aeplug_audio.synthesis.soundfont import Soundfont, find_soundfont
from aeplug_audio.synthesis.tones import ToneVoices
from aeplug_audio.synthesis.voices import Note

TUNE = [Note(0.5 * i, 0.5 * i + 0.45, 60 + (4 * i) % 13, 80, 40) for i in range(16)]
DRUMS = [Note(0.25 * i, 0.25 * i + 0.1, (36, 42, 38, 46)[i % 4], 100, 0, True) for i in range(16)]


@pytest.fixture(params=["soundfont", "synthesis"])
def player(request, monkeypatch):
    """What plays, as on a system with a soundfont, and on one without."""
    if request.param == "synthesis":
        monkeypatch.setattr(rendering, "find_soundfont", lambda: None)
    elif find_soundfont() is None:
        pytest.skip("no soundfont")
    return request.param


def heard(path):
    """Samples ``(n, channels)`` in -1..1, and their rate."""
    with wave.open(str(path)) as file:
        assert file.getsampwidth() == 2
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return (samples.reshape(-1, file.getnchannels()) / 2**15).astype(np.float32), (
            file.getframerate()
        )


def measured(sound, rate):
    loudness = LoudnessMeter(rate, sound.shape[1])
    loudness.add(sound)
    return loudness.integrated, 20 * np.log10(loudness.peak)


def test_a_tune_has_the_length_and_loudness_it_should(player, tmp_path):
    write_notes(TUNE, tmp_path / "tune.wav", end=9.5)
    sound, rate = heard(tmp_path / "tune.wav")
    assert (rate, sound.shape[1]) == (44_100, 2 if player == "soundfont" else 1)
    assert 9.5 <= len(sound) / rate <= 10.0
    loudness, peak = measured(sound, rate)
    assert loudness == pytest.approx(-16, abs=0.1) and peak < -0.9
    for note in TUNE:
        begin = int((note.begin + 0.1) * rate)
        assert np.abs(sound[begin : begin + 4410]).max() > 0.03
    assert [path.name for path in tmp_path.iterdir()] == ["tune.wav"]


def test_peaks_stay_below_full_scale_where_drums_are_wanted_louder(player, tmp_path):
    write_notes(DRUMS, tmp_path / "drums.wav")
    loudness, peak = measured(*heard(tmp_path / "drums.wav"))
    assert loudness < -16 and peak == pytest.approx(-1, abs=0.1)


def test_what_rings_on_fades_within_two_seconds(tmp_path):
    write_notes([Note(0, 0.2, 49, 127, 0, True)], tmp_path / "crash.wav")
    sound, rate = heard(tmp_path / "crash.wav")
    assert len(sound) / rate <= 2.21
    assert np.abs(sound[-200:]).max() < 0.003


def test_silence_is_written_too(player, tmp_path):
    write_notes([], tmp_path / "rest.wav", end=1.5)
    sound, rate = heard(tmp_path / "rest.wav")
    assert len(sound) == 1.5 * rate and not sound.any()


def test_a_named_soundfont_plays_and_one_that_is_none_is_told(tmp_path):
    path = write_soundfont(tmp_path / "made.sf2")
    write_notes([Note(0, 1, 69)], tmp_path / "a.wav", str(path))
    sound, _ = heard(tmp_path / "a.wav")
    spectrum = np.abs(np.fft.rfft(sound[:44_100, 0]))
    assert spectrum.argmax() == pytest.approx(441, abs=1)
    with pytest.raises(FileError, match=r"other\.sf2 cannot be read"):
        write_notes(TUNE, tmp_path / "b.wav", tmp_path / "other.sf2")
    with pytest.raises(FileError, match="cannot be written"):
        write_notes([], tmp_path / "a.wav" / "c.wav", path)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.wav", "made.sf2"]


def test_a_broken_off_rendering_leaves_nothing(tmp_path):
    def broken():
        yield np.zeros((1000, 1), np.float32)
        raise FileError("the disk of the soundfont is gone")

    with pytest.raises(FileError, match="gone"):
        write_wave(broken(), tmp_path / "x.wav", 44_100, 1)
    assert not list(tmp_path.iterdir())


@settings(max_examples=20)
@given(st.data())
def test_blocks_are_the_whole(tmp_path_factory, data):
    font = Soundfont(write_soundfont(tmp_path_factory.mktemp("font") / "x.sf2"))
    player = data.draw(st.sampled_from([SoundfontVoices(font), ToneVoices()]))
    note = st.builds(
        lambda begin, length, pitch, drum: Note(begin, begin + length, pitch, 90, 0, drum),
        st.floats(0, 40),
        st.floats(0.01, 15),
        st.sampled_from([42, 46, 60, 72]),
        st.booleans(),
    )
    notes = data.draw(st.lists(note, max_size=6))
    rate = 2000
    whole = np.concatenate(list(render_blocks(notes, player, rate, 5.0)))
    end = max([5.0, *(one.end for one in notes)])
    assert round(end * rate) <= len(whole) <= round((end + rendering.TAIL) * rate)
    expected = np.zeros_like(whole)
    for one in notes:
        if not one.drum:
            first = round(one.begin * rate)
            sound = player.voice(one, rate)[: len(whole) - first]
            expected[first : first + len(sound)] += sound
    before = slice(0, round(end * rate))
    if not any(one.drum for one in notes):
        np.testing.assert_allclose(whole[before], expected[before], atol=1e-5)


def test_an_hour_is_rendered_in_the_memory_of_a_block():
    notes = [Note(30 * i, 30 * i + 1, 60) for i in range(120)]
    tracemalloc.start()
    try:
        seconds = sum(len(one) for one in render_blocks(notes, ToneVoices(), 8000)) / 8000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 3571 <= seconds <= 3573
    block = 10 * 8000 * 4
    assert peak < 6 * block < seconds * 8000 * 4 / 50


def test_an_open_hi_hat_ends_where_it_is_closed():
    player = open_voices()
    hats = [Note(0, 0.1, 46, 110, 0, True), Note(0.5, 0.6, 42, 10, 0, True)]
    alone, closed = (
        np.abs(np.concatenate(list(render_blocks(one, player, 44_100)))[26_000:30_000]).max()
        for one in (hats[:1], hats)
    )
    assert closed < alone / 3


def test_loudness_is_that_of_the_recommendation():
    rate = 48_000
    time = np.arange(20 * rate) / rate

    def lufs(amplitude, channels=1, hertz=997):
        sine = (amplitude * np.sin(2 * np.pi * hertz * time)).astype(np.float32)
        return measured(np.repeat(sine[:, None], channels, 1), rate)

    # BS.1770: a sine of 997 Hz at full scale in one channel reads -3.01.
    assert lufs(1.0) == pytest.approx((-3.01, 0), abs=0.01)
    # EBU Tech 3341, case 1: a stereo sine of 1 kHz at -23 dBFS reads -23.
    assert lufs(10 ** (-23 / 20), 2, 1000)[0] == pytest.approx(-23, abs=0.1)
    # Case 3: what is softer by more than 10 LU does not count.
    levels = np.repeat(10 ** (np.array([-36, -23, -36]) / 20), [10 * rate, 60 * rate, 10 * rate])
    sine = (levels * np.sin(2 * np.pi * 1000 * np.arange(80 * rate) / rate)).astype(np.float32)
    assert measured(np.stack([sine, sine], 1), rate)[0] == pytest.approx(-23, abs=0.1)


def test_a_peak_between_samples_is_seen():
    # A quarter of the rate, caught at 45 degrees: samples of .707, between them 1.
    sine = np.sin(np.pi / 4 + np.pi / 2 * np.arange(4000)).astype(np.float32)[:, None]
    loudness = LoudnessMeter(44_100, 1)
    for start in range(0, 4000, 500):
        loudness.add(sine[start : start + 500])
    assert np.abs(sine).max() < 0.71
    assert loudness.peak == pytest.approx(1, abs=0.08)


def test_loudness_of_blocks_is_that_of_the_whole():
    sound = np.random.default_rng(0).normal(0, 0.1, (50_000, 2)).astype(np.float32)
    whole, parts = LoudnessMeter(44_100, 2), LoudnessMeter(44_100, 2)
    whole.add(sound)
    for start in range(0, len(sound), 777):
        parts.add(sound[start : start + 777])
    assert parts.integrated == pytest.approx(whole.integrated, abs=1e-6)
    assert parts.peak == pytest.approx(whole.peak, rel=0.02)
