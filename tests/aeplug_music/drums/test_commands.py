"""Drums and grooves from the command line, with the weights that ship."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pretty_midi
import pytest
from support import assert_one_line_error

from aeplug.cli import main
from aeplug.cli.program import cli
from aeplug.config import PartConfig
from aeplug.data.bundled import extract_bundled, find_bundled
from aeplug.interfaces import Document
from aeplug.model.checkpoint import shipped_weights
from aeplug.plugins import active
from aeplug_music.drums.codec import DrumCodec
from aeplug_music.drums.kit import BAR, CLOSED_HAT, DRUMS, KICK, SNARE
from aeplug_music.drums.performance import Performance, make_passage
from aeplug_music.drums.window_shape import groove_shape

TASKS = ("drums-2bar", "drums-16bar", "groove")
FUNK = "patterns/funk-corner.drums"
CODEC = DrumCodec(PartConfig(), groove_shape(2))

pytestmark = pytest.mark.skipif(
    any(shipped_weights(active().task(name)) is None for name in TASKS), reason="needs the weights"
)


class Result(NamedTuple):
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    """A stiff rock pattern of three bars, taps on a piano, and a funk pattern written as text."""
    folder = tmp_path_factory.mktemp("files")
    velocity, offset = np.zeros((3 * BAR, DRUMS), np.uint8), np.zeros((3 * BAR, DRUMS), np.int8)
    velocity[::2, CLOSED_HAT] = 100
    velocity[[0, 7, 10, 16, 23, 26, 32, 39, 42], KICK] = 100
    velocity[4::8, SNARE] = 100
    stiff = Performance((make_passage(velocity, offset),), 100.0)
    (pattern,) = CODEC.write(Document(stiff, "stiff"), folder / "stiff", {})
    midi = pretty_midi.PrettyMIDI(initial_tempo=100)
    piano = pretty_midi.Instrument(0)
    for beat, loud in ((0, 110), (0.5, 40), (1, 95), (1.52, 45), (2.5, 100), (3.02, 90), (3.5, 50)):
        piano.notes.append(pretty_midi.Note(loud, 60, beat * 0.6, beat * 0.6 + 0.1))
    midi.instruments.append(piano)
    midi.write(str(folder / "taps.mid"))
    return {"stiff": pattern, "taps": folder / "taps.mid", "funk": extract_bundled(FUNK, folder)}


@pytest.fixture
def run(capfd) -> Callable[..., Result]:
    """``run("sample", "groove")``: the command line in this process."""

    def call(*arguments: object) -> Result:
        capfd.readouterr()
        commands = dict(cli.commands)
        try:
            main([str(argument) for argument in arguments])
            code = 0
        except SystemExit as error:
            code = int(error.code or 0)
        finally:
            cli.commands.clear()
            cli.commands.update(commands)
        captured = capfd.readouterr()
        return Result(code, captured.out, captured.err)

    return call


@pytest.fixture
def done(run) -> Callable[..., str]:
    """The same for what must succeed: what it says on stdout."""

    def call(*arguments: object) -> str:
        result = run(*arguments)
        assert result.code == 0, result.err
        return result.out

    return call


def read(path: Path) -> Performance:
    performance: Performance = CODEC.read(path).content
    return performance


def test_humanize_keeps_the_pattern_and_plays_it(files, tmp_path, done):
    done("reconstruct", "groove", files["stiff"], "--given", "score", "--out", tmp_path)
    before, after = read(files["stiff"]), read(tmp_path / "stiff.mid")
    hits = before.velocity > 0
    np.testing.assert_array_equal(after.velocity > 0, hits)
    assert len(np.unique(after.velocity[hits])) > 5
    assert np.abs(after.offset[hits].astype(int)).mean() > 1
    assert after.bpm == pytest.approx(100)


def test_taps_become_a_kit(files, tmp_path, done, run):
    out = tmp_path / "kit"
    done("reconstruct", "groove", files["taps"], "--given", "rhythm", "--out", out, "--wav")
    kit = read(out / "taps.mid")
    assert (kit.velocity[:BAR] > 0).any(0).sum() >= 3  # several drums
    struck = (kit.velocity[:BAR] > 0).any(1)
    tapped = read(files["taps"]).passages[0].taps[:BAR, 0] > 0
    assert struck[tapped].mean() > 0.7
    assert (out / "taps.wav").stat().st_size > 100_000
    failed = run("reconstruct", "groove", files["taps"], "--out", tmp_path / "none")
    assert failed.code
    reason = json.loads((tmp_path / "none/failed.jsonl").read_text())["reason"]
    assert "--given rhythm" in reason


@pytest.mark.parametrize("given", [(), ("--given", "score")])
def test_beside_a_file_of_drums_one_without_fails_alone(given, files, tmp_path, run):
    out, both = tmp_path / "out", (files["stiff"], files["taps"])
    result = run("reconstruct", "groove", *both, *given, "--out", out)
    assert result.code == 1
    (line,) = (out / "failed.jsonl").read_text().splitlines()
    failed = json.loads(line)
    assert failed["file"] == str(files["taps"])
    assert "taps.mid: no drums" in failed["reason"]
    assert (read(out / "stiff.mid").velocity > 0).any()
    assert not (out / "taps.mid").exists()
    result = run("embed", "groove", *both, *given, "--out", tmp_path / "both.npz")
    assert result.code == 1
    assert "taps.mid: no drums" in result.err
    assert set(np.load(tmp_path / "both.npz")["name"]) == {str(files["stiff"])}


def test_whatever_takes_drums_names_the_file_without(files, tmp_path, run):
    stiff, taps, out = files["stiff"], files["taps"], ("--out", tmp_path / "out")
    for arguments in (("vary", "groove", taps), ("interpolate", "groove", stiff, taps)):
        failed = run(*arguments, *out)
        assert failed.code
        assert_one_line_error(failed.err)
        assert f"{taps}: no drums" in failed.err
        assert "--given rhythm" in failed.err
    failed = run("reconstruct", "groove", stiff, "--given", "score", "--latent-of", taps, *out)
    assert failed.code
    assert_one_line_error(failed.err)
    assert f"{taps}: no drums" in failed.err
    assert "--given" not in failed.err  # which does not hold for that file


def test_a_pattern_that_is_given_is_kept_by_all_that_makes_new_ones(files, tmp_path, done):
    stiff, funk = (read(files[name]).velocity > 0 for name in ("stiff", "funk"))
    score = ("--given", "score", "--out")
    vary = ("vary", "groove", files["stiff"], "-n", 2)
    done(*vary, "--similarity", 0.3, *score, tmp_path / "vary")
    done(*vary, "--sigma", "1", *score, tmp_path / "noisy")
    done("attribute", "groove", "loudness", files["stiff"], "--by", 1, *score, tmp_path / "louder")
    made = [one for name in ("vary", "noisy", "louder") for one in (tmp_path / name).glob("*.mid")]
    assert len(made) == 5
    for path in made:
        np.testing.assert_array_equal(read(path).velocity > 0, stiff)
    first, second = (read(path).velocity for path in sorted((tmp_path / "vary").glob("*.mid")))
    assert not np.array_equal(first, second)
    out = tmp_path / "between"
    done("interpolate", "groove", files["stiff"], files["funk"], "--steps", 4, *score, out)
    for number, end in enumerate((stiff, stiff, funk, funk), 1):
        found = read(out / f"step-{number:02}.mid").velocity > 0
        steps = min(len(found), len(end))
        assert steps >= 2 * BAR
        np.testing.assert_array_equal(found[:steps], end[:steps])


def test_transfer_keeps_the_pattern_and_takes_the_others_playing(files, tmp_path, done):
    arguments = ("reconstruct", "groove", files["stiff"], "--given", "score", "--out")
    done(*arguments, tmp_path / "own")
    done(*arguments, tmp_path / "funk", "--latent-of", files["funk"])
    own, funk = (read(tmp_path / name / "stiff.mid") for name in ("own", "funk"))
    hits = read(files["stiff"]).velocity > 0
    np.testing.assert_array_equal(funk.velocity > 0, hits)
    difference = np.abs(funk.velocity[hits].astype(int) - own.velocity[hits])
    assert difference.mean() > 2


@pytest.mark.parametrize("task", TASKS)
def test_samples_variations_and_embeddings(task, files, tmp_path, done):
    done("sample", task, "-n", 3, "--seed", 5, "--out", tmp_path / "a")
    done("sample", task, "-n", 2, "--seed", 5, "--out", tmp_path / "b")
    bars = 16 if task == "drums-16bar" else 2
    for name in ("sample-001.mid", "sample-002.mid"):
        first, second = read(tmp_path / "a" / name), read(tmp_path / "b" / name)
        np.testing.assert_array_equal(first.velocity, second.velocity)
        np.testing.assert_array_equal(first.offset, second.offset)
        assert first.steps <= bars * BAR
        assert (first.velocity > 0).sum() > 3 * bars
    assert (tmp_path / "a/samples.png").is_file()
    done("vary", task, files["stiff"], "-n", 2, "--out", tmp_path / "vary")
    assert (tmp_path / "vary/stiff-variation-02.mid").is_file()
    done("embed", task, files["funk"], "--out", tmp_path / "funk.npz")
    means = np.load(tmp_path / "funk.npz")["mean"]
    assert len(means) == -(-read(files["funk"]).steps // (bars * BAR))


def test_what_goes_in_comes_out(files, tmp_path, done):
    done("reconstruct", "drums-2bar", files["funk"], "--out", tmp_path)
    before, after = read(files["funk"]), read(tmp_path / "funk-corner.mid")
    steps = min(before.steps, after.steps)
    right = ((before.velocity[:steps] > 0) == (after.velocity[:steps] > 0)).all(1)
    assert right.mean() > 0.95


def test_interpolation_begins_and_ends_at_its_ends(files, tmp_path, done):
    arguments = ("interpolate", "drums-2bar", files["stiff"], files["funk"], "--steps", 3)
    done(*arguments, "--out", tmp_path)
    first = read(tmp_path / "step-01.mid")
    stiff = read(files["stiff"])
    right = ((first.velocity[: 2 * BAR] > 0) == (stiff.velocity[: 2 * BAR] > 0)).mean()
    assert right > 0.97
    assert (tmp_path / "all-steps.mid").is_file()


def test_more_toms_are_more_toms(files, tmp_path, done):
    done("attribute", "drums-2bar", "toms", files["stiff"], "--by", 2, "--out", tmp_path)
    (path,) = tmp_path.glob("stiff*.mid")
    assert (read(path).velocity[:, 4:7] > 0).sum() > (
        read(files["stiff"]).velocity[:, 4:7] > 0
    ).sum()


def test_what_options_say_wrong(files, tmp_path, run):
    for arguments in (
        ("groove", files["stiff"], "--given", "notes"),
        ("drums-2bar", files["stiff"], "--given", "score"),
        ("drums-2bar", files["taps"], "--latent-of", files["taps"]),
    ):
        failed = run("reconstruct", *arguments, "--out", tmp_path / "out")
        assert failed.code
        assert_one_line_error(failed.err)


@pytest.mark.parametrize(
    ("task", "figures"),
    [
        ("drums-2bar", {"accuracy_greedy": (0.97, 1.0), "kl_bits": (5.0, 107.0)}),
        ("groove", {"hit_f1": (0.8, 1.0), "velocity_error": (1.0, 16.0)}),
    ],
)
def test_figures_on_the_bundled_held_out_performances(done, task, figures):
    report = json.loads(done("evaluate", task, "--json"))
    found = report["all"] if task == "groove" else report
    for name, (least, most) in figures.items():
        assert least <= found[name] <= most


def test_of_files_of_ones_own_all_count_or_the_split_that_is_named(done, tmp_path):
    data = find_bundled("patterns")
    arguments = ("embed", "drums-2bar", "--data", data, "--out")
    done(*arguments, tmp_path / "all.npz")
    done(*arguments, tmp_path / "test.npz", "--split", "test")
    own = ("embed", "drums-2bar", "--out", tmp_path / "own.npz")
    done(*own)
    count = {
        name: len(np.load(tmp_path / f"{name}.npz")["mean"]) for name in ("all", "test", "own")
    }
    assert count["own"] == count["test"] < count["all"] / 4
    report = json.loads(done("evaluate", "drums-2bar", "--data", data, "--split", "test", "--json"))
    assert report["items"] == count["test"]
