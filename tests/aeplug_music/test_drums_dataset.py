"""Drums as a data set: the bundled sample, a catalogue's division, a user's own files."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from aeplug.config import PartConfig
from aeplug.data.bundled import bundled
from aeplug.errors import DataError
from aeplug.interfaces import Document
from aeplug_music.drums.catalogue import read_catalogue
from aeplug_music.drums.codec import DrumCodec
from aeplug_music.drums.dataset import DrumDataset
from aeplug_music.drums.kit import BAR, DRUMS, KICK, SNARE
from aeplug_music.drums.performance import Passage, Performance, passage_of
from aeplug_music.drums.splits import by_content
from aeplug_music.drums.window_form import groove_shape, hits_shape


def dataset(path: object = "", bars: int = 2) -> DrumDataset:
    return DrumDataset(DrumDataset.Config(path=str(path), bars=bars))


@pytest.fixture(scope="module")
def sample() -> DrumDataset:
    return dataset()


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory) -> Path:
    """The bundled sample as a folder."""
    folder = tmp_path_factory.mktemp("groove")
    with zipfile.ZipFile(bundled("groove_sample.zip")) as archive:
        archive.extractall(folder)
    return folder


def names(data: DrumDataset, split: str) -> set[str]:
    numbers = data.split(split).columns["performance"].unique().tolist()
    return {data.performances[one].rpartition("!")[2] for one in numbers}


def test_the_bundled_sample_is_credited_and_whole(sample):
    with zipfile.ZipFile(bundled("groove_sample.zip")) as archive:
        assert "creativecommons.org/licenses/by/4.0" in archive.read("LICENSE").decode()
        assert "Gillick" in archive.read("README").decode()
        files = [name for name in archive.namelist() if name.endswith(".mid")]
    assert len(files) == 25
    assert not sample.skipped
    assert sum(len(names(sample, split)) for split in ("train", "val", "test")) == 25


def test_windows_are_performances_bar_by_bar(sample):
    rows = sample.split("train")
    velocity, offset = rows.columns["velocity"], rows.columns["offset"]
    assert velocity.shape[1:] == offset.shape[1:] == (2 * BAR, DRUMS)
    assert (velocity.dtype, offset.dtype) == (torch.uint8, torch.int8)
    assert not offset[velocity == 0].any()
    assert (velocity.unflatten(1, (2, BAR)) > 0).flatten(2).any(2).all()
    performance, bar = rows.columns["performance"], rows.columns["bar"]
    follows = (performance[1:] == performance[:-1]) & (bar[1:] == bar[:-1] + 1)
    assert follows.float().mean() > 0.9
    after = follows.nonzero()[0, 0]
    torch.testing.assert_close(velocity[after, BAR:], velocity[after + 1, :BAR])


def test_a_catalogue_divides_as_it_says_and_holds_out_whole_sessions(sample):
    entries = read_catalogue(bundled("groove_sample.zip"))
    by_name = {source.rpartition("!")[2]: entry for source, entry in entries.items()}
    sessions = {
        split: {(by_name[one].drummer, by_name[one].session) for one in names(sample, split)}
        for split in ("train", "val", "test")
    }
    assert {by_name[one].split for one in names(sample, "test")} == {"validation"}
    assert {by_name[one].split for one in names(sample, "train")} == {"train"}
    assert {by_name[one].split for one in names(sample, "val")} == {"train"}
    assert not sessions["train"] & sessions["val"]
    counts = {split: len(sample.split(split)) for split in ("train", "val", "all", "test")}
    assert 0.03 < counts["val"] / (counts["train"] + counts["val"]) < 0.2
    assert counts["all"] == counts["train"] + counts["val"] + counts["test"]


def test_a_collections_own_test_set_is_in_no_split(unpacked, tmp_path):
    folder = tmp_path / "groove"
    shutil.copytree(unpacked, folder)
    info = folder / "info.csv"
    info.write_text(info.read_text().replace(",validation", ",test"))
    data = dataset(folder)
    with pytest.raises(DataError, match="for 'test'"):
        data.split("test")
    assert len(names(data, "all")) == 20


def test_folder_and_zip_are_the_same(sample, unpacked):
    folder = dataset(unpacked)
    for split in ("train", "val", "test"):
        for name in ("velocity", "offset", "bpm", "bar"):
            torch.testing.assert_close(
                folder.split(split).columns[name], sample.split(split).columns[name]
            )


def test_labels_are_the_catalogues(sample, unpacked, tmp_path):
    rows = sample.split("test").take(torch.arange(3))
    labels = sample.labels(rows)
    assert next(iter(labels)) == "style"
    assert set(labels["style"]) == {"latin"}
    assert set(labels["drummer"]) == {"drummer1"}
    assert labels["name"][0].endswith(", bar 1")
    hits = (rows["velocity"] > 0).sum((1, 2)) / 2
    np.testing.assert_allclose(labels["hits per bar"], hits)
    np.testing.assert_allclose(labels["bpm"], 95, atol=0.01)
    shutil.copytree(unpacked / "drummer1" / "session1", tmp_path / "mine")
    plain = dataset(tmp_path / "mine")
    assert set(plain.labels(plain.split("all").take(torch.arange(2)))["folder"]) == {"mine"}


def test_files_in_other_metres_or_too_short_are_named_with_the_reason(unpacked, tmp_path):
    codec = DrumCodec(PartConfig(), hits_shape(2))
    velocity, offset = np.zeros((BAR, DRUMS), np.uint8), np.zeros((BAR, DRUMS), np.int8)
    velocity[::4, KICK] = 90
    bar = passage_of(velocity, offset)
    three = Passage("3/4", *(getattr(bar, n)[:12] for n in ("velocity", "offset", "taps")))
    gap = passage_of(np.concatenate([velocity, 0 * velocity] * 3), np.tile(offset, (6, 1)))
    files = {"short": (bar,), "waltz": (three,) * 4, "gap": (gap,)}
    for name, passages in files.items():
        codec.write(Document(Performance(passages), name), tmp_path / name, {})
    shutil.copy(next((unpacked / "drummer9").rglob("*.mid")), tmp_path / "good.mid")
    (tmp_path / "bad.mid").write_bytes(b"MThd no")
    data = dataset(tmp_path)
    reasons = {Path(skip.source).stem: skip.reason for skip in data.skipped}
    assert reasons["short"] == "shorter than 2 bars of 4/4"
    assert reasons["waltz"] == "metre not learnt: 3/4"
    assert reasons["gap"] == "a bar of silence in every window"
    assert set(reasons) == {"short", "waltz", "gap", "bad"}
    assert names(data, "all") == {str(tmp_path / "good.mid")}


def test_what_gives_nothing_says_why(tmp_path):
    with pytest.raises(DataError, match="no such file or folder"):
        dataset(tmp_path / "none")
    with pytest.raises(DataError, match="none of 0 MIDI files"):
        dataset(tmp_path)
    with pytest.raises(DataError, match="no hit of the nine drums"):
        dataset(extracted_melody(tmp_path))
    with pytest.raises(DataError, match=r"no split 'tests'.*test"):
        dataset().split("tests")


def extracted_melody(folder: Path) -> Path:
    with zipfile.ZipFile(bundled("folk_tunes.zip")) as archive:
        (folder / "tune.mid").write_bytes(archive.read(archive.namelist()[5]))
    return folder


@pytest.mark.parametrize(
    "text", ["", "midi_filename,split\nx.mid,train\n", "midi_filename;split;drummer\n1;2;3\n"]
)
def test_a_damaged_catalogue_says_what_is_missing(unpacked, tmp_path, text):
    shutil.copytree(unpacked / "drummer9", tmp_path / "drummer9")
    (tmp_path / "info.csv").write_text(text)
    with pytest.raises(DataError, match="has no column"):
        dataset(tmp_path)


def test_performances_that_share_eight_bars_stay_together():
    draw = np.random.default_rng(0)

    def played(bars: int) -> np.ndarray:
        return (draw.random((bars * BAR, DRUMS)) < 0.2).astype(np.uint8) * 90

    def performance(velocity: np.ndarray) -> Performance:
        return Performance((passage_of(velocity, np.zeros_like(velocity, np.int8)),))

    shared = played(8)
    alone = [performance(played(10)) for _ in range(60)]
    twins = [
        performance(np.concatenate([played(2), shared, played(3)])),
        performance(np.concatenate([shared * 0 + shared // 2, played(1)])),
    ]
    for _ in range(3):
        split = by_content([*alone, *twins])
        assert set(split.tolist()) == {0, 1, 2}
        assert split[-1] == split[-2]
        twins.reverse()


def test_a_models_shape_says_how_many_bars():
    for shape in (hits_shape(4), groove_shape(4)):
        data = DrumDataset.fitted(DrumDataset.Config(), shape)
        assert data.split("all").columns["velocity"].shape[1:] == (4 * BAR, DRUMS)


def test_snare_and_kick_are_where_rock_has_them(sample):
    rows = sample.split("all").columns
    rock = [n for n, name in enumerate(sample.performances) if "drummer9" in name]
    velocity = rows["velocity"][torch.isin(rows["performance"], torch.tensor(rock))]
    by_step = (velocity.unflatten(1, (2, BAR)) > 0).float().mean((0, 1))
    assert by_step[[4, 12], SNARE].min() > 0.7
    assert by_step[0, KICK] > 0.7
