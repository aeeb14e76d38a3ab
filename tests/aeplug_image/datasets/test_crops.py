"""Photographs as crops: every pixel within reach, held-out ones whole, any size admitted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from aeplug.data.splits import first_items
from aeplug.errors import DataError
from aeplug.interfaces import DataShape
from aeplug_image.datasets.crops import (
    CropSplit,
    PhotoCrops,
    PhotoCropsConfig,
    crop_centre,
    crop_randomly,
)


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Six photographs of several sizes and kinds, each of a grey level of its own."""
    kinds = [("L", 40), ("RGB", 80), ("RGBA", 120), ("RGB", 160), ("L", 200), ("RGB", 240)]
    for number, (mode, level) in enumerate(kinds):
        size = (30 + 20 * number, 100 - 15 * number)
        colour = {"L": level, "RGB": (level,) * 3, "RGBA": (level,) * 3 + (7,)}[mode]
        Image.new(mode, size, colour).save(tmp_path / f"photo-{number}.png")
    return tmp_path


def levels(split: CropSplit) -> set[int]:
    return set(split.take(torch.arange(len(split)))["photo"].flatten().tolist())


def test_held_out_photographs_are_whole_and_spread_over_the_names(photographs: Path) -> None:
    dataset = PhotoCrops(PhotoCropsConfig(path=str(photographs), crop=16, heldout=2))
    train, val = dataset.split("train"), dataset.split("val")
    assert levels(val) == {80, 200}
    assert levels(train) == {40, 120, 160, 240}
    assert levels(dataset.split("all")) == {40, 80, 120, 160, 200, 240}
    assert val.names == ["photo-1.png", "photo-4.png"]


@pytest.mark.parametrize("channels", [1, 3])
def test_windows_show_every_pixel_of_a_photograph(channels: int) -> None:
    height, width = 37, 52
    pixels = np.arange(height * width, dtype=np.int64).reshape(height, width)
    photo = np.stack([pixels // 256, pixels % 256, pixels * 0], 2).astype(np.uint8)
    split = CropSplit(["a"], [photo], DataShape((3, 16, 16), (3, 16, 16)), dense=True)
    windows = split.take(torch.arange(len(split)))["photo"].long()
    assert windows.shape[1:] == (3, 24, 24)
    seen = (windows[:, 0] * 256 + windows[:, 1]).unique()
    assert torch.equal(seen, torch.arange(height * width))
    one = CropSplit(["a"], [photo], DataShape((channels, 16, 16), (channels, 16, 16)))
    assert one.take(torch.tensor([0]))["photo"].shape == (1, channels, 24, 24)


def test_a_photograph_smaller_than_a_window_is_mirrored() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (9, 11, 3), dtype=np.uint8)
    split = CropSplit(["small"], [photo], DataShape((3, 16, 16), (3, 16, 16)))
    window = split.take(torch.tensor([0]))["photo"][0].permute(1, 2, 0).numpy()
    assert len(split) == 1
    assert np.array_equal(window[:9, :11], photo)
    assert np.array_equal(window[9:18, :11], photo[::-1])


def test_random_crops_lie_in_their_windows_turned_and_flipped() -> None:
    windows = torch.arange(24 * 24).reshape(1, 1, 24, 24).expand(64, 1, 24, 24)
    crops = crop_randomly(windows, 16, torch.Generator().manual_seed(0))
    assert crops.shape == (64, 1, 16, 16)
    steps = {(int(c[0, 1, 0] - c[0, 0, 0]), int(c[0, 0, 1] - c[0, 0, 0])) for c in crops}
    assert steps == {(24, 1), (24, -1), (-24, 1), (-24, -1), (1, 24), (1, -24), (-1, 24), (-1, -24)}
    assert len({int(c.min()) for c in crops}) > 30
    assert torch.equal(crop_centre(windows, 16)[0, 0], windows[0, 0, 4:20, 4:20])


def test_the_first_items_are_whole_photographs(photographs: Path) -> None:
    dataset = PhotoCrops(PhotoCropsConfig(path=str(photographs), crop=16))
    first = first_items(dataset.split("all"), 2)
    assert isinstance(first, CropSplit)
    assert first.names == ["photo-0.png", "photo-1.png"]
    assert [photo.shape for photo in first.photos] == [(100, 30, 1), (85, 50, 3)]


def test_what_cannot_be_read_is_said_and_left_out(
    photographs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photographs / "broken.png").write_bytes(b"not an image")
    dataset = PhotoCrops(PhotoCropsConfig(path=str(photographs), crop=16, heldout=1))
    assert len(dataset.split("all").names) == 6
    assert "left out: " in capsys.readouterr().err


def test_no_folder_and_too_few_photographs_are_clear_errors(photographs: Path) -> None:
    with pytest.raises(DataError, match="--data"):
        PhotoCrops(PhotoCropsConfig()).split("train")
    with pytest.raises(DataError, match=r"holds 6 photographs, 20 of them to be held out"):
        PhotoCrops(PhotoCropsConfig(path=str(photographs))).split("train")
    empty = photographs / "empty"
    empty.mkdir()
    with pytest.raises(DataError, match="no readable image"):
        PhotoCrops(PhotoCropsConfig(path=str(empty))).split("train")
