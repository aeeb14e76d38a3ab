"""Arrays -> image files: PNG, JPEG, WebP, BMP, TIFF, with profile, metadata and resolution.

Pillow writes no PNG of 16-bit colour, nor a TIFF with a photograph's EXIF block: these are put
together here.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, PngImagePlugin, TiffImagePlugin

from aeplug.errors import FileError
from aeplug.runtime import atomic_replace
from aeplug_image.files.metadata import resize_exif, resize_xmp, select_tiff_tags
from aeplug_image.files.reading import FORMATS, Picture, to_eight_bit

#: Suffixes of files that can be written.
WRITTEN = tuple(suffix for suffix, kind in FORMATS.items() if kind != "GIF")

_XMP_KEYWORD = "XML:com.adobe.xmp"

#: A JPEG holds XMP in one segment of 65,533 bytes, with 29 bytes of name.
_JPEG_XMP = 65_504


def write_picture(picture: Picture, path: Path) -> Path:
    """Encode by the suffix; the file appears only when whole. Profile and metadata are kept.

    Formats that cannot hold 16 bit or alpha get 8 bit, and alpha over white. Where EXIF and XMP
    give the size, it becomes that of the picture. A BMP holds only the resolution, a WebP
    everything but it.

    Raises:
        FileError: unknown suffix, or the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in WRITTEN:
        raise FileError(f"{path}: images are written as {', '.join(WRITTEN)}")
    picture = _update_size(picture)
    deep = picture.pixels.dtype == np.uint16
    try:
        with atomic_replace(path, fsync=True) as temporary, temporary.open("wb") as file:
            if deep and suffix == ".png":
                _write_deep_png(picture, file)
            elif suffix in (".tif", ".tiff"):
                _write_tiff(picture, file)
            else:
                _write_eight_bit(picture, file, suffix)
    except Exception as error:  # encoders raise whatever comes: struct.error, RuntimeError
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise FileError(f"{path} cannot be written: {reason}") from error
    return path


def _update_size(picture: Picture) -> Picture:
    """The picture with the size in its metadata brought up to date."""
    height, width = picture.pixels.shape[:2]
    return replace(
        picture,
        exif=resize_exif(picture.exif, width, height) if picture.exif else None,
        xmp=resize_xmp(picture.xmp, width, height) if picture.xmp else None,
    )


def _write_eight_bit(picture: Picture, file: BinaryIO, suffix: str) -> None:
    pixels = to_eight_bit(picture.pixels)
    if picture.has_alpha and FORMATS[suffix] in ("JPEG", "BMP"):
        alpha = pixels[..., -1:].astype(np.float32) / 255
        pixels = np.rint(pixels[..., :-1] * alpha + 255 * (1 - alpha)).astype(np.uint8)
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    image.save(file, FORMATS[suffix], **_options(picture, FORMATS[suffix]))


def _options(picture: Picture, kind: str) -> dict[str, Any]:
    """Pillow's options for a format, beside the pixels."""
    options: dict[str, Any] = {"icc_profile": picture.icc, "exif": picture.exif}
    if kind == "BMP":
        options = {}
    if kind != "WEBP":
        options["dpi"] = picture.dpi
    if kind == "PNG" and picture.xmp:
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_itxt(_XMP_KEYWORD, picture.xmp.decode())
    if kind == "WEBP" or (kind == "JPEG" and len(picture.xmp or b"") <= _JPEG_XMP):
        options["xmp"] = picture.xmp
    if kind == "JPEG":
        options.update(quality=95, subsampling=0)
    if kind == "WEBP":
        options.update(lossless=True, exact=True)
    return {name: value for name, value in options.items() if value is not None}


def _write_deep_png(picture: Picture, file: BinaryIO) -> None:
    def chunk(kind: bytes, data: bytes) -> None:
        file.write(struct.pack(">I", len(data)) + kind + data)
        file.write(struct.pack(">I", zlib.crc32(kind + data)))

    height, width, channels = picture.pixels.shape
    file.write(b"\x89PNG\r\n\x1a\n")
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0))
    if picture.icc:
        chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(picture.icc))
    if picture.xmp:
        chunk(b"iTXt", _XMP_KEYWORD.encode() + bytes(5) + picture.xmp)  # not compressed
    if picture.dpi:
        across, down = (round(dots / 0.0254) for dots in picture.dpi)
        chunk(b"pHYs", struct.pack(">IIB", across, down, 1))  # dots per metre
    if picture.exif:
        chunk(b"eXIf", picture.exif.removeprefix(b"Exif\0\0"))
    rows = np.ascontiguousarray(picture.pixels, ">u2").view(np.uint8).reshape(height, -1)
    step = 2 * channels
    filtered = np.ones((height, 1 + rows.shape[1]), np.uint8)  # in front of each row: filter 1
    filtered[:, 1 : 1 + step] = rows[:, :step]
    np.subtract(rows[:, step:], rows[:, :-step], out=filtered[:, 1 + step :])
    data = zlib.compress(filtered.data, 3)
    for start in range(0, len(data), 1 << 20):
        chunk(b"IDAT", data[start : start + (1 << 20)])
    chunk(b"IEND", b"")


def _write_tiff(picture: Picture, file: BinaryIO) -> None:
    pixels = picture.pixels
    deep = pixels.dtype == np.uint16
    if deep and pixels.shape[2] == 2:  # Pillow reads no TIFF of grey with alpha at 16 bit
        pixels = pixels[..., [0, 0, 0, 1]]
    height, width, channels = pixels.shape
    differences = pixels.astype("<u2" if deep else "u1")
    differences[:, 1:] -= pixels[:, :-1]
    data = zlib.compress(differences.tobytes(), 3)
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    if picture.exif:
        for tag, value in select_tiff_tags(picture.exif).items():
            tags[tag] = value
    if picture.dpi:
        tags[282], tags[283] = picture.dpi
        tags[296] = 2  # to the inch
    tags[256], tags[257] = width, height
    tags[258] = (16 if deep else 8,) * channels
    tags[259], tags[317] = 8, 2  # deflate of differences
    tags[262] = 1 if channels < 3 else 2
    tags[273], tags[278], tags[279] = 0, height, len(data)  # one strip, behind the tags
    tags[277] = channels
    if channels in (2, 4):
        tags[338] = 2  # alpha, not multiplied into the colours
    if picture.xmp:
        tags[700] = picture.xmp
    if picture.icc:
        tags[34675] = picture.icc
    tags.save(file)
    file.write(data)
