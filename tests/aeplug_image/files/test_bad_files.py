"""Files that cannot be read or written: one FileError each, nothing half done."""

from __future__ import annotations

import os
import socket
import time
import tracemalloc
import warnings
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from image_support import noise, png_bytes, png_chunk, save
from PIL import Image

from aeplug.errors import FileError
from aeplug_image.files.reading import MAX_PIXELS, Picture, read_picture
from aeplug_image.files.writing import write_picture

FORMATS = [
    (".png", np.uint8),
    (".png", np.uint16),
    (".jpg", np.uint8),
    (".webp", np.uint8),
    (".bmp", np.uint8),
    (".tif", np.uint8),
    (".tif", np.uint16),
]
BEGINNINGS = [
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"RIFF\0\0\0\0WEBPVP8 ",
    b"BM",
    b"II*\0",
    b"MM\0*",
    b"GIF89a",
]


def refused(path: Path, *words: str) -> None:
    with pytest.raises(FileError) as found:
        read_picture(path)
    message = str(found.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    for word in words:
        assert word in message


def test_missing(tmp_path: Path) -> None:
    refused(tmp_path / "none.png", "No such file")


def test_folder(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    refused(tmp_path / "a.png", "folder")


def test_neither_file_nor_folder_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")  # to open it would wait for a writer
    refused(tmp_path / "a.png", "is no regular file")
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(os.path.relpath(tmp_path / "b.png"))  # a socket's path has 107 bytes at most
    refused(tmp_path / "b.png", "is no regular file")
    (tmp_path / "c.png").symlink_to("/dev/zero")
    refused(tmp_path / "c.png", "is no regular file")


def test_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "a.png", noise(4, 4, 3)).chmod(0)
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)  # folders above it are closed to others
    me = os.geteuid()
    try:
        if me == 0:  # which may read everything
            os.seteuid(65534)
        with pytest.raises(FileError) as found:
            read_picture(Path("a.png"))
    finally:
        os.seteuid(me)
    assert str(found.value) == "a.png: Permission denied"


@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP"])
def test_text_that_unpacks_into_too_much(tmp_path: Path, kind: bytes) -> None:
    chunk = png_chunk(kind, b"k\0\0" + zlib.compress(bytes(50_000_000)))
    (tmp_path / "a.png").write_bytes(png_bytes(noise(4, 4, 3), chunk))
    refused(tmp_path / "a.png", "cannot be read: its text or profile is too large")


def test_much_text(tmp_path: Path) -> None:
    chunk = png_chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1_000_000))) * 80
    (tmp_path / "a.png").write_bytes(png_bytes(noise(4, 4, 3), chunk))
    refused(tmp_path / "a.png", "cannot be read: its text or profile is too large")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".tif"])
def test_empty_and_not_an_image(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"")
    refused(path, "is empty")
    path.write_text("<html>not found</html>" * 20)
    refused(path, "is not an image")


@pytest.mark.parametrize(("suffix", "kind"), FORMATS)
def test_truncated_anywhere(tmp_path: Path, suffix: str, kind: type) -> None:
    pixels = noise(40, 40, 3, kind)
    content = save(tmp_path / f"whole{suffix}", pixels).read_bytes()
    whole = read_picture(tmp_path / f"whole{suffix}").pixels
    path = tmp_path / f"cut{suffix}"
    length = len(content)
    lengths = {*range(1, length, length // 40), *range(length - 24, length)}
    refusals = 0
    for cut in sorted(lengths):
        path.write_bytes(content[:cut])
        try:
            found = read_picture(path).pixels
        except FileError:
            refusals += 1
        else:  # only what is behind the pixels is missing
            np.testing.assert_array_equal(found, whole)
            assert cut > length - 24
    assert refusals >= 40


def test_truncated_without_compression(tmp_path: Path) -> None:
    pixels = noise(40, 40, 3, np.uint16)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pixels, photometric="rgb")
    content = path.read_bytes()
    for cut in range(8, len(content), len(content) // 30):
        path.write_bytes(content[:cut])
        refused(path)


@given(data=st.data())
@pytest.mark.parametrize(("suffix", "kind"), FORMATS)
def test_damage_is_a_picture_or_a_file_error(
    tmp_path: Path, suffix: str, kind: type, data: st.DataObject
) -> None:
    whole = tmp_path / f"whole{suffix}"
    if not whole.exists():
        exif = Image.Exif()
        exif[0x0112], exif[0x010F] = 6, "maker"
        write_picture(Picture(noise(12, 12, 3, kind), None, exif.tobytes()), whole)
    content = bytearray(whole.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path = tmp_path / f"damaged{suffix}"
    path.write_bytes(content)
    try:
        picture = read_picture(path)
    except FileError as error:
        message = str(error)
    else:
        message = ""
        assert picture.pixels.dtype in (np.uint8, np.uint16)
        assert picture.pixels.ndim == 3 and picture.pixels.shape[2] in (1, 2, 3, 4)
    assert "\n" not in message


@given(content=st.binary(min_size=1, max_size=200), head=st.sampled_from(BEGINNINGS))
def test_nonsense_behind_a_right_beginning(tmp_path: Path, content: bytes, head: bytes) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(head + content)
    refused(path)


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp", "a.tif"])
def test_animations_and_pages_are_refused(tmp_path: Path, name: str) -> None:
    frames = [Image.fromarray(noise(8, 8, 3, seed=seed)) for seed in range(3)]
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
    refused(tmp_path / name, "holds 3 images")


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("side", [20_001, 30_000])
def test_pixel_bomb_is_refused_before_decoding(tmp_path: Path, kind: type, side: int) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png_bytes(np.zeros((64, 64, 3), kind), size=(side, side)))
    limit = Image.MAX_IMAGE_PIXELS
    tracemalloc.start()
    started = time.perf_counter()
    refused(path, f"{side:,} x {side:,} pixels", f"{MAX_PIXELS:,}")
    assert time.perf_counter() - started < 1
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()
    assert limit == Image.MAX_IMAGE_PIXELS


def test_large_picture_below_the_limit_is_read_without_a_warning(tmp_path: Path) -> None:
    # Pillow's own limit warns from 89 million pixels, which pytest makes an error.
    path = tmp_path / "a.png"
    Image.new("1", (10_000, 9_000)).save(path)
    assert read_picture(path).pixels.shape == (9_000, 10_000, 1)


def test_floating_point_pixels(tmp_path: Path) -> None:
    Image.fromarray(np.ones((4, 4), np.float32)).save(tmp_path / "a.tif")
    refused(tmp_path / "a.tif", "floating-point")


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_cmyk(tmp_path: Path, suffix: str) -> None:
    Image.fromarray(noise(9, 9, 4), mode="CMYK").save(tmp_path / f"a{suffix}")
    refused(tmp_path / f"a{suffix}", "CMYK", "convert it")


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("a.png", "b.jpg"),
        ("a.tif", "b.png"),
        ("a.jpg", "b.webp"),
        ("a.bmp", "b.TIFF"),
        ("a.webp", "b.gif"),
    ],
)
def test_another_format_than_the_suffix_says(tmp_path: Path, written: str, name: str) -> None:
    kind = read_picture(save(tmp_path / written, noise(5, 6, 3))).pixels.dtype
    assert kind == np.uint8
    (tmp_path / written).rename(tmp_path / name)
    refused(tmp_path / name, "its suffix says", "rename it")


