"""Kinds of TIFF that decoders give as another picture: read right, or refused."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from image_support import noise, png_bytes, png_chunk, stored
from PIL import Image

from aeplug.errors import FileError
from aeplug_image.files.reading import read_picture


def twelve_bit(values: np.ndarray, packed: bool, photometric: int = 1) -> bytes:
    """A TIFF of 12-bit grey, ``(H, W)`` in 0..4095, rows packed to whole bytes, written by hand."""
    height, width = values.shape
    bits = (values[..., None] >> np.arange(11, -1, -1)) & 1
    data = np.packbits(bits.astype(np.uint8).reshape(height, -1), axis=1).tobytes()
    data = zlib.compress(data) if packed else data
    tags = {256: width, 257: height, 258: 12, 259: 8 if packed else 1, 262: photometric}
    tags |= {273: 8 + 2 + 12 * 9 + 4, 277: 1, 278: height, 279: len(data)}
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, tags[tag]) for tag in sorted(tags))
    head = b"II*\0" + struct.pack("<IH", 8, len(tags))
    return head + directory + bytes(4) + data


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("width", [8, 9])
def test_12_bit_grey_becomes_16_bit(tmp_path: Path, width: int, packed: bool) -> None:
    values = noise(7, width, 1, np.uint16)[..., 0] >> 4
    values[0, 0], values[0, 1] = 0, 4095
    (tmp_path / "a.tif").write_bytes(twelve_bit(values, packed))
    found = read_picture(tmp_path / "a.tif").pixels
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found[..., 0], np.rint(values * (65_535 / 4_095)))


def test_what_pillow_knows_no_way_to_decode_is_refused(tmp_path: Path) -> None:
    twelve = twelve_bit(np.full((4, 4), 4095), False, photometric=0)
    (tmp_path / "twelve.tif").write_bytes(twelve)
    big = noise(4, 4, 1, np.uint16)[..., 0]
    tifffile.imwrite(tmp_path / "big.tif", big, photometric="miniswhite", byteorder=">")
    five = noise(6, 7, 5, np.uint16)
    tifffile.imwrite(tmp_path / "five.tif", five, photometric="rgb", extrasamples=[2, 0])
    for path in tmp_path.iterdir():
        with pytest.raises(FileError, match="not an image that can be read"):
            read_picture(path)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"rowsperstrip": 2}], ids=str)
def test_grey_where_zero_is_white(tmp_path: Path, kind: type, options: dict[str, object]) -> None:
    pixels = noise(7, 9, 1, kind)
    negative = np.iinfo(kind).max - pixels[..., 0]
    tifffile.imwrite(tmp_path / "a.tif", negative, photometric="miniswhite", **options)
    np.testing.assert_array_equal(read_picture(tmp_path / "a.tif").pixels, pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_where_zero_is_white(tmp_path: Path, orientation: int) -> None:
    pixels = noise(5, 8, 1, np.uint16)
    negative = stored(65_535 - pixels, orientation)[..., 0]
    tag = (274, 3, 1, orientation, True)
    tifffile.imwrite(tmp_path / "a.tif", negative, photometric="miniswhite", extratags=[tag])
    np.testing.assert_array_equal(read_picture(tmp_path / "a.tif").pixels, pixels)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_fourth_channel_that_is_not_alpha_is_passed_over(tmp_path: Path, kind: type) -> None:
    pixels = noise(7, 9, 4, kind)
    pixels[..., 3] = 0
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pixels, photometric="rgb", extrasamples=["unspecified"])
    np.testing.assert_array_equal(read_picture(path).pixels, pixels[..., :3])


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (np.int8, "signed integers"),
        (np.int16, "signed integers"),
        (np.int32, "integers of 32 bit"),
        (np.uint32, "integers of 32 bit"),
        (np.float32, "floating-point"),
    ],
)
def test_numbers_without_a_white_are_refused(tmp_path: Path, kind: type, words: str) -> None:
    values = np.arange(16).reshape(4, 4).astype(kind)  # all fit into 8 bit
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="minisblack")
    with pytest.raises(FileError, match=f"a.tif has {words}"):
        read_picture(tmp_path / "a.tif")


def test_lab_is_refused(tmp_path: Path) -> None:
    Image.fromarray(noise(9, 9, 3), mode="LAB").save(tmp_path / "a.tif")
    with pytest.raises(FileError, match=r"has Lab colours, .* convert it to RGB first"):
        read_picture(tmp_path / "a.tif")


def test_decoders_say_nothing_to_stderr(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pixels = noise(7, 9, 4, np.uint16)
    path = tmp_path / "a.tif"
    # Four channels of RGB, and no word on the fourth: libtiff would have a warning for it.
    tifffile.imwrite(path, pixels, photometric="rgb", extrasamples=["unassalpha"])
    content = path.read_bytes()
    entry = struct.pack("<HHI", 338, 3, 1)
    assert content.count(entry) == 1
    path.write_bytes(content.replace(entry, struct.pack("<HHI", 337, 3, 1)))
    np.testing.assert_array_equal(read_picture(path).pixels, pixels)
    # libpng would: a profile too long for its header, a time too short.
    extra = png_chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(range(200)))) + png_chunk(
        b"tIME", b""
    )
    (tmp_path / "a.png").write_bytes(png_bytes(pixels, extra))
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png").pixels, pixels)
    assert capfd.readouterr() == ("", "")
