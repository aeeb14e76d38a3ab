"""Sound to frames and back, and the codec of ``audio-vae``."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from aeplug.config import PartConfig
from aeplug.errors import FileError
from aeplug.interfaces import Codec, DataShape, Document, PicturedCodec
from aeplug_audio.files.reading import RATE
from aeplug_audio.sounds.codec import SoundCodec
from aeplug_audio.sounds.sound import Sound
from aeplug_audio.sounds.spectrogram import (
    HOP,
    MELS,
    RANGE_DB,
    WINDOW_FRAMES,
    compute_frames,
    griffin_lim,
    split_windows,
    stream_frames,
    to_bytes,
)

SHAPE = (1, MELS, WINDOW_FRAMES)
CODEC = SoundCodec(PartConfig(), DataShape(SHAPE, SHAPE))


def tone(seconds=0.93, hertz=440.0, amplitude=0.5, rate=RATE):
    time = np.arange(int(seconds * rate)) / rate
    fading = np.exp(-3 * time)
    partials = sum(np.sin(2 * np.pi * k * hertz * time) / k for k in (1, 2, 3, 4))
    return (amplitude * fading * partials / 2).astype(np.float32)


def test_a_sine_at_full_scale_is_at_the_top_and_10_db_less_is_10_db_less():
    sine = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE).astype(np.float32)
    top, less = (compute_frames(one)[:, 10:-10].max() for one in (sine * 0.5, sine * 0.5 / 10**0.5))
    assert (1 - top) * RANGE_DB == pytest.approx(6, abs=2)
    assert (top - less) * RANGE_DB == pytest.approx(10, abs=0.05)
    assert not compute_frames(np.zeros(RATE, np.float32)).any()


@settings(max_examples=30)
@given(
    length=st.integers(0, 5000),
    cuts=st.lists(st.integers(0, 5000), max_size=6),
    seed=st.integers(0, 100),
)
def test_blocks_give_the_frames_of_the_whole(length, cuts, seed):
    sound = np.random.default_rng(seed).normal(0, 0.1, length).astype(np.float32)
    whole = compute_frames(sound)
    assert whole.shape == (MELS, 1 + length // HOP)
    assert whole.dtype == np.float32 and whole.min() >= 0 and whole.max() <= 1
    parts = np.split(sound, sorted(one for one in cuts if one <= length))
    np.testing.assert_allclose(np.concatenate(list(stream_frames(parts)), axis=1), whole, atol=1e-6)


def test_what_is_heard_again_has_the_frames_it_was_made_of():
    frames = compute_frames(tone())
    again = np.concatenate(list(griffin_lim(frames)))
    assert len(again) == (frames.shape[1] - 1) * HOP
    error = np.abs(compute_frames(again) - frames).mean() * RANGE_DB
    assert error < 3.5
    # The same frames are heard alike: phases are no draw.
    np.testing.assert_array_equal(again, np.concatenate(list(griffin_lim(frames))))
    assert not np.concatenate(list(griffin_lim(np.zeros_like(frames)))).any()


def test_long_sounds_are_heard_in_stretches_without_a_gap():
    frames = np.tile(compute_frames(tone(0.5)), (1, 30))[:, :1300]
    parts = list(griffin_lim(frames))
    assert len(parts) == 2
    sound = np.concatenate(parts)
    assert len(sound) == 1299 * HOP
    assert np.abs(compute_frames(sound) - frames).mean() * RANGE_DB < 4.5


@given(st.integers(1, 400))
def test_windows_hold_every_frame_but_a_short_rest(length):
    frames = np.random.default_rng(length).random((MELS, length)).astype(np.float32)
    windows = split_windows(frames)
    assert windows.shape[1:] == (MELS, WINDOW_FRAMES)
    joined = windows.transpose(1, 0, 2).reshape(MELS, -1)
    kept = min(length, joined.shape[1])
    np.testing.assert_array_equal(joined[:, :kept], frames[:, :kept])
    assert length - kept <= WINDOW_FRAMES // 10 and not joined[:, length:].any()
    assert np.abs(to_bytes(windows) / 255 - windows).max() <= 0.5 / 255 + 1e-6


@given(st.integers(1, 330), st.integers(0, 50))
def test_pieces_join_to_the_document_they_were_cut_of(length, seed):
    frames = np.random.default_rng(seed).random((MELS, length)).astype(np.float32)
    document = Document(Sound(frames), "x")
    pieces = CODEC.split(document)["frames"]
    assert pieces.shape[1:] == SHAPE and pieces.dtype == torch.float32
    back = CODEC.join(pieces, {}, document).content.frames
    np.testing.assert_array_equal(back, frames[:, : back.shape[1]])
    assert length - back.shape[1] <= WINDOW_FRAMES // 10
    sampled = CODEC.join(pieces, {}, None).content.frames
    assert sampled.shape == (MELS, len(pieces) * WINDOW_FRAMES)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (44_100, 2)])
def test_files_are_read_whatever_their_form(tmp_path, suffix, rate, channels):
    path = tmp_path / f"tone{suffix}"
    samples = tone(1.0, 440, 0.5, rate)
    soundfile.write(path, np.repeat(samples[:, None], channels, 1), rate)
    document = CODEC.read(path)
    frames = document.content.frames
    assert document.name == "tone" and abs(frames.shape[1] - RATE // HOP) <= 8
    # The strongest band is that of 440 Hz.
    assert frames[:, 10:30].mean(1).argmax() == compute_frames(tone())[:, 10:30].mean(1).argmax()


def test_what_is_written_is_heard_and_read_again(tmp_path):
    document = Document(Sound(compute_frames(tone(1.5))), "tone")
    (path,) = CODEC.write(document, tmp_path / "a.b", {})
    assert path.name == "a.b.wav" and [one.name for one in tmp_path.iterdir()] == ["a.b.wav"]
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 1, 2)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 2**15
    # At the level of its frames, not made louder.
    assert samples.std() == pytest.approx(tone(1.5).std(), rel=0.2)
    again = CODEC.read(path).content.frames
    width = min(again.shape[1], document.content.frames.shape[1])
    given_frames = document.content.frames[:, :width]
    assert np.abs(again[:, :width] - given_frames).mean() * RANGE_DB < 4
    with pytest.raises(FileError, match="cannot be written"):
        CODEC.write(document, path / "x", {})


def test_what_was_only_read_is_written_as_it_was(tmp_path):
    (first,) = CODEC.write(Document(Sound(compute_frames(tone(1.5))), "x"), tmp_path / "first", {})
    (second,) = CODEC.write(CODEC.read(first), tmp_path / "second", {})
    assert second.read_bytes() == first.read_bytes()
    document = CODEC.read(first)
    first.unlink()
    with pytest.raises(FileError, match=r"first\.wav: cannot be read"):
        CODEC.write(document, tmp_path / "third", {})
    assert [one.name for one in tmp_path.iterdir()] == ["second.wav"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        *((b"", "not a readable recording"), (b"RIFF\0\0\0\0WAVE", "not a readable recording")),
        *((None, "cannot be read"), ("folder", "is a folder")),
        *((np.zeros(RATE), "silent"), (tone(0.1), "too short"), (np.zeros(0), "no sound")),
    ],
)
def test_files_that_are_none_are_told(tmp_path, content, said):
    path: Path = tmp_path / "my sound.wav"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, str):
        path.mkdir()
    elif content is not None:
        soundfile.write(path, content, RATE)
    with pytest.raises(FileError, match=said) as error:
        CODEC.read(path)
    assert "my sound.wav" in str(error.value)


def test_sheets_and_thumbnails_show_loud_bright_and_low_below(tmp_path):
    assert isinstance(CODEC, Codec) and isinstance(CODEC, PicturedCodec)
    low, high = (Document(Sound(compute_frames(tone(0.93, hertz))), "x") for hertz in (110, 1760))
    small = [CODEC.thumbnail(one).astype(int).sum(2) for one in (low, high)]
    assert small[0].shape == (MELS, WINDOW_FRAMES)
    # The middle of what is bright.
    places = [(one.sum(1) * np.arange(MELS)).sum() / one.sum() for one in small]
    assert places[0] > places[1]
    chained = CODEC.chain([low, high], "both")
    assert chained.content.frames.shape[1] == sum(
        one.content.frames.shape[1] for one in (low, high)
    )
    CODEC.sheet([("one", [low, high]), ("long", [chained])], tmp_path / "sheet.png", "Sounds")
    with Image.open(tmp_path / "sheet.png") as picture:
        assert picture.width > 2 * chained.content.frames.shape[1]