def test_suffixes_of_one_format(tmp_path: Path) -> None:
    for suffix, other in ((".jpg", ".jpeg"), (".jpeg", ".JPE"), (".tif", ".tiff")):
        path = save(tmp_path / f"a{suffix}", noise(5, 6, 3))
        assert read_picture(path.rename(tmp_path / f"a{other}")).pixels.shape == (5, 6, 3)


def test_threads_leave_the_filters_of_warnings_as_they_were(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", noise(64, 64, 3))
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(read_picture, [path] * 200))
    assert warnings.filters == before


@pytest.mark.parametrize("how", ["planes", "cmyk"])
def test_16_bit_tiff_of_another_layout(tmp_path: Path, how: str) -> None:
    if how == "planes":
        tifffile.imwrite(
            tmp_path / "a.tif",
            noise(3, 20, 21, np.uint16),
            photometric="rgb",
            planarconfig="separate",
        )
    else:
        pixels = noise(20, 21, 4, np.uint16)
        tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="separated")
    refused(tmp_path / "a.tif", "RGB")


# Writing


@pytest.mark.parametrize("name", ["a.gif", "a.xyz", "a", "a.png.txt"])
def test_unknown_suffix_on_write(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileError, match=r"written as \.png, \.jpg"):
        write_picture(Picture(noise(4, 4, 3)), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".tif"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, kind: type
) -> None:
    path = save(tmp_path / f"a{suffix}", noise(6, 6, 3, kind))
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(FileError, match="cannot be written: No space left on device"):
        write_picture(Picture(noise(6, 6, 3, kind, seed=1)), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_interruption_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "a.png", noise(6, 6, 3))
    before = path.read_bytes()

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Image.Image, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_picture(Picture(noise(6, 6, 3, seed=1)), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_nowhere_to_write(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be written: No such file"):
        write_picture(Picture(noise(4, 4, 3)), tmp_path / "none" / "a.png")
    (tmp_path / "file").write_text("x")
    with pytest.raises(FileError, match="cannot be written: Not a directory"):
        write_picture(Picture(noise(4, 4, 3)), tmp_path / "file" / "a.png")
    (tmp_path / "b.png").mkdir()
    with pytest.raises(FileError, match="cannot be written"):
        write_picture(Picture(noise(4, 4, 3)), tmp_path / "b.png")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b.png", "file"]


@pytest.mark.parametrize(
    ("suffix", "width", "kind"), [(".webp", 17_000, np.uint8), (".jpg", 66_000, np.uint8)]
)
def test_too_large_for_the_format(tmp_path: Path, suffix: str, width: int, kind: type) -> None:
    write: Callable[[], Path] = lambda: write_picture(  # noqa: E731
        Picture(np.zeros((1, width, 3), kind)), tmp_path / f"a{suffix}"
    )
    with pytest.raises(FileError, match="cannot be written"):
        write()
    assert list(tmp_path.iterdir()) == []
