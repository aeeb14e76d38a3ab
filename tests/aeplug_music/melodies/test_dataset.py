"""Built folders and the data set that reads them."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pretty_midi
import pytest
import torch

from aeplug.config import config_of
from aeplug.data.build import build
from aeplug.data.bundled import find_bundled
from aeplug.errors import DataError
from aeplug_music.corpus.build import build_melodies
from aeplug_music.corpus.fingerprints import (
    find_unique,
    fingerprint,
    sort_hashes,
    transpose_to_lowest,
)
from aeplug_music.corpus.splitting import assign_splits, find_groups
from aeplug_music.melodies.dataset import MelodyDataset, melody_shape
from aeplug_music.score.metres import METRES

Config = config_of(MelodyDataset)


def nothing(done, total):
    pass


@pytest.fixture(scope="module")
def whole():
    return MelodyDataset(Config())


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """120 bundled tunes as a zip, and built."""
    folder = tmp_path_factory.mktemp("few")
    with (
        zipfile.ZipFile(find_bundled("folk_tunes.zip")) as archive,
        zipfile.ZipFile(folder / "few.zip", "w") as out,
    ):
        for name in archive.namelist()[::36]:
            out.writestr(name, archive.read(name))
    report = build(build_melodies, [str(folder / "few.zip")], folder / "built", 2, nothing)
    return folder, report


def test_the_bundled_set(whole):
    assert whole.shape == melody_shape(2, METRES)
    assert whole.shape.conditions["metre"][:6] == ("4/4", "3/4", "6/8", "2/4", "2/2", "9/8")
    columns = whole.split("train").columns
    assert {name: (c.dtype, c.dim()) for name, c in columns.items()} == {
        "tokens": (torch.uint8, 2),
        "metre": (torch.int64, 1),
        "tune": (torch.int64, 1),
        "bar": (torch.int64, 1),
    }
    sizes = {name: len(whole.split(name)) for name in ("train", "val", "test", "all")}
    assert sizes["train"] + sizes["val"] + sizes["test"] == sizes["all"] > 60_000
    assert 0.02 < sizes["val"] / sizes["all"] < 0.08
    assert 0.02 < sizes["test"] / sizes["all"] < 0.08
    for metre in range(6):
        assert (columns["metre"] == metre).any()


def test_no_window_of_a_split_is_in_another_in_any_key(whole):
    keys = {}
    for name in ("train", "val", "test"):
        columns = whole.split(name).columns
        keys[name] = set(
            fingerprint(
                transpose_to_lowest(columns["tokens"].numpy()), columns["metre"].numpy()
            ).tolist()
        )
    assert not keys["train"] & keys["val"]
    assert not keys["train"] & keys["test"]
    assert not keys["val"] & keys["test"]


def test_no_window_twice(whole):
    columns = whole.split("all").columns
    rows = torch.cat([columns["tokens"], columns["metre"].unsqueeze(1).to(torch.uint8)], 1).numpy()
    assert len(np.unique(rows, axis=0)) == len(rows)


def test_a_built_folder_gives_the_same_as_its_files(few):
    folder, report = few
    built = MelodyDataset(Config(path=str(folder / "built")))
    direct = MelodyDataset(Config(path=str(folder / "few.zip")))
    assert built.tunes == direct.tunes
    for split in ("train", "val", "test", "all"):
        a, b = built.split(split).columns, direct.split(split).columns
        assert all(torch.equal(a[name], b[name]) for name in a)
    assert report.figures["windows"] == len(built.split("all"))
    assert report.figures["files"] == 118
    assert report.figures["val_windows"] == len(built.split("val"))


def test_the_index_names_source_bar_metre_and_key(few):
    folder, _ = few
    index = json.loads((folder / "built" / "index.json").read_text(encoding="utf-8"))
    assert (index["format"], index["bars"], index["metres"]) == (1, 2, list(METRES))
    tokens = np.load(folder / "built" / "tokens.npy", mmap_mode="r")
    assert tokens.dtype == np.uint8
    assert index["tunes"][-1]["rows"][1] == len(tokens)
    for tune in index["tunes"]:
        assert tune["source"].startswith(f"{folder / 'few.zip'}!")
        assert len(tune["bar"]) == tune["rows"][1] - tune["rows"][0]
        # A name, or one for each window, as where a few bars are in triplets.
        names = tune["metre"] if isinstance(tune["metre"], list) else [tune["metre"]]
        assert set(names) <= set(METRES)
        assert -5 <= tune["key_shift"] <= 6
        assert tune["split"] in ("train", "val", "test")


@pytest.mark.parametrize("processes", [1, 3])
def test_neither_processes_nor_order_matter(few, tmp_path, processes):
    folder, _ = few
    unpacked = tmp_path / "unpacked"
    with zipfile.ZipFile(folder / "few.zip") as archive:
        archive.extractall(unpacked)
    build(build_melodies, [str(unpacked)], tmp_path / "out", processes, nothing)
    again = np.load(tmp_path / "out" / "tokens.npy")
    first = np.load(folder / "built" / "tokens.npy")
    assert np.array_equal(again, first)


def test_fewer_metres_and_more_bars(few):
    folder, _ = few
    two = MelodyDataset(Config(path=str(folder / "few.zip"), metres=["2/4", "6/8"], bars=4))
    assert two.config.metres == ("6/8", "2/4")
    assert two.shape.input == (48,)
    assert set(two.split("all").columns["metre"].tolist()) == {0, 1}
    built = MelodyDataset(Config(path=str(folder / "built"), metres="6/8, 2/4"))
    assert built.split("train").columns["tokens"].shape[1] == 24


def test_fitted_to_a_model(few):
    folder, _ = few
    shape = melody_shape(2, ("6/8", "2/4"))
    fitted = MelodyDataset.with_shape(Config(path=str(folder / "few.zip")), shape)
    assert fitted.shape == shape


def test_wrong_settings(few):
    folder, _ = few
    with pytest.raises(ValueError, match="no metre '7/9'"):
        Config(metres=["7/9"])
    with pytest.raises(DataError, match=r"built for windows of 2 bars, not of 4; set data.bars=2"):
        MelodyDataset(Config(path=str(folder / "built"), bars=4))
    with pytest.raises(DataError, match=r"no split 'tset'\. Did you mean 'test'"):
        MelodyDataset(Config(path=str(folder / "built"))).split("tset")
    with pytest.raises(DataError, match="no such file"):
        MelodyDataset(Config(path=str(folder / "nowhere")))
    with pytest.raises(DataError, match="has no window in 3/2"):
        MelodyDataset(Config(path=str(folder / "built"), metres=["3/2"]))


@pytest.mark.parametrize("damage", ["cut index", "no tokens", "short tokens", "format", "no rows"])
def test_a_damaged_folder(few, tmp_path, damage):
    folder, _ = few
    built = tmp_path / "built"
    shutil.copytree(folder / "built", built)
    index = built / "index.json"
    text = index.read_text(encoding="utf-8")
    if damage == "cut index":
        index.write_text(text[:1000], encoding="utf-8")
    elif damage == "no tokens":
        (built / "tokens.npy").unlink()
    elif damage == "short tokens":
        os.truncate(built / "tokens.npy", 1000)
    elif damage == "format":
        index.write_text(text.replace('"format": 1', '"format": 9', 1), encoding="utf-8")
    else:
        np.save(built / "tokens.npy", np.load(built / "tokens.npy")[:-1])
    with pytest.raises(DataError, match=r"damaged|not a built folder|format 9"):
        MelodyDataset(Config(path=str(built)))


def test_too_few_tunes_to_hold_any_out(tmp_path):
    with zipfile.ZipFile(find_bundled("folk_tunes.zip")) as archive:
        name = archive.namelist()[0]
        (tmp_path / "one.mid").write_bytes(archive.read(name))
    one = MelodyDataset(Config(path=str(tmp_path / "one.mid")))
    assert len(one.split("train")) == len(one.split("all")) > 5
    with pytest.raises(DataError, match="too few"):
        one.split("val")


def test_all_melodies_of_a_file_and_one_split(tmp_path):
    midi = pretty_midi.PrettyMIDI()
    for voice in range(2):
        instrument = pretty_midi.Instrument(voice, name=f"voice {voice}")
        for n in range(32):
            pitch = 60 + 12 * voice + (n * (voice + 2)) % 7
            instrument.notes.append(pretty_midi.Note(80, pitch, n / 4, n / 4 + 0.25))
        midi.instruments.append(instrument)
    midi.write(str(tmp_path / "duet.mid"))
    build(build_melodies, [str(tmp_path / "duet.mid")], tmp_path / "out", 1, nothing)
    index = json.loads((tmp_path / "out" / "index.json").read_text(encoding="utf-8"))
    assert [tune["title"] for tune in index["tunes"]] == ["voice 0", "voice 1"]


def tune(bars, name):
    """Bars of four quarters each, by the pitch of the first, as MIDI."""
    midi = pretty_midi.PrettyMIDI()
    instrument = pretty_midi.Instrument(0, name=name)
    for n, pitch in enumerate(pitch for bar in bars for pitch in range(bar, bar + 4)):
        instrument.notes.append(pretty_midi.Note(80, pitch, n / 2, n / 2 + 0.5))
    midi.instruments.append(instrument)
    return midi


def test_what_a_tune_repeats_is_kept_and_counted_once(tmp_path):
    tune([60, 64, 60, 64, 60, 64, 67], "a").write(str(tmp_path / "a.mid"))
    tune([67, 60, 64, 67], "b").write(str(tmp_path / "b.mid"))
    sources = [str(tmp_path / name) for name in ("a.mid", "b.mid")]
    report = build(build_melodies, sources, tmp_path / "out", 1, nothing)
    # a: 60-64, 64-60, 64-67; b: 67-60.
    assert report.figures["windows"] == 4
    assert report.figures["duplicate_windows_dropped"] == 3 + 2
    index = json.loads((tmp_path / "out" / "index.json").read_text(encoding="utf-8"))
    assert [one["bar"] for one in index["tunes"]] == [[0, 1, 5], [0]]
    assert len({one["split"] for one in index["tunes"]}) == 1


def test_the_index_is_written_as_json_writes_it(tmp_path):
    title = 'Ein "Lied" \\\tzwei'
    tune([60, 62, 64], title).write(str(tmp_path / '♫ "x".mid'))
    build(build_melodies, [str(tmp_path)], tmp_path / "out", 1, nothing)
    text = (tmp_path / "out" / "index.json").read_text(encoding="utf-8")
    index = json.loads(text)
    lines = [json.dumps(one, ensure_ascii=False) for one in index["tunes"]]
    assert text.splitlines()[1:-1] == lines
    assert index["tunes"][0]["source"] == str(tmp_path / '♫ "x".mid')


def test_first_of_each():
    hashes = np.array([5, 3, 5, 2**64 - 1, 3, 0], np.uint64)
    assert find_unique(hashes).tolist() == [0, 1, 3, 5]
    assert find_unique(hashes[:0]).tolist() == []


@pytest.mark.parametrize("bits", [2, 8, 40, 64])
def test_in_order_is_a_stable_sort(bits):
    # Of few bits, equal numbers and such as differ in the low bits only.
    draw = np.random.default_rng(bits)
    for count in (0, 1, 2, 3, 1000):
        for hashes in (
            draw.integers(0, 2**bits - 1, count, np.uint64, endpoint=True),
            np.uint64(2**64 - 1) - draw.integers(0, 2**bits - 1, count, np.uint64, endpoint=True),
        ):
            order, ordered = sort_hashes(hashes)
            assert np.array_equal(order, np.argsort(hashes, kind="stable"))
            assert np.array_equal(ordered, np.sort(hashes))


def test_groups_are_chains_of_equal_keys():
    item = np.array([0, 1, 1, 2, 3, 4, 4])
    key = np.array([7, 7, 8, 8, 9, 9, 5], np.uint64)
    assert find_groups(6, item, key)[0].tolist() == [0, 0, 0, 3, 3, 5]


def test_groups_of_many_in_a_long_chain():
    count = 2000
    order = np.random.default_rng(0).permutation(count)
    item = np.concatenate([order[:-1], order[1:]])
    key = np.concatenate([np.arange(count - 1)] * 2).astype(np.uint64)
    assert (find_groups(count, item, key)[0] == 0).all()


def test_a_split_does_not_depend_on_the_order_of_files():
    draw = np.random.default_rng(1)
    item = np.repeat(np.arange(500), 3)
    key = draw.integers(0, 2**63, 1500).astype(np.uint64)
    split = assign_splits(500, item, key)
    order = draw.permutation(500)
    other = assign_splits(500, np.repeat(np.arange(500), 3), key.reshape(500, 3)[order].reshape(-1))
    assert np.array_equal(other, split[order])
    assert 10 < (split == 1).sum() < 45
    assert 10 < (split == 2).sum() < 45


def test_listing_the_plug_in_imports_nothing_heavy():
    code = (
        "import sys, aeplug_music; list(aeplug_music.aeplug_codecs());"
        "list(aeplug_music.aeplug_datasets());"
        "print([m for m in ('torch', 'numpy', 'symusic', 'pretty_midi') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_readers_import_no_torch():
    readers = "aeplug_music.corpus.workers, aeplug_music.corpus.build"
    code = f"import sys, {readers}; print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_a_file_that_adds_nothing_is_listed(few, tmp_path):
    folder, _ = few
    shutil.copy(folder / "few.zip", tmp_path / "again.zip")
    shutil.copy(folder / "few.zip", tmp_path / "few.zip")
    report = build(build_melodies, [str(tmp_path)], tmp_path / "out", 1, nothing)
    assert report.figures["files"] == 236
    assert dict(report.reasons())["every window is in an earlier file"] >= 118
    once = np.load(folder / "built" / "tokens.npy")
    assert np.array_equal(np.load(tmp_path / "out" / "tokens.npy"), once)


def split_by_source(folder):
    index = json.loads((folder / "index.json").read_text())
    return {tune["source"]: tune["split"] for tune in index["tunes"]}


def test_a_source_is_held_out_as_when_built_alone(few, tmp_path):
    folder, _ = few
    zipped = str(folder / "few.zip")
    alone = split_by_source(folder / "built")
    heard = next(name for name, split in alone.items() if split == "train").split("!")[1]
    kept = next(name for name, split in alone.items() if split == "test").split("!")[1]
    other = tmp_path / "other"
    with zipfile.ZipFile(zipped) as archive:
        for name in (heard, kept):
            # Five semitones up: not the same windows, nor others.
            midi = pretty_midi.PrettyMIDI(io.BytesIO(archive.read(name)))
            for note in (note for one in midi.instruments for note in one.notes):
                note.pitch += 5
            (other / name).parent.mkdir(parents=True, exist_ok=True)
            midi.write(str(other / name))
    report = build(
        build_melodies, [str(other), zipped], tmp_path / "out", 2, nothing, {"split_of": zipped}
    )
    found = split_by_source(tmp_path / "out")
    assert {name: found[name] for name in alone} == alone
    assert found[str(other / heard)] == "train"
    assert str(other / kept) not in found
    (left_out,) = [skip for skip in report.skipped if "held-out" in skip.reason]
    assert left_out.source == str(other / kept)


def test_a_source_to_hold_out_by_must_be_built(few, tmp_path):
    zipped = str(few[0] / "few.zip")
    with pytest.raises(DataError, match=r"--split-of fw\.zip: not one of SOURCES"):
        build(build_melodies, [zipped], tmp_path / "out", 2, nothing, {"split_of": "fw.zip"})
