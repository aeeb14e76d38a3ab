"""Formats, depths and channels: what is written is what is read, here and by other programs."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from image_support import (
    decoded_png,
    filtered_png,
    noise,
    png_bytes,
    png_chunk,
    save,
    smooth,
    stored,
)
from PIL import Image, ImageCms

from aeplug_image.files.reading import Picture, read_picture
from aeplug_image.files.writing import write_picture

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LOSSLESS = [
    *((".png", kind, channels) for kind in (np.uint8, np.uint16) for channels in (1, 2, 3, 4)),
    *((".tif", np.uint8, channels) for channels in (1, 2, 3, 4)),
    *((".tiff", np.uint16, channels) for channels in (1, 3, 4)),
    (".webp", np.uint8, 3),
    (".webp", np.uint8, 4),
    (".bmp", np.uint8, 1),
    (".bmp", np.uint8, 3),
]


def metadata(**tags: object) -> Image.Exif:
    exif = Image.Exif()
    for name, value in tags.items():
        exif[{"orientation": 0x0112, "maker": 0x010F, "artist": 0x013B}[name]] = value
    return exif


def pillow(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.load()
        return image


def independent(path: Path) -> np.ndarray:
    """Pixels by a reader that had no part in writing them, RGB order, ``(H, W, C)``."""
    if path.suffix == ".png" and path.read_bytes()[24] == 16:
        return decoded_png(path.read_bytes())
    tiff = path.suffix in (".tif", ".tiff")
    pixels = tifffile.imread(path) if tiff else np.asarray(pillow(path))
    return pixels[..., None] if pixels.ndim == 2 else pixels


@pytest.mark.parametrize(("suffix", "kind", "channels"), LOSSLESS)
def test_lossless_formats_keep_every_bit(
    tmp_path: Path, suffix: str, kind: type, channels: int
) -> None:
    pixels = noise(7, 9, channels, kind)
    path = write_picture(Picture(pixels), tmp_path / f"a{suffix}")
    back = read_picture(path).pixels
    assert back.dtype == kind
    np.testing.assert_array_equal(back, pixels)
    np.testing.assert_array_equal(independent(path), pixels)


@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    channels=st.integers(1, 4),
    deep=st.booleans(),
    suffix=st.sampled_from([".png", ".tif"]),
    seed=st.integers(0, 1000),
)
def test_any_size_survives(
    tmp_path: Path,
    height: int,
    width: int,
    channels: int,
    deep: bool,
    suffix: str,
    seed: int,
) -> None:
    pixels = noise(height, width, channels, np.uint16 if deep else np.uint8, seed)
    back = read_picture(write_picture(Picture(pixels), tmp_path / f"a{suffix}")).pixels
    if deep and suffix == ".tif" and channels == 2:
        pixels = pixels[..., [0, 0, 0, 1]]  # documented: no reader for grey with alpha there
    np.testing.assert_array_equal(back, pixels)


def test_deep_tiff_of_grey_and_alpha_becomes_colour(tmp_path: Path) -> None:
    pixels = noise(5, 6, 2, np.uint16)
    path = write_picture(Picture(pixels), tmp_path / "a.tif")
    np.testing.assert_array_equal(read_picture(path).pixels, pixels[..., [0, 0, 0, 1]])


def test_webp_keeps_colours_under_full_transparency(tmp_path: Path) -> None:
    pixels = noise(8, 8, 4)
    pixels[..., 3] = 0
    path = write_picture(Picture(pixels), tmp_path / "a.webp")
    np.testing.assert_array_equal(read_picture(path).pixels, pixels)


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_is_close(tmp_path: Path, channels: int) -> None:
    pixels = smooth(24, 32, channels)
    back = read_picture(write_picture(Picture(pixels), tmp_path / "a.jpg")).pixels
    assert back.shape == pixels.shape
    assert np.abs(back.astype(int) - pixels).max() <= 4


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".bmp"])
def test_formats_without_16_bit_get_the_nearest_8(tmp_path: Path, suffix: str) -> None:
    pixels = np.full((8, 8, 3), 30_000, np.uint16)
    back = read_picture(write_picture(Picture(pixels), tmp_path / f"a{suffix}")).pixels
    assert back.dtype == np.uint8
    assert np.abs(back.astype(int) - round(30_000 / 65_535 * 255)).max() <= 1


@pytest.mark.parametrize("suffix", [".jpg", ".bmp"])
def test_formats_without_alpha_get_it_over_white(tmp_path: Path, suffix: str) -> None:
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[..., 0], pixels[..., 3] = 200, 51  # a fifth
    back = read_picture(write_picture(Picture(pixels), tmp_path / f"a{suffix}")).pixels
    expected = np.array([244, 204, 204])  # 0.2 x (200, 0, 0) + 0.8 x 255
    assert np.abs(back.astype(int) - expected).max() <= (3 if suffix == ".jpg" else 0)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("suffix", "channels"),
    [*((s, c) for s in (".png", ".tif", ".webp") for c in (1, 3, 4)), (".jpg", 1), (".jpg", 3)],
)
def test_orientation_8_bit(tmp_path: Path, suffix: str, channels: int, orientation: int) -> None:
    upright = smooth(16, 24, channels)
    turned = stored(upright, orientation)
    path = tmp_path / f"a{suffix}"
    how = {".webp": {"lossless": True, "exact": True}, ".jpg": {"quality": 100, "subsampling": 0}}
    image = Image.fromarray(turned.squeeze())
    image.save(path, exif=metadata(orientation=orientation, maker="m"), **how.get(suffix, {}))
    picture = read_picture(path)
    expected = upright
    if suffix == ".webp" and channels == 1:
        expected = np.repeat(upright, 3, 2)
    assert picture.pixels.shape == expected.shape
    limit = 3 if suffix == ".jpg" else 0
    assert np.abs(picture.pixels.astype(int) - expected).max() <= limit
    # What is written from it is upright for every reader, and stays upright when read again.
    again = write_picture(picture, tmp_path / "again.png")
    assert pillow(again).getexif().get(0x0112, 1) == 1
    assert pillow(again).getexif().get(0x010F) == "m"
    np.testing.assert_array_equal(read_picture(again).pixels, picture.pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_orientation_16_bit(tmp_path: Path, suffix: str, channels: int, orientation: int) -> None:
    upright = noise(5, 8, channels, np.uint16)
    turned = stored(upright, orientation)
    path = tmp_path / f"a{suffix}"
    if suffix == ".tif":
        photometric = "minisblack" if channels == 1 else "rgb"
        tag = (274, 3, 1, orientation, True)
        tifffile.imwrite(path, turned.squeeze(), photometric=photometric, extratags=[tag])
    else:
        exif = metadata(orientation=orientation).tobytes().removeprefix(b"Exif\0\0")
        path.write_bytes(png_bytes(turned, png_chunk(b"eXIf", exif)))
    np.testing.assert_array_equal(read_picture(path).pixels, upright)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".jpg"])
def test_profile_and_metadata_are_carried(tmp_path: Path, suffix: str, kind: type) -> None:
    exif = metadata(maker="Hasselblad", artist="Ada")
    exif.get_ifd(0x8769)[0x829D] = 2.8  # aperture, in the EXIF block proper
    picture = Picture(noise(6, 7, 3, kind), SRGB, exif.tobytes())
    first = write_picture(picture, tmp_path / f"a{suffix}")
    second = write_picture(read_picture(first), tmp_path / f"b{suffix}")
    for path in (first, second):
        image = pillow(path)
        assert image.info["icc_profile"] == SRGB
        found = image.getexif()
        assert (found[0x010F], found[0x013B]) == ("Hasselblad", "Ada")
        assert float(found.get_ifd(0x8769)[0x829D]) == pytest.approx(2.8)
        assert image.size == (7, 6)


def test_a_tiffs_structure_is_not_metadata(tmp_path: Path) -> None:
    source = tmp_path / "a.tif"
    Image.fromarray(noise(6, 7, 3)).save(source, exif=metadata(maker="m"), compression="tiff_lzw")
    target = write_picture(read_picture(source), tmp_path / "a.jpg")
    assert dict(pillow(target).getexif()) == {0x010F: "m"}
    save(source, noise(6, 7, 3))
    assert read_picture(source).exif is None


def test_metadata_out_of_order_does_not_cost_the_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    pixels = noise(4, 4, 3)
    path.write_bytes(png_bytes(pixels, png_chunk(b"eXIf", b"II*\0\xff\xff\xff\x7f nonsense")))
    picture = read_picture(path)
    assert picture.exif is None
    np.testing.assert_array_equal(picture.pixels, pixels)


def test_palette_becomes_colour(tmp_path: Path) -> None:
    image = Image.fromarray(noise(9, 11, 3)).quantize(16)
    image.save(tmp_path / "a.png")
    expected = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png").pixels, expected)


def test_palette_with_transparency(tmp_path: Path) -> None:
    image = Image.fromarray(noise(9, 11, 3)).quantize(16)
    image.save(tmp_path / "a.png", transparency=bytes([0, 128]))
    pixels = read_picture(tmp_path / "a.png").pixels
    index = np.asarray(image)
    expected = np.where(index == 0, 0, np.where(index == 1, 128, 255))
    np.testing.assert_array_equal(pixels[..., 3], expected)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_one_bit_becomes_black_and_white(tmp_path: Path, suffix: str) -> None:
    bits = noise(9, 11, 1)[..., 0] > 127
    Image.fromarray(bits).save(tmp_path / f"a{suffix}")
    expected = bits[..., None].astype(np.uint8) * 255
    np.testing.assert_array_equal(read_picture(tmp_path / f"a{suffix}").pixels, expected)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
def test_transparent_colour_of_png(tmp_path: Path, kind: type, channels: int) -> None:
    pixels = noise(6, 7, channels, kind)
    pixels[2, 3] = pixels[0, 0]
    chunk = png_chunk(b"tRNS", pixels[0, 0].astype(">u2").tobytes())
    (tmp_path / "a.png").write_bytes(png_bytes(pixels, chunk))
    found = read_picture(tmp_path / "a.png").pixels
    clear = (pixels == pixels[0, 0]).all(2)
    assert clear.sum() >= 2
    np.testing.assert_array_equal(found[..., :-1], pixels)
    np.testing.assert_array_equal(found[..., -1] == 0, clear)
    assert (found[..., -1][~clear] == np.iinfo(kind).max).all()


#: 16 x 12 pixels of 16-bit RGB as libpng writes them, with the filters that it finds best.
BY_LIBPNG = """
iVBORw0KGgoAAAANSUhEUgAAABAAAAAMEAIAAAC0FXaVAAACG0lEQVQ4ESXB0XVcRRREUXut+Zk+1V11b78hAb4IgQQI
AGS1QHaKpEM6jKy9v3758utvf/wZx3Ecx3Ecx3Ecx3Ecx3Ecx3Ecx3Ecx3Ecx3E5juM4juNyfONwOIQQQgghhBBCCCFE
4c5dd0IUoihEURRFUZR8VxSiu+7cFd7I11/+/f2/H19SqVQqlUpVpTIyMlKpVFUqlZGRkUqlUqlUKpXKyMhIpVKpVCoj
IyOVSt10dDhqNa1W04K/QE3T4qdXmuZT0zRN03xquponQafVIERarb5xOBw2m40QYrPZCCE2m42QhJDE1tZGH9ja2Xri
RTubrSckcZA2m33jcHS4uHQxmZpMTU0uXbo0NTU1NXnV1GTq4o1Lk8nUZDJ55+JiMplMJjOTyeTi4rrp6HD00IOHlhZL
i39YWiwW31gsFovFYrF48ODBYmWxWCxWlhaLpZXF0mJpafHQQ48bh8PBGGOMMcYYY4wxxjLGMpZjLMs4lmWZl1jGsoxl
DpYxvnE4OoQoRFGIohBFURRFUfihu+65K7wRhRCFEN4JIYQQQrhz504IuenocFQqSsXflIqiNBgMvlEURVEMBoOiKCpF
URSVwdCgKBWlUjE0NCiV6sbhcGiapmmaT03TPAmaTvMk6Go1rVYHIdRq3oUANa+0+KCm6RuHo8Nma6MPbG1t9NPWznc9
ISlC2ryxJYS02WxeEGKz2QghhBCbzf4fg0hPMs2Lc8wAAAAASUVORK5CYII=
"""


def test_16_bit_colour_written_by_libpng(tmp_path: Path) -> None:
    y, x, c = np.mgrid[0:12, 0:16, 0:3]
    pixels = ((4111 * x + 2903 * y + 9001 * c + x * y % 7) % 65536).astype(np.uint16)
    content = base64.b64decode(BY_LIBPNG)
    (tmp_path / "a.png").write_bytes(content)
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png").pixels, pixels)
    np.testing.assert_array_equal(decoded_png(content), pixels)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_16_bit_png_of_every_filter(tmp_path: Path, channels: int, interlaced: bool) -> None:
    for height, width in ((23, 19), (1, 1), (3, 2)):
        pixels = noise(height, width, channels, np.uint16)
        (tmp_path / "a.png").write_bytes(filtered_png(pixels, interlaced))
        np.testing.assert_array_equal(read_picture(tmp_path / "a.png").pixels, pixels)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"byteorder": ">"},
        {"compression": "zlib"},
        {"compression": "zlib", "predictor": True},
        {"compression": "zlib", "byteorder": ">", "rowsperstrip": 3},
        {"compression": "zlib", "predictor": True, "tile": (16, 16)},
        {"tile": (16, 16)},
        {"rowsperstrip": 2},
        {"bigtiff": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bit_tiff_of_others(tmp_path: Path, channels: int, options: dict[str, object]) -> None:
    pixels = noise(20, 21, channels, np.uint16)
    kind = "minisblack" if channels == 1 else "rgb"
    tifffile.imwrite(tmp_path / "a.tif", pixels.squeeze(), photometric=kind, **options)
    np.testing.assert_array_equal(read_picture(tmp_path / "a.tif").pixels, pixels)


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"byteorder": ">"}], ids=str)
def test_colours_multiplied_by_alpha_are_divided(
    tmp_path: Path, options: dict[str, object]
) -> None:
    colour = noise(6, 7, 3, np.uint16)
    alpha = noise(6, 7, 1, np.uint16, seed=1) // 2 + 30_000
    multiplied = np.rint(colour * (alpha / 65_535)).astype(np.uint16)
    pixels = np.concatenate([multiplied, alpha], 2)
    tifffile.imwrite(
        tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=["assocalpha"], **options
    )
    found = read_picture(tmp_path / "a.tif").pixels.astype(int)
    np.testing.assert_array_equal(found[..., 3:], alpha)
    assert np.abs(found[..., :3] - colour).max() <= 2


def test_second_picture_of_a_telephones_jpeg_is_passed_over(tmp_path: Path) -> None:
    first, second = smooth(16, 24, 3), smooth(16, 24, 3, seed=90)
    Image.fromarray(first).save(
        tmp_path / "a.jpg", "MPO", save_all=True, append_images=[Image.fromarray(second)]
    )
    found = read_picture(tmp_path / "a.jpg").pixels
    assert np.abs(found.astype(int) - first).max() <= 12


@pytest.mark.parametrize("name", ["a", "a.2024", "v1.5 a"])
def test_without_a_suffix_that_says_a_format_the_content_decides(tmp_path: Path, name: str) -> None:
    pixels = noise(5, 6, 3)
    save(tmp_path / "a.png", pixels).rename(tmp_path / name)
    np.testing.assert_array_equal(read_picture(tmp_path / name).pixels, pixels)


def test_a_path_of_any_script(tmp_path: Path) -> None:
    for kind in (np.uint8, np.uint16):
        pixels = noise(5, 6, 3, kind)
        path = save(tmp_path / "снимок 写真 é.png", pixels)
        np.testing.assert_array_equal(read_picture(path).pixels, pixels)
