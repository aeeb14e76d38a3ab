"""A folder of the user's own images: shapes, labels, splits, and a training on it."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from image_support import noise, save
from support import aeplug, environment

from aeplug.errors import DataError
from aeplug.runtime import is_figure
from aeplug_image.datasets import folder as module
from aeplug_image.datasets.folder import ImageFolder, ImageFolderConfig, _assign_splits
from aeplug_image.files.reading import Picture

NAMES = ("train", "val", "test")


def pictures(folder: Path, count: int, size: int = 16, channels: int = 3) -> Path:
    for number in range(count):
        save(folder / f"{number:03}.png", noise(size, size, channels, seed=number))
    return folder


def open_folder(folder: Path, **settings: object) -> ImageFolder:
    return ImageFolder(ImageFolderConfig(path=str(folder), **settings))


def test_names_that_are_no_text_train_like_others(tmp_path):
    odd = os.fsdecode(b"latin1-\xe9")
    pictures(tmp_path / odd / odd, 3, channels=1)
    save(tmp_path / odd / "b" / f"{odd}.png", noise(16, 16, 1, seed=9))
    done = aeplug(
        *("train", "mnist", "--data", odd, "--steps", 2, "--run", f"run-{odd}"),
        *("--set", "data.conditional=true"),
        env=environment(PYTHONIOENCODING="utf-8:strict"),  # as in most locales
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert is_figure(tmp_path / f"run-{odd}" / "curve.png")
    picture = tmp_path / odd / "b" / f"{odd}.png"
    out = tmp_path / f"{odd}.npz"
    done = aeplug("embed", tmp_path / f"run-{odd}", picture, "--out", out)
    assert done.returncode == 0, done.stderr
    assert np.load(out)["name"].tolist() == [str(picture)]


def columns(dataset: ImageFolder, name: str) -> dict[str, torch.Tensor]:
    split = dataset.split(name)
    return split.take(torch.arange(len(split)))


def test_equal_sizes_are_taken_as_they_are(tmp_path: Path) -> None:
    dataset = open_folder(pictures(tmp_path, 12))
    assert dataset.shape.input == dataset.shape.target == (3, 16, 16)
    images = columns(dataset, "all")["image"]
    assert images.dtype == torch.uint8 and images.shape == (12, 3, 16, 16)
    for number in range(12):
        expected = torch.from_numpy(noise(16, 16, 3, seed=number)).permute(2, 0, 1)
        assert torch.equal(images[number], expected)
    assert "label" not in columns(dataset, "all")
    assert sum(len(dataset.split(name)) for name in NAMES) == 12


def test_differing_sizes_need_a_size(tmp_path: Path) -> None:
    pictures(tmp_path, 4)
    save(tmp_path / "wide.jpg", noise(20, 40, 3))
    with pytest.raises(DataError, match=r"differ in size \(16x16 to 40x20\).*--set data.size=64"):
        open_folder(tmp_path)
    dataset = open_folder(tmp_path, size=24)
    assert dataset.shape.input == (3, 24, 24)
    assert columns(dataset, "all")["image"].shape == (5, 3, 24, 24)


@pytest.mark.parametrize(
    ("kinds", "settings", "channels"),
    [
        ((1, 1, 2), {}, 1),
        ((1, 3, 1), {}, 3),
        ((1, 1, 4), {}, 3),
        ((3, 4, 3), {"channels": 1}, 1),
        ((1, 1, 1), {"channels": 3}, 3),
    ],
)
@pytest.mark.parametrize("size", [0, 8])
def test_channels(
    tmp_path: Path, kinds: tuple[int, ...], settings: dict[str, int], channels: int, size: int
) -> None:
    for number, kind in enumerate(kinds):
        save(tmp_path / f"{number}.png", noise(9, 9, kind, seed=number))
    dataset = open_folder(tmp_path, size=size, **settings)
    assert dataset.shape.input == (channels, size or 9, size or 9)
    images = columns(dataset, "all")["image"]
    assert images.shape == (3, channels, size or 9, size or 9)
    if kinds[0] == 1 and channels == 3:
        assert torch.equal(images[0, 0], images[0, 2])


def test_two_channels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected 1 \(grey\) or 3"):
        open_folder(pictures(tmp_path, 3), channels=2)


def test_subfolders_are_labels(tmp_path: Path) -> None:
    for name in ("dogs/a.png", "cats/x/b.png", "cats/c.tif", "dogs/d.PNG"):
        path = save(tmp_path / name.lower(), noise(8, 8, 1))
        path.rename(tmp_path / name)
    labels = columns(open_folder(tmp_path), "all")["label"]
    assert labels.tolist() == [0, 0, 1, 1]  # cats/c, cats/x/b, dogs/a, dogs/d


def test_unreadable_files_are_left_out_with_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures(tmp_path, 4)
    (tmp_path / "bad.png").write_bytes(b"nonsense")
    (tmp_path / "notes.txt").write_text("no image, and none is expected")
    (tmp_path / "folder.png").mkdir()
    assert len(open_folder(tmp_path).split("all")) == 4
    err = capsys.readouterr().err
    assert f"left out: {tmp_path / 'bad.png'} is not an image" in err
    assert "folder.png is a folder" in err
    assert "notes" not in err
    for number in range(9):
        (tmp_path / f"empty{number}.jpg").touch()
    assert len(open_folder(tmp_path).split("all")) == 4
    err = capsys.readouterr().err
    assert err.count("left out:") == 6
    assert "left out: 6 more files" in err


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no readable image"):
        open_folder(tmp_path)
    for bad in (str(tmp_path / "none"), ""):
        with pytest.raises(DataError, match="does not exist or is not a folder"):
            ImageFolder(ImageFolderConfig(path=bad))


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_for_training(tmp_path: Path, count: int) -> None:
    dataset = open_folder(pictures(tmp_path, count))
    assert len(dataset.split("all")) == count
    with pytest.raises(DataError, match=f"holds {count} images, too few for a split 'train'.*3"):
        dataset.split("train")


@given(names=st.lists(st.text(min_size=1), min_size=3, max_size=40, unique=True))
def test_every_split_has_some(names: list[str]) -> None:
    assert set(_assign_splits(names, 0.05)) == set(NAMES)
    assert set(_assign_splits(names, 0.49)) == set(NAMES)


@given(
    names=st.lists(st.text(min_size=1), min_size=3, max_size=20, unique=True),
    seed=st.integers(0, 9),
)
def test_splits_do_not_hang_on_the_order(names: list[str], seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(names))
    splits = _assign_splits(names, 0.2)
    assert _assign_splits([names[i] for i in order], 0.2) == [splits[i] for i in order]


def test_splits_stay_when_files_come() -> None:
    names = [f"{number}.png" for number in range(3000)]
    before, after = _assign_splits(names[::3], 0.05), _assign_splits(names, 0.05)[::3]
    assert before == after
    shares = {name: before.count(name) / len(before) for name in NAMES}
    assert shares["val"] == pytest.approx(0.05, abs=0.02)
    assert shares["test"] == pytest.approx(0.05, abs=0.02)


class _HashedByPlace(Picture):
    __hash__ = object.__hash__
    __eq__ = object.__eq__


def test_large_pictures_are_not_kept_beside_their_small_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive: weakref.WeakSet[Any] = weakref.WeakSet()
    counts = []

    def read(path: Path) -> Picture:
        picture = _HashedByPlace(noise(64, 64, 3))
        alive.add(picture)
        gc.collect()
        counts.append(len(alive))
        return picture

    monkeypatch.setattr(module, "read_picture", read)
    for number in range(6):
        (tmp_path / f"{number}.png").touch()
    assert len(open_folder(tmp_path, size=8).split("all")) == 6
    assert len(counts) == 6 and max(counts) <= 2  # the one being read, and the last


# Through the command line


def run(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    done = aeplug(*arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done


def test_train_and_evaluate_on_a_folder(tmp_path: Path) -> None:
    own = tmp_path / "own"
    for number in range(12):
        save(own / f"{'ab'[number % 2]}/{number}.png", noise(20 + number, 30, 3, seed=number))
    (own / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not really")
    setup = ("--data", own, "--set", "data.size=32", "--set", "batch_size=4", "--device", "cpu")
    done = run("train", "mnist-vae", *setup, "--steps", 3, "--run", "r", cwd=tmp_path)
    assert "left out:" in done.stderr and "broken.jpg" in done.stderr
    assert "r" in done.stdout
    config = json.loads((tmp_path / "r/config.json").read_text())
    assert config["data"]["name"] == "image-folder" and config["data"]["size"] == 32
    for name in ("curve.png", "reconstructions.png", "samples.png"):
        assert (tmp_path / "r" / name).stat().st_size > 1000

    done = run("evaluate", "r", "--data", own, "--json", "--device", "cpu", cwd=tmp_path)
    report = json.loads(done.stdout)
    assert report["items"] == 12
    keys = {"loss", "nll_nats", "kl_nats", "mse", "squared_error", "psnr_db", "ssim"}
    assert keys <= set(report) and "baselines" not in report
    assert report["squared_error"] == pytest.approx(report["mse"] * 3 * 32 * 32)
    assert report["loss"] == pytest.approx(report["nll_nats"] + report["kl_nats"], rel=1e-4)

    differing = aeplug("train", "mnist-vae", "--data", own, "--steps", 1, cwd=tmp_path)
    assert differing.returncode == 1
    assert "differ in size" in differing.stderr and "Traceback" not in differing.stderr
