from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import soundfile
from recorded import TUNE, sound_of, write

from aeplug.errors import FileError
from aeplug_audio.analysis.frames import FLOOR_DB, analyse
from aeplug_audio.files.reading import BLOCK, RATE, Recording


def heard(path):
    return np.concatenate(list(Recording(path)))


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000])
def test_any_rate_becomes_the_same_sound(tmp_path, rate):
    path = write(tmp_path / "a.wav", sound_of(TUNE, rate), rate, subtype="FLOAT")
    found, expected = heard(path), sound_of(TUNE)
    assert abs(len(found) - len(expected)) <= RATE / 8_000 + 1
    count = min(len(found), len(expected))
    assert np.abs(found[:count] - expected[:count]).max() < 0.1


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_every_format_is_read(tmp_path, name):
    sound = sound_of(TUNE, 44_100)
    recording = Recording(write(tmp_path / name, sound, 44_100))
    found = np.concatenate(list(recording))
    assert recording.info.rate == 44_100 and recording.info.channels == 1
    assert recording.info.seconds == pytest.approx(len(sound) / 44_100, abs=0.1)
    assert np.sqrt(np.mean(found**2)) == pytest.approx(np.sqrt(np.mean(sound**2)), rel=0.1)


def test_blocks_of_an_mp3_join_without_a_gap(tmp_path):
    path = write(tmp_path / "a.mp3", sound_of([(0, 5, 69)], 44_100), 44_100)
    found = heard(path)[RATE : 5 * RATE]
    loud = np.abs(found).reshape(-1, 50).max(1)
    assert loud.min() > 0.4


def test_content_and_not_the_name_decides_on_the_format(tmp_path):
    write(tmp_path / "a.flac", sound_of(TUNE))
    (tmp_path / "a.flac").rename(tmp_path / "a.wav")
    assert len(heard(tmp_path / "a.wav")) == len(sound_of(TUNE))


def test_stereo_is_the_mean_of_both(tmp_path):
    left, right = sound_of(TUNE), sound_of(TUNE[:3])
    right = np.pad(right, (0, len(left) - len(right)))
    path = write(tmp_path / "a.wav", np.stack([left, right], 1), subtype="FLOAT")
    assert np.abs(heard(path) - (left + right) / 2).max() < 1e-6


def test_blocks_make_no_difference(tmp_path):
    sound = np.concatenate([sound_of(TUNE)] * 2).astype(np.float32)
    assert len(sound) > BLOCK
    whole = analyse([sound])
    parts = analyse(np.split(sound, [1, 700, 5_000, 90_000]))
    assert len(whole) == len(parts)
    for name in ("pitch", "probability", "loudness", "spectrum", "harmonics"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name), equal_nan=True), name


def test_frames_stand_where_they_say():
    sound = np.zeros(RATE, np.float32)
    sound[RATE // 2 :] = np.sin(np.arange(RATE - RATE // 2))
    found = analyse([sound])
    at = np.flatnonzero(found.loudness > -30)[0] * 256 / RATE
    assert at == pytest.approx(0.5, abs=0.02)
    assert (found.spectrum[: len(found) // 3] == 0).all() and FLOOR_DB < -90


def damaged(path):
    content = write(path, sound_of(TUNE)).read_bytes()
    path.write_bytes(b"RIFF" + bytes(40) + content[44:])


def cut_short(path):
    path.write_bytes(write(path, sound_of(TUNE)).read_bytes()[:20])


def not_numbers(path):
    sound = sound_of(TUNE)
    sound[5_000] = np.nan
    write(path, sound, subtype="FLOAT")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.write_bytes(b""), "not a readable recording"),
        (lambda path: path.write_text("la la la"), "not a readable recording"),
        (damaged, "not a readable recording"),
        (cut_short, "not a readable recording"),
        (lambda path: None, "cannot be read: No such file"),
        (lambda path: path.mkdir(), "cannot be read: Is a directory"),
        (lambda path: write(path, np.zeros(0)), "0 samples"),
        (lambda path: write(path, sound_of(TUNE)[:2_000]), "too short"),
        (lambda path: write(path, np.zeros(RATE)), "silent"),
        (lambda path: write(path, sound_of(TUNE), 4_000), "4000 samples per second, expected"),
        (not_numbers, "not numbers"),
    ],
)
def test_what_is_no_recording_is_told(tmp_path, make, reason):
    path = tmp_path / "a.wav"
    make(path)
    with pytest.raises(FileError, match=reason) as caught:
        heard(path)
    assert "\n" not in str(caught.value)


def test_a_file_cut_off_gives_what_is_there(tmp_path):
    path = write(tmp_path / "a.wav", sound_of(TUNE))
    whole = heard(path)
    path.write_bytes(path.read_bytes()[: 44 + 2 * 30_000])
    assert np.array_equal(heard(path), whole[:30_000])


def test_clipping_is_noticed(tmp_path):
    for gain, clipped in ((1.0, False), (6.0, True)):
        recording = Recording(
            write(tmp_path / "a.wav", np.clip(gain * sound_of(TUNE), -1, 1), subtype="PCM_16")
        )
        list(recording)
        assert recording.info.is_clipped == clipped


def test_a_long_file_is_not_held(tmp_path):
    """Ten minutes, 53 MB as samples; the analysis keeps a fifth of a kilobyte a frame."""
    minute = np.tile(sound_of(TUNE[:1]), 120)[: 60 * RATE].astype(np.float32)
    path = tmp_path / "long.flac"
    with soundfile.SoundFile(str(path), "w", RATE, 1) as file:
        for _ in range(10):
            file.write(minute)
    tracemalloc.start()
    recording = Recording(path)
    found = sum(len(block) for block in recording)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == 600 * RATE and recording.info.seconds == pytest.approx(600)
    assert most < 8e6


def test_the_analysis_keeps_little(tmp_path):
    sound = np.tile(sound_of(TUNE), 12).astype(np.float32)
    blocks = np.array_split(sound, 40)
    tracemalloc.start()
    found = analyse(iter(blocks))
    kept, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 260 * len(found)
    assert most < kept * 2 + 40e6
