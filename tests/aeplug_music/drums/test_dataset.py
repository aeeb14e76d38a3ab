"""Drums as a data set: the bundled patterns, a catalogue's division, a user's own files."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from aeplug.config import PartConfig
from aeplug.data.bundled import find_bundled
from aeplug.data.splits import first_items
from aeplug.errors import DataError
from aeplug.interfaces import Document
from aeplug_music.drums.catalogue import read_catalogue
from aeplug_music.drums.codec import DrumCodec
from aeplug_music.drums.dataset import DrumDataset, DrumSplit
from aeplug_music.drums.kit import BAR, CLOSED_HAT, DRUMS, KICK, RIDE, SNARE, combine_hits
from aeplug_music.drums.performance import Passage, Performance, make_passage
from aeplug_music.drums.sequences import performance_windows
from aeplug_music.drums.splits import split_by_content
from aeplug_music.drums.window_shape import groove_shape, hits_shape


def dataset(path: object = "", bars: int = 2) -> DrumDataset:
    return DrumDataset(DrumDataset.Config(path=str(path), bars=bars))


@pytest.fixture(scope="module")
def patterns() -> DrumDataset:
    """The bundled patterns."""
    return dataset()


def test_a_split_knows_its_data_set_wherever_it_goes(patterns):
    split = patterns.split("test")
    moved = first_items(split.to(torch.device("cpu")), 3)
    assert isinstance(moved, DrumSplit) and moved.dataset is patterns and len(moved) == 3
    assert torch.equal(moved.take(torch.tensor([2]))["bar"], split.take(torch.tensor([2]))["bar"])


@pytest.fixture(scope="module")
def collection(tmp_path_factory) -> Path:
    """25 performances as MIDI with a catalogue as Groove MIDI has it, two of each session."""
    folder = tmp_path_factory.mktemp("collection")
    codec = DrumCodec(PartConfig(), groove_shape(2))
    rows = ["drummer,session,id,style,bpm,midi_filename,split"]
    files = [path for path in sorted(find_bundled("patterns").glob("*.drums")) if four_four(path)][
        :25
    ]
    for number, path in enumerate(files):
        drummer, session = f"drummer{number // 4}", f"session{number // 2 % 2}"
        place = folder / drummer / session
        place.mkdir(parents=True, exist_ok=True)
        document = codec.read(path)
        codec.write(document, place / path.stem, {})
        style, name = path.stem.replace("-", "/", 1), f"{drummer}/{session}/{path.stem}.mid"
        split = "validation" if number >= 20 else "train"
        bpm = round(document.content.bpm)
        rows.append(f"{drummer},{session},{number},{style},{bpm},{name},{split}")
    (folder / "info.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="module")
def sample(collection) -> DrumDataset:
    return dataset(collection)


def four_four(path: Path) -> bool:
    return "metre: 4/4" in path.read_text()


def names(data: DrumDataset, split: str) -> set[str]:
    numbers = data.split(split).columns["performance"].unique().tolist()
    return {data.performances[one].rpartition("!")[2] for one in numbers}


def test_every_bundled_pattern_in_four_four_is_learnt_from_or_held_out(patterns):
    files = sorted(find_bundled("patterns").glob("*.drums"))
    assert len(files) >= 40
    held = {split: names(patterns, split) for split in ("train", "val", "test")}
    assert sum(map(len, held.values())) == sum(map(four_four, files))
    assert {one.source for one in patterns.skipped} == {
        str(path) for path in files if not four_four(path)
    }
    assert {one.reason for one in patterns.skipped} == {
        "metre not learnt: 3/4",
        "metre not learnt: 6/8",
    }
    for name in ("val", "test"):
        assert 0.05 < len(patterns.split(name)) / len(patterns.split("all")) < 0.2
        styles = patterns.labels(patterns.split(name).take(torch.arange(50)))["style"]
        assert len(set(styles)) >= 2
    assert set(patterns.labels(patterns.split("train").take(torch.arange(2)))) == {
        *("style", "hits per bar", "bpm", "name")
    }


def test_no_bar_of_a_held_out_pattern_is_trained_on():
    data = dataset(bars=1)
    bars = {
        split: {combine_hits(bar).tobytes() for bar in velocity_of(data, split)}
        for split in ("train", "val", "test")
    }
    assert min(map(len, bars.values())) > 15
    assert not bars["train"] & (bars["val"] | bars["test"])


def velocity_of(data: DrumDataset, split: str) -> np.ndarray:
    return data.split(split).columns["velocity"].numpy()


def test_there_are_windows_of_sixteen_bars_to_learn_from_and_to_hold_out():
    long = dataset(bars=16)
    assert [len(long.split(split)) >= 20 for split in ("train", "val", "test")] == [True] * 3
    assert len(long.split("train")) > 300


def test_windows_are_performances_bar_by_bar(patterns):
    rows = patterns.split("train")
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


def test_a_catalogue_divides_as_it_says_and_holds_out_whole_sessions(sample, collection):
    by_name = read_catalogue(collection)
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


def test_a_collections_own_test_set_is_in_no_split(collection, tmp_path):
    folder = tmp_path / "groove"
    shutil.copytree(collection, folder)
    info = folder / "info.csv"
    info.write_text(info.read_text().replace(",validation", ",test"))
    data = dataset(folder)
    with pytest.raises(DataError, match="for 'test'"):
        data.split("test")
    assert len(names(data, "all")) == 20


def test_folder_and_zip_are_the_same(sample, patterns, collection, tmp_path):
    for data, folder in ((sample, collection), (patterns, find_bundled("patterns"))):
        packed = dataset(shutil.make_archive(str(tmp_path / folder.name), "zip", folder))
        for split in ("train", "val", "test"):
            for name in ("velocity", "offset", "bpm", "bar"):
                torch.testing.assert_close(
                    packed.split(split).columns[name], data.split(split).columns[name]
                )


def test_a_pattern_as_text_and_the_same_as_midi_are_the_same_windows(patterns, sample):
    rows = {}
    for data in (patterns, sample):
        (number,) = (n for n, name in enumerate(data.performances) if "jazz-ballad" in name)
        columns = data.split("all").columns
        mine = columns["performance"] == number
        rows[id(data)] = {name: columns[name][mine] for name in ("velocity", "offset", "bar")}
    assert len(rows[id(sample)]["bar"]) > 10
    for name, column in rows[id(patterns)].items():
        torch.testing.assert_close(column, rows[id(sample)][name])
    assert rows[id(sample)]["offset"].any()


def test_labels_are_the_catalogues(sample, collection, tmp_path):
    rows = sample.split("test").take(torch.arange(3))
    labels = sample.labels(rows)
    assert next(iter(labels)) == "style"
    assert set(labels["style"]) == {"latin"}
    assert set(labels["drummer"]) == {"drummer5"}
    assert labels["name"][0].endswith(", bar 1")
    hits = (rows["velocity"] > 0).sum((1, 2)) / 2
    np.testing.assert_allclose(labels["hits per bar"], hits)
    np.testing.assert_allclose(labels["bpm"], 118, atol=0.01)
    shutil.copytree(collection / "drummer1" / "session1", tmp_path / "mine")
    plain = dataset(tmp_path / "mine")
    assert set(plain.labels(plain.split("all").take(torch.arange(2)))["folder"]) == {"mine"}


def test_files_in_other_metres_or_too_short_are_named_with_the_reason(collection, tmp_path):
    codec = DrumCodec(PartConfig(), hits_shape(2))
    velocity, offset = np.zeros((BAR, DRUMS), np.uint8), np.zeros((BAR, DRUMS), np.int8)
    velocity[::4, KICK] = 90
    bar = make_passage(velocity, offset)
    three = Passage("3/4", *(getattr(bar, n)[:12] for n in ("velocity", "offset", "taps")))
    gap = make_passage(np.concatenate([velocity, 0 * velocity] * 3), np.tile(offset, (6, 1)))
    files = {"short": (bar,), "waltz": (three,) * 4, "gap": (gap,)}
    for name, passages in files.items():
        codec.write(Document(Performance(passages), name), tmp_path / name, {})
    shutil.copy(next((collection / "drummer1").rglob("*.mid")), tmp_path / "good.mid")
    (tmp_path / "bad.mid").write_bytes(b"MThd no")
    (tmp_path / "wrong.drums").write_text("metre: 4/4\ntempo: 90\n[A]\nkick | x |\n")
    data = dataset(tmp_path)
    reasons = {Path(skip.source).stem: skip.reason for skip in data.skipped}
    assert reasons["short"] == "shorter than 2 bars of 4/4"
    assert reasons["waltz"] == "metre not learnt: 3/4"
    assert reasons["gap"] == "a bar of silence in every window"
    assert reasons["wrong"] == "no drum pattern"
    assert set(reasons) == {"short", "waltz", "gap", "bad", "wrong"}
    (wrong,) = (skip for skip in data.skipped if skip.source.endswith(".drums"))
    assert wrong.detail == "line 4: kick, bar 1: 1 cells, expected 16 (4 a quarter in 4/4)"
    assert names(data, "all") == {str(tmp_path / "good.mid")}


def test_what_gives_nothing_says_why(tmp_path):
    with pytest.raises(DataError, match="no such file or folder"):
        dataset(tmp_path / "none")
    with pytest.raises(DataError, match="none of 0 MIDI files and patterns"):
        dataset(tmp_path)
    with pytest.raises(DataError, match="no hit of the nine drums"):
        dataset(extracted_melody(tmp_path))
    with pytest.raises(DataError, match=r"no split 'tests'.*test"):
        dataset().split("tests")


def extracted_melody(folder: Path) -> Path:
    with zipfile.ZipFile(find_bundled("folk_tunes.zip")) as archive:
        (folder / "tune.mid").write_bytes(archive.read(archive.namelist()[5]))
    return folder


@pytest.mark.parametrize(
    "text", ["", "midi_filename,split\nx.mid,train\n", "midi_filename;split;drummer\n1;2;3\n"]
)
def test_a_damaged_catalogue_says_what_is_missing(collection, tmp_path, text):
    shutil.copytree(collection / "drummer1", tmp_path / "drummer1")
    (tmp_path / "info.csv").write_text(text)
    with pytest.raises(DataError, match="has no column"):
        dataset(tmp_path)


def test_performances_that_share_eight_bars_stay_together():
    draw = np.random.default_rng(0)

    def played(bars: int) -> np.ndarray:
        return (draw.random((bars * BAR, DRUMS)) < 0.2).astype(np.uint8) * 90

    def performance(velocity: np.ndarray) -> Performance:
        return Performance((make_passage(velocity, np.zeros_like(velocity, np.int8)),))

    shared = played(8)
    alone = [performance(played(10)) for _ in range(60)]
    twins = [
        performance(np.concatenate([played(2), shared, played(3)])),
        performance(np.concatenate([shared * 0 + shared // 2, played(1)])),
    ]
    for _ in range(3):
        split = split_by_content([*alone, *twins])
        assert set(split.tolist()) == {0, 1, 2}
        assert split[-1] == split[-2]
        twins.reverse()


def test_patterns_without_a_split_are_trained_on_beside_those_with_one(tmp_path):
    source = (find_bundled("patterns") / "rock-toms.drums").read_text()
    for name, line in (("none", ""), ("held", "split: test\n")):
        (tmp_path / f"{name}.drums").write_text(source.replace("split: train\n", line))
    data = dataset(tmp_path)
    assert names(data, "train") == {str(tmp_path / "none.drums")}
    assert names(data, "test") == {str(tmp_path / "held.drums")}
    with pytest.raises(DataError, match=r"for 'val'.*Groove MIDI Dataset") as refused:
        data.split("val")
    assert "\n" not in str(refused.value)
    (tmp_path / "held.drums").write_text(source.replace("split: train\n", ""))
    alike = dataset(tmp_path)  # the same twice: nothing that could be held out
    assert names(alike, "all") == names(alike, "train")


def test_a_single_damaged_pattern_says_where(tmp_path):
    path = tmp_path / "mine.drums"
    path.write_text("metre: 4/4\ntempo: 90\n[A]\nkik | x... .... x... .... |\n")
    with pytest.raises(DataError, match=r"no drum pattern, line 4: no drum 'kik'.*'kick'"):
        dataset(path)


def test_a_models_shape_says_how_many_bars():
    for shape in (hits_shape(4), groove_shape(4)):
        data = DrumDataset.with_shape(DrumDataset.Config(), shape)
        assert data.split("all").columns["velocity"].shape[1:] == (4 * BAR, DRUMS)


def test_snare_and_kick_are_where_rock_has_them(patterns):
    rows = patterns.split("all").columns
    backbeat = ("rock-straight.drums", "rock-driving.drums")
    rock = [n for n, name in enumerate(patterns.performances) if name.endswith(backbeat)]
    velocity = rows["velocity"][torch.isin(rows["performance"], torch.tensor(rock))]
    by_step = (velocity.unflatten(1, (2, BAR)) > 0).float().mean((0, 1))
    assert by_step[[4, 12], SNARE].min() > 0.7
    assert by_step[0, KICK] > 0.7


class TestSequences:
    def test_a_performance_is_its_whole_windows_in_order(self, patterns):
        raw, counts = patterns.sequences("test", None)
        assert raw["velocity"].shape == raw["offset"].shape == (int(counts.sum()), 2 * BAR, DRUMS)
        split = patterns.split("test")
        rows = split.take(torch.arange(len(split)))
        first = rows["performance"] == rows["performance"][0]
        every_other = rows["velocity"][first][::2]
        assert torch.equal(raw["velocity"][: int(counts[0])], every_other)

    def test_altered_they_begin_a_bar_later_or_swap_drums(self, tmp_path):
        velocity = np.zeros((5 * BAR, DRUMS), np.uint8)
        velocity[::BAR, KICK] = [10, 20, 30, 40, 50]
        performance = Performance((make_passage(velocity, np.zeros_like(velocity, np.int8)),))
        draws = torch.Generator().manual_seed(0)
        kicks = []
        for _ in range(40):
            raw, counts = performance_windows([performance], 2, draws)
            assert counts.tolist() == [2]
            kicks.append(tuple(raw["velocity"][:, ::BAR, KICK].flatten().tolist()))
        assert set(kicks) == {(10, 20, 30, 40), (20, 30, 40, 50)}
        swapped = [
            float((performance_windows([hats], 2, draws)[0]["velocity"][..., RIDE] > 0).any())
            for hats in [with_hats(velocity)] * 200
        ]
        assert 0 < sum(swapped) < 40

    def test_what_has_no_whole_window_is_left_out(self):
        short = Performance((make_passage(*two_bars(1)), make_passage(*two_bars(2), "3/4")))
        raw, counts = performance_windows([short], 2)
        assert len(counts) == 0 and raw["velocity"].shape == (0, 2 * BAR, DRUMS)


def two_bars(bars):
    size = (bars * BAR, DRUMS)
    return np.full(size, 9, np.uint8), np.zeros(size, np.int8)


def with_hats(velocity):
    velocity = velocity.copy()
    velocity[:, CLOSED_HAT] = 70
    return Performance((make_passage(velocity, np.zeros_like(velocity, np.int8)),))
