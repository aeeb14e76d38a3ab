"""The image codec: file -> piece -> file, and sheets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from image_support import noise, save
from PIL import Image

from aeplug.config import PartConfig
from aeplug.errors import FileError
from aeplug.interfaces import Codec, DataShape, Document
from aeplug_image.files.codec import ImageCodec
from aeplug_image.files.reading import Picture, read_picture
from aeplug_image.files.sheet import draw_sheet


def codec(channels: int, height: int, width: int) -> ImageCodec:
    shape = (channels, height, width)
    return ImageCodec(PartConfig(), DataShape(shape, shape))


def loaded(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.load()
        return image


@given(
    height=st.integers(1, 30),
    width=st.integers(1, 30),
    channels=st.sampled_from([1, 3]),
    deep=st.booleans(),
)
def test_there_and_back_to_the_bit(
    tmp_path: Path, height: int, width: int, channels: int, deep: bool
) -> None:
    pixels = noise(height, width, channels, np.uint16 if deep else np.uint8)
    path = save(tmp_path / "a.png", pixels)
    plugin = codec(channels, height, width)
    assert isinstance(plugin, Codec)
    document = plugin.read(path)
    assert (document.name, document.source) == ("a", path)
    raw = plugin.split(document)
    assert raw["image"].shape == (1, channels, height, width)
    joined = plugin.join(raw["image"], {}, document)
    written = plugin.write(joined, tmp_path / "out", {})
    assert written == [tmp_path / "out.png"]
    back = read_picture(written[0]).pixels
    assert back.dtype == pixels.dtype
    np.testing.assert_array_equal(back, pixels)


def test_samples_are_8_bit_and_clamped(tmp_path: Path) -> None:
    plugin = codec(1, 1, 4)
    document = plugin.join(torch.tensor([[[[-0.5, 0.25, 1.0, 1.5]]]]), {}, None)
    assert document.name == "sample"
    assert document.content.pixels.dtype == np.uint8
    assert document.content.pixels.ravel().tolist() == [0, 64, 255, 255]
    half = plugin.join(torch.full((1, 1, 1, 4), 0.5, dtype=torch.bfloat16), {}, None)
    assert half.content.pixels.ravel().tolist() == [128] * 4


def test_a_dot_in_the_name_stays(tmp_path: Path) -> None:
    plugin = codec(1, 4, 4)
    written = plugin.write(Document(Picture(noise(4, 4, 1)), "a"), tmp_path / "v1.5 a", {})
    assert written == [tmp_path / "v1.5 a.png"] and written[0].is_file()


def test_a_bad_file_is_a_file_error(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    with pytest.raises(FileError, match=r"a\.png"):
        codec(1, 4, 4).read(tmp_path / "a.png")


@pytest.mark.parametrize("size", [2, 28, 64, 256])
@pytest.mark.parametrize("channels", [1, 3])
def test_sheet(tmp_path: Path, channels: int, size: int) -> None:
    plugin = codec(channels, size, size)
    documents = [Document(Picture(noise(size, size, channels, seed=n)), str(n)) for n in range(10)]
    plain = [Document(document.content, "") for document in documents]
    path = tmp_path / "sheets" / "a.png"
    plugin.sheet([("original", documents), ("reconstruction", plain)], path, "a title")
    page = loaded(path)
    shown = size * max(1, round(84 / size))
    assert 10 * shown < page.width < 10 * shown + 250
    assert 2 * shown < page.height < 2 * shown + 120
    pixels = np.asarray(page)
    # Every picture is there, enlarged by a whole factor and nothing else.
    factor = shown // size
    found = fitted_pixels(documents[3].content, factor)
    assert contains(pixels, found)


def fitted_pixels(picture: Picture, factor: int) -> np.ndarray:
    pixels = picture.pixels.repeat(factor, 0).repeat(factor, 1)
    return pixels.repeat(3, 2) if pixels.shape[2] == 1 else pixels


def contains(page: np.ndarray, part: np.ndarray) -> bool:
    height, width = part.shape[:2]
    corners = np.argwhere((page == part[0, 0]).all(2))
    return any(np.array_equal(page[y : y + height, x : x + width], part) for y, x in corners)


def test_sheet_of_pictures_of_another_size_and_depth(tmp_path: Path) -> None:
    plugin = codec(1, 28, 28)
    documents = [
        Document(Picture(noise(50, 90, 4, np.uint16)), "a name far too long for a small picture"),
        Document(Picture(noise(28, 28, 1)), "b"),
    ]
    plugin.sheet([("", documents), ("", documents[:1])], tmp_path / "a.png", "t")
    assert loaded(tmp_path / "a.png").size[0] < 400


def test_rows_without_captions_take_no_room(tmp_path: Path) -> None:
    cell = noise(28, 28, 1)
    draw_sheet([("x", [(cell, "")])], tmp_path / "bare.png", "t")
    draw_sheet([("x", [(cell, "caption")])], tmp_path / "named.png", "t")
    bare, named = loaded(tmp_path / "bare.png"), loaded(tmp_path / "named.png")
    assert 10 <= named.height - bare.height <= 24


def test_large_pictures_are_reduced_on_a_sheet(tmp_path: Path) -> None:
    document = Document(Picture(noise(900, 600, 1, seed=0)), "large")
    codec(1, 900, 600).sheet([("", [document] * 3)], tmp_path / "a.png", "t")
    page = loaded(tmp_path / "a.png")
    assert page.width < 3 * 256 + 100
    assert page.height < 256 + 120
