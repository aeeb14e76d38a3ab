from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pretty_midi
import pytest
from PIL import Image
from recorded import TUNE, sound_of, write
from support import assert_one_line_error, environment

from aeplug.data.build import build
from aeplug.errors import ConfigError, FileError
from aeplug_audio.analysis.voice import NoteEvent
from aeplug_music.corpus.build import build_melodies
from aeplug_music.melodies.codec import MelodyCodec
from aeplug_music.melodies.dataset import MelodyDataset, melody_shape
from aeplug_music.midi.writing import to_pretty_midi
from aeplug_music.score.melody import Melody, Passage
from aeplug_music.score.tokens import NOTE_OFF, PITCH_OFFSET
from aeplug_music.transcription.converter import Transcriber
from aeplug_music.transcription.page import extract_pitch_curve
from aeplug_music.transcription.rhythm import quantise
from aeplug_music.transcription.transcribe import transcribe

#: Two bars and two more of 4/4: onset, end, MIDI number, in steps.
STEPS = [
    *[(0, 4, 60), (4, 8, 64), (8, 12, 67), (12, 14, 65), (14, 16, 64)],
    *[(16, 20, 62), (20, 24, 62), (24, 32, 67), (32, 36, 72), (36, 38, 71)],
    *[(38, 40, 69), (40, 44, 67), (44, 48, 67), (48, 60, 60)],
]


def codec(metres=("4/4", "3/4")):
    return MelodyCodec(MelodyCodec.Config(), melody_shape(2, metres))


def to_tokens(onsets, ends, pitches, steps):
    """Notes of one voice as tokens ``(steps,)``; the inverse of ``tokens_to_notes``."""
    tokens = np.zeros(steps + 1, np.uint8)
    tokens[ends] = NOTE_OFF
    tokens[onsets] = pitches - PITCH_OFFSET
    return tokens[:steps]


def melody(bpm=120.0, steps=STEPS, metre="4/4"):
    onset, end, pitch = np.array(steps, np.int64).T
    return Melody((Passage(metre, to_tokens(onset, end, pitch, 64)),), bpm)


def recorded(path, tune, rate=22_050, gain=1.0, **how):
    """The tune as sines, written."""
    midi = to_pretty_midi(tune, "tune", tune.bpm, 0, 80)
    notes = [(note.start, note.end, note.pitch) for note in midi.instruments[0].notes]
    return write(path, np.clip(gain * sound_of(notes, rate, **how), -1, 1), rate)


class TestRoundTrip:
    @pytest.mark.parametrize(
        ("bpm", "name", "rate"),
        [
            (120.0, "a.wav", 22_050),
            (100.0, "a.wav", 8_000),
            (90.0, "a.flac", 96_000),
            (140.0, "a.ogg", 44_100),
            (112.0, "a.mp3", 48_000),
        ],
    )
    def test_a_melody_is_heard_as_it_was(self, tmp_path, bpm, name, rate, capsys):
        path = recorded(tmp_path / name, melody(bpm), rate)
        found = codec().read(path)
        assert found.content.bpm == pytest.approx(bpm, rel=0.005)
        assert [one.metre for one in found.content.passages] == ["4/4"]
        assert np.array_equal(found.content.tokens, melody().tokens)
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and "BPM (estimated), in 4/4" in said

    def test_clipped_it_is_heard_and_told(self, tmp_path, capsys):
        path = recorded(tmp_path / "a.wav", melody(), gain=5.0)
        assert np.array_equal(codec().read(path).content.tokens, melody().tokens)
        assert "clipped: " in capsys.readouterr().err

    def test_in_stereo_with_partials(self, tmp_path):
        sound, rate = sound_of(TUNE, 44_100, partials=(1, 0.5, 0.3)), 44_100
        path = write(tmp_path / "a.wav", np.stack([sound, 0.3 * sound], 1), rate)
        assert [note.pitch for note in transcribe(path).notes] == [p for *_, p in TUNE]

    def test_tempo_and_metre_can_be_told(self, tmp_path, capsys):
        path = recorded(tmp_path / "a.wav", melody(120.0))
        found = codec().with_options({"bpm": 60.0, "metre": "3/4"}).read(path).content
        assert found.bpm == pytest.approx(60) and found.passages[0].metre == "3/4"
        # At half the tempo everything takes half the steps.
        assert found.tokens[[0, 2, 4]].tolist() == melody().tokens[[0, 4, 8]].tolist()
        assert "60.0 BPM (set), in 3/4" in capsys.readouterr().err

    @pytest.mark.parametrize(("bpm", "better"), [(120, True), (50, False), (99, False)])
    def test_a_tempo_that_does_not_fit_is_named(self, tmp_path, bpm, better):
        path = recorded(tmp_path / "a.wav", melody(100.0))
        summary = transcribe(path, bpm).summary()
        assert f"{bpm}.0 BPM (set)" in summary
        assert ("but 100 BPM fits the notes far better" in summary) == better

    def test_the_summary_counts_the_notes_that_are_written(self, tmp_path):
        notes = [NoteEvent(0.5, 0.53, 59), NoteEvent(0.53, 1.0, 60), NoteEvent(1.0, 1.5, 62)]
        path = recorded(tmp_path / "a.wav", melody())
        found = replace(transcribe(path), notes=notes, on_grid=quantise(notes, bpm=120))
        assert found.summary().startswith("2 notes, 1 too short for the grid left out, 120.0 BPM")
        assert len(found.tune().tracks[0]) == 2

    def test_a_metre_that_is_none_is_refused(self):
        with pytest.raises(ConfigError, match="metre 5/4: expected one of 4/4"):
            codec().with_options({"metre": "5/4"})


