"""``audio-vae`` from the command line: with the weights that ship, and trained on one's own."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile
from support import assert_one_line_error

from aeplug.model.checkpoint import shipped_weights
from aeplug.plugins import active
from aeplug.testing import check_task
from aeplug_audio.files.reading import RATE
from aeplug_audio.sounds.build import build_notes
from aeplug_audio.sounds.sound import read_frames
from aeplug_audio.sounds.spectrogram import RANGE_DB
from aeplug_audio.synthesis.sampler import SoundfontVoices
from aeplug_audio.synthesis.soundfont import find_soundfont, open_soundfont
from aeplug_audio.synthesis.voices import Note

#: A net and a training of seconds.
SMALL = (
    *("--set", "encoder.widths=[4,8,8,8,8]", "--set", "decoder.widths=[4,8,8,8,8]"),
    *("--set", "encoder.hidden=16", "--set", "decoder.hidden=16"),
    *("--set", "train.steps=3", "--set", "train.batch_size=4"),
)

needs_soundfont = pytest.mark.skipif(find_soundfont() is None, reason="needs a soundfont")
needs_weights = pytest.mark.skipif(
    shipped_weights(active().task("audio-vae")) is None, reason="needs the weights"
)


@pytest.fixture(scope="module")
def notes(tmp_path_factory):
    """A violin and a piano, a second each, as recordings."""
    folder = tmp_path_factory.mktemp("notes")
    voices = SoundfontVoices(open_soundfont(find_soundfont()))
    for name, program, pitch in (("violin", 40, 69), ("piano", 0, 60)):
        sound = voices.voice(Note(0, 0.7, pitch, 100, program), 44_100, 41_000)
        soundfile.write(folder / f"{name}.wav", sound, 44_100)
    return folder


def heard(path):
    sound, rate = soundfile.read(path)
    assert rate == RATE and sound.ndim == 1
    return sound


@needs_weights
def test_samples_are_sounds_and_the_same_for_the_same_seed(invoke, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        result = invoke("sample", "audio-vae", "-n", 3, "--seed", seed, "--out", tmp_path / name)
        assert result.code == 0, result.err
    first = sorted((tmp_path / "a").glob("*.wav"))
    assert len(first) == 3 and (tmp_path / "a" / "samples.png").is_file()
    for path in first:
        sound = heard(path)
        assert 0.9 < len(sound) / RATE < 0.95 and 0.003 < np.abs(sound).max() <= 1
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
        assert path.read_bytes() != (tmp_path / "c" / path.name).read_bytes()


@needs_weights
@needs_soundfont
def test_notes_come_back_as_themselves_and_a_bad_file_stops_nothing(invoke, notes, tmp_path):
    bad = tmp_path / "bad.ogg"
    bad.write_bytes(b"OggS")
    out = tmp_path / "out"
    result = invoke(
        *("reconstruct", "audio-vae", notes / "violin.wav", bad, notes / "piano.wav"),
        *("--out", out),
    )
    assert result.code == 1 and "bad.ogg" in result.err and "not a readable recording" in result.err
    for name in ("violin", "piano"):
        given, back = read_frames(notes / f"{name}.wav"), read_frames(out / f"{name}.wav")
        width = min(given.shape[1], back.shape[1])
        error = np.abs(given[:, :width] - back[:, :width]).mean() * RANGE_DB
        other = read_frames(notes / f"{'piano' if name == 'violin' else 'violin'}.wav")
        far = np.abs(given[:, :width] - other[:, :width]).mean() * RANGE_DB
        assert error < 6 and error < 0.6 * far, (error, far)


@needs_weights
@needs_soundfont
def test_the_other_verbs_take_and_write_sounds(invoke, notes, tmp_path):
    files = (notes / "violin.wav", notes / "piano.wav")
    result = invoke("interpolate", "audio-vae", *files, "--steps", 4, "--out", tmp_path / "i")
    assert result.code == 0, result.err
    assert len(list((tmp_path / "i").glob("*.wav"))) >= 4
    assert list((tmp_path / "i").glob("*.png"))
    result = invoke("vary", "audio-vae", files[0], "-n", 2, "--out", tmp_path / "v")
    assert result.code == 0, result.err
    assert len(list((tmp_path / "v").glob("*.wav"))) >= 2
    result = invoke("embed", "audio-vae", *files, "--out", tmp_path / "z.npz")
    assert result.code == 0, result.err
    with np.load(tmp_path / "z.npz") as found:
        assert found["mean"].shape == (2, 32)
        assert [name.rpartition("/")[2] for name in found["name"]] == ["violin.wav", "piano.wav"]


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A data set of 18 notes."""
    if find_soundfont() is None:
        pytest.skip("no soundfont")
    folder = tmp_path_factory.mktemp("own")
    build_notes([], folder, 1, lambda done, total: None, render="0,40,73", pitches="60-65")
    return folder


def test_it_is_trained_and_measured_on_ones_own(invoke, own, tmp_path):
    run = tmp_path / "run"
    result = invoke("train", "audio-vae", "--data", own, "--run", run, *SMALL)
    assert result.code == 0, result.err
    result = invoke("evaluate", run, "--split", "all", "--json")
    assert result.code == 0, result.err
    figures = json.loads(result.out)
    assert figures["items"] == 18
    assert 0 < figures["mae_db"] < figures["rmse_db"] < RANGE_DB
    assert 0 <= figures["instrument_neighbour"] <= figures["family_neighbour"] <= 1
    result = invoke("train", "audio-vae", "--run", tmp_path / "none")
    assert result.code == 1
    assert_one_line_error(result.err, "no data folder", "--data", "aeplug data build --render")


def test_it_passes_the_conformance_checks(own):
    small = {
        f"{part}.{key}": value
        for part in ("encoder", "decoder")
        for key, value in {"widths": (4, 8, 8, 8, 8), "hidden": 16}.items()
    }
    check_task(
        "audio-vae",
        settings={"data.path": str(own), **small},
        skip=["processes", "compiling", "learning"],
    )
