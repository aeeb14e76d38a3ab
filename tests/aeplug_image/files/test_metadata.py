"""Size, XMP and resolution beside the pixels: kept, and true of the picture that is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from image_support import noise, png_bytes, png_chunk, smooth, stored
from PIL import Image, ImageOps, PngImagePlugin

from aeplug_image.files.reading import Picture, read_picture
from aeplug_image.files.writing import write_picture

PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/" '
    'tiff:Orientation="6" tiff:ImageWidth="24" tiff:ImageLength = \'16\' tiff:Make="Zeiß 6">'
    "<tiff:Orientation>6</tiff:Orientation><exif:PixelXDimension> 24</exif:PixelXDimension>"
    "<exif:PixelYDimension>16</exif:PixelYDimension></rdf:Description></rdf:RDF></x:xmpmeta>"
)
UPRIGHT = (
    PACKET.replace('Orientation="6"', 'Orientation="1"')
    .replace("Orientation>6", "Orientation>1")
    .replace('Width="24"', 'Width="16"')
    .replace("Length = '16'", "Length = '24'")
    .replace("XDimension> 24", "XDimension> 16")
    .replace("YDimension>16", "YDimension>24")
)


def pillow(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.load()
        return image


def camera_exif(orientation: int, width: int, height: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "maker"
    exif[0x0100], exif[0x0101] = width, height
    inner = exif.get_ifd(0x8769)
    inner[0xA002], inner[0xA003], inner[0x829D] = width, height, 2.8
    inner[0xA005] = {1: "R98"}
    return exif


def sizes(path: Path) -> tuple[object, ...]:
    exif = pillow(path).getexif()
    inner = exif.get_ifd(0x8769)
    return exif.get(0x0100), exif.get(0x0101), inner[0xA002], inner[0xA003]


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_size_in_exif_is_that_of_the_picture(tmp_path: Path, suffix: str, kind: type) -> None:
    source = tmp_path / "a.jpg"
    image = Image.fromarray(stored(smooth(24, 16, 3), 6))
    assert image.size == (24, 16)
    image.save(source, exif=camera_exif(6, 24, 16))
    picture = read_picture(source)
    picture = replace(
        picture, pixels=picture.pixels.astype(kind) * (257 if kind != np.uint8 else 1)
    )
    turned = write_picture(picture, tmp_path / f"turned{suffix}")
    assert sizes(turned) == (16, 24, 16, 24)
    enlarged = replace(picture, pixels=picture.pixels.repeat(2, 0).repeat(2, 1))
    assert sizes(write_picture(enlarged, tmp_path / f"large{suffix}")) == (32, 48, 32, 48)
    with Image.open(turned) as image:
        exif = image.getexif()
        inner = exif.get_ifd(0x8769)
        assert (exif[0x010F], float(inner[0x829D])) == ("maker", pytest.approx(2.8))
        assert exif.get_ifd(0xA005) == {1: "R98"}
        assert exif.get(0x0112, 1) == 1


def test_size_is_not_put_where_there_was_none(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "maker"
    picture = Picture(noise(4, 5, 3), exif=exif.tobytes())
    assert dict(pillow(write_picture(picture, tmp_path / "a.jpg")).getexif()) == {0x010F: "maker"}
    assert read_picture(tmp_path / "a.jpg").exif == exif.tobytes()


def write_with_xmp(path: Path, image: Image.Image) -> None:
    """By Pillow, whose writers had no part in ours."""
    if path.suffix == ".png":
        text = PngImagePlugin.PngInfo()
        text.add_itxt("XML:com.adobe.xmp", PACKET)
        image.save(path, pnginfo=text)
    elif path.suffix == ".tif":
        tifffile.imwrite(
            path,
            np.asarray(image),
            photometric="rgb",
            metadata=None,
            extratags=[(700, 1, len(PACKET.encode()), PACKET.encode(), True), (274, 3, 1, 6, True)],
        )
    else:
        image.save(path, xmp=PACKET.encode())


@pytest.mark.parametrize("source", [".png", ".jpg", ".webp", ".tif"])
@pytest.mark.parametrize(
    ("suffix", "kind"),
    [
        (".png", np.uint8),
        (".png", np.uint16),
        (".jpg", np.uint8),
        (".webp", np.uint8),
        (".tif", np.uint8),
        (".tif", np.uint16),
    ],
)
def test_xmp_is_kept_and_true(tmp_path: Path, source: str, suffix: str, kind: type) -> None:
    path = tmp_path / f"a{source}"
    write_with_xmp(path, Image.fromarray(stored(smooth(24, 16, 3), 6)))
    picture = read_picture(path)
    assert picture.pixels.shape == (24, 16, 3)  # also where XMP alone says that it is turned
    picture = replace(picture, pixels=picture.pixels.astype(kind))
    written = write_picture(picture, tmp_path / f"b{suffix}")
    image = pillow(written)
    found = image.info.get("xmp") or image.info["XML:com.adobe.xmp"]
    found = (found if isinstance(found, bytes) else found.encode()).decode("utf-8")
    # Pillow takes the attribute out of a TIFF that it has turned.
    expected = UPRIGHT
    if source == ".tif":
        expected = expected.replace(' tiff:Orientation="1"', " ").replace(
            "<tiff:Orientation>1</tiff:Orientation>", ""
        )
    assert found == expected
    assert ImageOps.exif_transpose(image).size == (16, 24)
    again = read_picture(written)
    np.testing.assert_array_equal(again.pixels.shape, picture.pixels.shape)
    assert again.xmp == expected.encode()


def test_xmp_too_long_for_a_jpeg_is_left_out(tmp_path: Path) -> None:
    for length in (65_504, 65_505):
        picture = Picture(noise(4, 5, 3), xmp=b" " * length)
        found = pillow(write_picture(picture, tmp_path / "a.jpg")).info.get("xmp")
        assert found == (picture.xmp if length == 65_504 else None)
    write_picture(picture, tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png").xmp == picture.xmp


@pytest.mark.parametrize("packet", [PACKET.encode("utf-16"), b"\xff\xfe\xfd", b"\0\0"])
def test_xmp_of_another_encoding_is_left_out(tmp_path: Path, packet: bytes) -> None:
    Image.fromarray(noise(4, 5, 3)).save(tmp_path / "a.webp", xmp=packet)
    assert read_picture(tmp_path / "a.webp").xmp is None


@pytest.mark.parametrize("source", [".png", ".jpg", ".bmp", ".tif"])
@pytest.mark.parametrize(
    ("suffix", "kind"),
    [
        (".png", np.uint8),
        (".png", np.uint16),
        (".jpg", np.uint8),
        (".bmp", np.uint8),
        (".tif", np.uint8),
        (".tif", np.uint16),
    ],
)
def test_resolution_is_kept(tmp_path: Path, source: str, suffix: str, kind: type) -> None:
    Image.fromarray(smooth(8, 9, 3)).save(tmp_path / f"a{source}", dpi=(300, 150))
    picture = read_picture(tmp_path / f"a{source}")
    assert picture.dpi == pytest.approx((300, 150), abs=0.02)
    picture = replace(picture, pixels=picture.pixels.astype(kind))
    written = write_picture(picture, tmp_path / f"b{suffix}")
    assert [float(dots) for dots in pillow(written).info["dpi"]] == pytest.approx(
        [300, 150], abs=0.02
    )
    assert read_picture(written).dpi == pytest.approx((300, 150), abs=0.02)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_resolution_turns_with_the_picture(tmp_path: Path, suffix: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x011A], exif[0x011B], exif[0x0128] = orientation, 300.0, 150.0, 2
    Image.fromarray(smooth(8, 9, 3)).save(tmp_path / f"a{suffix}", dpi=(300, 150), exif=exif)
    picture = read_picture(tmp_path / f"a{suffix}")
    expected = (300, 150) if orientation == 3 else (150, 300)
    assert picture.dpi == pytest.approx(expected, abs=0.02)
    for name in ("b.jpg", "b.tif", "b.png"):
        image = pillow(write_picture(picture, tmp_path / name))
        assert [float(dots) for dots in image.info["dpi"]] == pytest.approx(expected, abs=0.02)
        found = image.getexif()
        if name != "b.png" or suffix != ".tif":
            assert (found[0x011A], found[0x011B]) == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_resolution_is_not_made_up(tmp_path: Path, suffix: str) -> None:
    # Pillow has 72 for a JPEG of EXIF without it, and 1 for a TIFF.
    exif = Image.Exif()
    exif[0x010F] = "maker"
    Image.fromarray(noise(4, 5, 3)).save(tmp_path / f"a{suffix}", exif=exif)
    assert read_picture(tmp_path / f"a{suffix}").dpi is None
    written = write_picture(read_picture(tmp_path / f"a{suffix}"), tmp_path / "b.png")
    assert "dpi" not in pillow(written).info


@pytest.mark.parametrize("metres", [(0, 0), (1, 1), (2**31, 2**31)])
def test_resolution_out_of_reason_is_left_out(tmp_path: Path, metres: tuple[int, int]) -> None:
    chunk = png_chunk(b"pHYs", b"".join(side.to_bytes(4, "big") for side in metres) + b"\1")
    (tmp_path / "a.png").write_bytes(png_bytes(noise(4, 5, 3), chunk))
    picture = read_picture(tmp_path / "a.png")
    assert picture.dpi is None
    for suffix in (".jpg", ".bmp", ".tif"):
        write_picture(picture, tmp_path / f"b{suffix}")
