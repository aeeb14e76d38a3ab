"""Notes rendered by ``data build``, and folders of sounds."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile
import torch
from made_soundfont import write_soundfont
from support import assert_one_line_error

from aeplug.data.labels import label_rows
from aeplug.errors import ConfigError, DataError
from aeplug.interfaces import DataShape, LabelledDataset
from aeplug_audio.sounds import build
from aeplug_audio.sounds.build import build_notes, parse_numbers
from aeplug_audio.sounds.dataset import (
    ARRAY,
    INDEX,
    SPLITS,
    NoteDataset,
    NotesConfig,
    assign_splits,
)
from aeplug_audio.sounds.prepare import PrepareConfig, PrepareSound


def opened(path) -> NoteDataset:
    return NoteDataset(NotesConfig(path=str(path)))


@pytest.fixture(scope="module")
def font(tmp_path_factory):
    return write_soundfont(tmp_path_factory.mktemp("font") / "made.sf2")


@pytest.fixture(scope="module")
def built(font, tmp_path_factory):
    out = tmp_path_factory.mktemp("built")
    told = []
    report = build_notes(
        [str(font)],
        out,
        1,
        lambda done, total: told.append((done, total)),
        render="0,5",
        pitches="50-73",
        velocities="60,120",
    )
    return out, report, told


def test_every_note_is_rendered_and_split_by_program_and_pitch(built):
    out, report, told = built
    assert report.figures["notes"] == 96 and report.figures["programs"] == 2
    assert told[-1] == (96, 96) and not report.skipped
    data = opened(out)
    assert data.shape == DataShape((1, 80, 80), (1, 80, 80))
    seen = {}
    for name in SPLITS:
        rows = data.split(name)
        assert len(rows) == report.figures[name] > 0
        columns = rows.take(torch.arange(len(rows)))
        assert columns["frames"].shape[1:] == (1, 80, 80)
        seen[name] = {*zip(columns["program"].tolist(), columns["pitch"].tolist(), strict=True)}
    assert not seen["train"] & seen["test"] and not seen["val"] & (seen["train"] | seen["test"])
    assert len(data.split("all")) == 96


def test_louder_notes_are_louder_by_their_decibels(built):
    rows = opened(built[0]).split("all").take(torch.arange(96))
    loud = rows["frames"].float().flatten(1).amax(1) / 255 * 80
    soft, strong = (loud[rows["velocity"] == one].mean() for one in (60, 120))
    assert float(strong - soft) == pytest.approx(12, abs=0.7)


def test_labels_say_family_instrument_and_pitch(built):
    data = opened(built[0])
    assert isinstance(data, LabelledDataset)
    rows = data.split("all").take(torch.tensor([0, 95]))
    found = label_rows(data, rows)
    assert list(found) == ["family", "instrument", "pitch"]
    assert found["family"].tolist() == ["piano", "piano"]
    assert found["instrument"].tolist() == ["Sine", "Sharp"]
    assert found["pitch"].tolist() == [50, 73]


def test_processes_make_the_same(font, tmp_path, monkeypatch):
    monkeypatch.setattr(build, "_TOGETHER", 2)
    for processes in (1, 2):
        (tmp_path / str(processes)).mkdir()
        build_notes(
            [str(font)],
            tmp_path / str(processes),
            processes,
            lambda done, total: None,
            render="0",
            pitches="60-62",
        )
    one, two = ((tmp_path / name / ARRAY).read_bytes() for name in "12")
    assert one == two


def test_notes_without_a_sound_are_left_out_and_told(font, tmp_path):
    quiet = build_notes(
        [str(font)],
        tmp_path,
        1,
        lambda done, total: None,
        render="0",
        pitches="60-62",
        velocities="1,100",
    )
    assert quiet.figures["notes"] == 3
    assert [skip.source.rpartition("!")[2] for skip in quiet.skipped] == [
        "0-60-1",
        "0-61-1",
        "0-62-1",
    ]


@pytest.mark.parametrize(
    ("text", "expected"), [("3", [3]), ("0-2,5", [0, 1, 2, 5]), (" 7 , 7-8", [7, 8])]
)
def test_ranges_are_numbers(text, expected):
    assert parse_numbers("--render", text, 0, 127) == expected


@pytest.mark.parametrize(
    "text", ["", "a", "1-", "-1", "5-3", "128", "0-999999999999", "1,,2", "1.5", "²"]
)
def test_ranges_that_are_none_are_told(text):
    with pytest.raises(ConfigError, match="--render"):
        parse_numbers("--render", text, 0, 127)


def test_the_command_needs_no_sources_for_notes_and_sources_for_tunes(invoke, font, tmp_path):
    out = tmp_path / "notes"
    options = ("--render", "0", "--pitches", "60-65", "--processes", "1")
    result = invoke("data", "build", *options, "--out", out, "--json", "--dataset", "notes")
    assert result.code == 0, result.err
    assert json.loads(result.out)["notes"] == 6
    result = invoke(
        "data", "build", font, *options, "--out", tmp_path / "own", "--dataset", "notes"
    )
    assert result.code == 0 and "made.sf2" in result.out
    result = invoke("data", "build", "--out", tmp_path / "x")
    assert result.code == 2 and "SOURCES" in result.err
    result = invoke("data", "build", "--dataset", "melodies", "--out", tmp_path / "x")
    assert result.code == 1
    assert_one_line_error(result.err, "'melodies' is built of SOURCES")
    result = invoke("data", "build", tmp_path, "--dataset", "notes", "--out", tmp_path.parent / "y")
    assert_one_line_error(result.err, "is a folder, expected a soundfont", "--data")
    (tmp_path / "x.sf2").write_text("no")
    result = invoke("data", "build", tmp_path / "x.sf2", "--dataset", "notes", "--out", out / "z")
    assert_one_line_error(result.err, "x.sf2 is not a soundfont")
    assert not (tmp_path / "x").exists()


def test_without_any_soundfont_it_is_said_what_to_name(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "find_soundfont", lambda: None)
    with pytest.raises(DataError, match=r"FILE\.sf2"):
        build_notes([], tmp_path, 1, lambda done, total: None)


def sound(path, hertz, seconds=1.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(int(seconds * 22_050)) / 22_050
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * hertz * time), 22_050)


def test_a_folder_of_sounds_is_cut_into_windows_a_file_in_one_split(tmp_path, capsys):
    for number in range(4):
        sound(tmp_path / "low" / f"{number}.wav", 200 + number, 2.0)
        sound(tmp_path / "high" / f"{number}.flac", 2000 + number)
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    data = opened(tmp_path)
    counts = {name: len(data.split(name)) for name in (*SPLITS, "all")}
    assert "bad.wav" in capsys.readouterr().err
    assert counts["all"] == 16 == sum(counts[name] for name in SPLITS)
    rows = data.split("all").take(torch.arange(16))
    assert sorted(data.labels(rows)["folder"].tolist()) == ["high"] * 4 + ["low"] * 12


def test_folders_that_hold_nothing_or_are_damaged_are_told(built, tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        opened(tmp_path / "none")
    with pytest.raises(DataError, match="holds neither"):
        opened(tmp_path).split("all")
    for name in (ARRAY, INDEX):
        (tmp_path / name).write_bytes((built[0] / name).read_bytes())
    assert len(opened(tmp_path).split("all")) == 96
    index = json.loads((tmp_path / INDEX).read_text())
    for change, said in (
        ({"pitch": index["pitch"][1:]}, "does not fit"),
        ({"split": ["x"] * 96}, "damaged"),
        ({"format": 99}, "format 99"),
        ({"programs": None}, "damaged"),
    ):
        (tmp_path / INDEX).write_text(json.dumps({**index, **change}))
        with pytest.raises(DataError, match=said):
            opened(tmp_path).split("all")
    (tmp_path / INDEX).write_text(json.dumps(index))
    (tmp_path / ARRAY).write_bytes(b"\x93NUMPY")
    with pytest.raises(DataError, match="damaged"):
        opened(tmp_path).split("all")


def test_few_names_still_fill_every_split():
    assert sorted(assign_splits(["a", "b", "c"]).tolist()) == [0, 1, 2]
    names = [f"{number}" for number in range(1000)]
    splits = assign_splits(names)
    assert 70 < (splits == 1).sum() < 130 and 70 < (splits == 2).sum() < 130
    np.testing.assert_array_equal(splits[:500], assign_splits(names[:500]))


def test_gain_moves_what_sounds_and_leaves_silence():
    shape = DataShape((1, 80, 80), (1, 80, 80))
    frames = torch.zeros(64, 1, 80, 80, dtype=torch.uint8)
    frames[:, :, :40] = 128
    generator = torch.Generator().manual_seed(0)
    batch = PrepareSound(PrepareConfig(gain=8), shape)({"frames": frames}, generator, True)
    moved = (batch.target[:, 0, 0, 0] - 128 / 255) * 80
    assert moved.min() >= -8 and moved.max() <= 8 and moved.std() > 3
    assert not batch.target[:, :, 40:].any() and batch.input is batch.target
    plain = PrepareSound(PrepareConfig(gain=8), shape)({"frames": frames}, generator, False)
    assert torch.equal(plain.target, frames.float() / 255)