class TestWhatIsNoMelody:
    @pytest.mark.parametrize(
        ("sound", "reason"),
        [
            (0.3 * np.random.default_rng(0).standard_normal(44_100), "no melody: nothing in it"),
            (np.zeros(44_100), "silent"),
            (sound_of(TUNE)[:3_000], "too short"),
        ],
    )
    def test_is_told_with_the_file(self, tmp_path, sound, reason):
        path = write(tmp_path / "a.wav", np.clip(sound, -1, 1))
        with pytest.raises(FileError, match=f"a.wav: {reason}"):
            codec().read(path)


class TestCommand:
    def test_writes_music_and_a_picture_and_lists_what_failed(self, tmp_path, invoke):
        folder = tmp_path / "in"
        (folder / "deep").mkdir(parents=True)
        recorded(folder / "deep" / "a.wav", melody())
        recorded(folder / "b.flac", melody(96.0))
        (folder / "bad.mp3").write_text("la la la")
        (folder / "note.txt").write_text("not asked for")
        out = tmp_path / "out"
        done = invoke("transcribe", folder, "--out", out)
        assert done.code == 1
        assert "1 of 3 files could not be done, reasons in" in done.err
        listed = [json.loads(line) for line in (out / "failed.jsonl").read_text().splitlines()]
        assert [one["file"] for one in listed] == [str(folder / "bad.mp3")]
        assert "not a readable recording" in listed[0]["reason"]
        for stem, bpm in (("deep/a", 120), ("b", 96)):
            midi = pretty_midi.PrettyMIDI(str(out / f"{stem}.mid"))
            notes = midi.instruments[0].notes
            assert [note.pitch for note in notes] == [pitch for *_, pitch in STEPS]
            assert midi.get_tempo_changes()[1][0] == pytest.approx(bpm, rel=0.005)
            with Image.open(out / f"{stem}.png") as picture:
                assert picture.width > 1_000
                assert len(picture.convert("RGB").getcolors(1 << 20) or ()) > 50
        assert not list(out.rglob(".*.part"))

    def test_goes_on_and_makes_nothing_twice(self, tmp_path, invoke):
        path = recorded(tmp_path / "a.wav", melody())
        out = tmp_path / "out"
        arguments = ("transcribe", path, "--no-picture", "--out", out)
        assert invoke(*arguments).code == 0
        written = (out / "a.mid").stat().st_mtime_ns
        again = invoke(*arguments)
        assert again.code == 0 and "1 was done before" in again.err
        assert (out / "a.mid").stat().st_mtime_ns == written and not (out / "a.png").exists()
        other = invoke(*arguments, "--bpm", "60")
        assert other.code == 1 and "another job" in other.err
        assert invoke(*arguments, "--bpm", "60", "--overwrite").code == 0
        assert codec().read(out / "a.mid").content.bpm == pytest.approx(60)

    def test_a_file_of_another_kind_is_told(self, tmp_path, invoke):
        (tmp_path / "a.mid").write_bytes(b"MThd")
        done = invoke("transcribe", tmp_path / "a.mid", "--out", tmp_path / "out")
        assert done.code == 1
        assert "expected a recording, .wav, .flac, .ogg, .mp3" in done.err

    @pytest.mark.parametrize(
        "arguments", [[], ["a.wav", "--bpm", "5"], ["a.wav", "--metre", "5/4"]]
    )
    def test_wrong_arguments_are_one_line(self, tmp_path, invoke, arguments):
        done = invoke("transcribe", *arguments, "--out", tmp_path / "out")
        assert done.code == 2
        assert_one_line_error(done.err)

    def test_its_help_imports_no_library_of_sound(self):
        code = (
            "import atexit, sys\n"
            "heavy = {'librosa', 'soundfile', 'soxr', 'numba', 'scipy', 'torch', 'numpy'}\n"
            "atexit.register(lambda: print(sorted(heavy & set(sys.modules)), file=sys.stderr))\n"
            "from aeplug.cli import main; main(['transcribe', '--help'])"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment(), capture_output=True, text=True
        )
        assert done.stderr.splitlines()[-1] == "[]" and "--metre" in done.stdout

    def test_long_recordings_are_drawn_in_lines(self, tmp_path):
        notes = [(n * 0.5, n * 0.5 + 0.45, 60 + n % 7) for n in range(80)]
        transcriber = Transcriber()
        document = transcriber.read(write(tmp_path / "long.wav", sound_of(notes)))
        assert document.size > 0
        curve = extract_pitch_curve(document.content)
        assert np.nanmin(curve) == pytest.approx(60, abs=0.1)
        assert np.isnan(curve).any()
        _, page = transcriber.write(document, tmp_path / "long", {"picture": True})
        with Image.open(page) as picture:
            assert picture.height > picture.width / 3


class TestModels:
    """Commands that take a tune take a recording of one; with the weights that ship."""

    def test_variations_of_what_was_hummed(self, tmp_path, invoke):
        path = recorded(tmp_path / "humming.wav", melody())
        done = invoke("vary", "melody-2bar", path, "-n", "2", "--out", tmp_path / "out")
        assert done.code == 0, done.err
        assert "120.0 BPM (estimated), in 4/4" in done.err
        written = sorted(one.name for one in (tmp_path / "out").glob("*.mid"))
        assert written == ["humming-variation-01.mid", "humming-variation-02.mid"]

    def test_a_recording_is_a_tune_to_every_command(self, tmp_path, invoke):
        heard = recorded(tmp_path / "heard.flac", melody())
        codec().write(codec().read(heard), tmp_path / "written", {})
        for path in (heard, tmp_path / "written.mid"):
            done = invoke("embed", "melody-2bar", path, "--out", tmp_path / f"{path.stem}.npz")
            assert done.code == 0, done.err
        latents = [np.load(tmp_path / f"{name}.npz")["mean"] for name in ("heard", "written")]
        assert len(latents[0]) == 2 and np.allclose(*latents)
        out = tmp_path / "out"
        arguments = ("reconstruct", "melody-2bar", heard, "--bpm", "60", "--out", out)
        assert invoke(*arguments).code == 0
        assert codec().read(out / "heard.mid").content.bpm == pytest.approx(60)
        done = invoke(
            *("interpolate", "melody-2bar", heard, tmp_path / "written.mid"),
            *("--steps", "3", "--out", tmp_path / "between"),
        )
        assert done.code == 0, done.err

    def test_noise_is_told_in_one_line(self, tmp_path, invoke):
        noise = np.random.default_rng(0).uniform(-0.5, 0.5, 44_100)
        path = write(tmp_path / "noise.wav", noise)
        done = invoke("vary", "melody-2bar", path, "--out", tmp_path / "out")
        assert done.code == 1
        assert_one_line_error(done.err)
        assert "no melody: nothing in it has a pitch" in done.err


class TestBuild:
    def test_recordings_become_windows(self, tmp_path, capfd):
        folder = tmp_path / "in"
        folder.mkdir()
        recorded(folder / "a.wav", melody())
        recorded(folder / "b.ogg", melody(90.0, [(on, end, p + 5) for on, end, p in STEPS]))
        write(folder / "silent.wav", np.zeros(22_050))
        codec().write(codec().read(folder / "a.wav"), folder / "written", {})
        seen = []
        report = build(
            build_melodies,
            [str(folder)],
            tmp_path / "out",
            2,
            lambda done, total: seen.append((done, total)),
        )
        assert "transcribing 3 recordings" in capfd.readouterr().err
        assert report.figures["recordings"] == 3 and report.figures["transcribed"] == 2
        assert report.figures["files"] == 4
        assert (3, 3) in seen and (1, 1) in seen
        reasons = {skip.source: (skip.reason, skip.detail) for skip in report.skipped}
        assert reasons[str(folder / "silent.wav")][0] == "no melody in the recording"
        assert "silent" in reasons[str(folder / "silent.wav")][1]
        # The file of notes has all that the recording of it has.
        assert reasons[str(folder / "a.wav")][0] == "every window is in an earlier file"
        data = MelodyDataset(MelodyDataset.Config(path=str(tmp_path / "out")))
        assert set(data.tunes) == {str(folder / "written.mid"), str(folder / "b.ogg")}
        rows, counts = data.sequences("all", None)
        assert counts.tolist() == [2, 2]
        expected = codec(data.config.metres).split(codec().read(folder / "b.ogg"))
        assert np.array_equal(rows["tokens"][2:], expected["tokens"])

    def test_tempo_and_metre_are_the_builders(self, tmp_path):
        path = recorded(tmp_path / "a.wav", melody())
        report = build(
            build_melodies,
            [str(path)],
            tmp_path / "out",
            1,
            lambda done, total: None,
            {"bpm": 240.0, "metre": "3/4"},
        )
        assert report.figures["windows_3/4"] > 0
        index = json.loads((tmp_path / "out" / "index.json").read_text())
        assert index["tunes"][0]["bpm"] == pytest.approx(240)
