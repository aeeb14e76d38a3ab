"""Image files <-> arrays: PNG, JPEG, WebP, BMP, TIFF; 8 and 16 bit; grey, RGB, alpha.

Pillow reads everything but colour of 16 bit, which it narrows to 8; OpenCV reads that. Neither
writes it with profile and metadata, nor Pillow a TIFF with a photograph's EXIF block: PNG of 16
bit and TIFF are put together here.
"""

from __future__ import annotations

import contextlib
import os
import struct
import threading
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, TiffImagePlugin, UnidentifiedImageError

from aeplug.errors import FileError

#: Images above this are refused before they are decoded: 30,000 x 30,000 would take 2.7 GB.
MAX_PIXELS = 400_000_000

#: What is looked for in a file; a suffix that stands for another of them is an error.
_READ = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")

_ORIENTATION = 0x0112

#: Tags of a TIFF that are metadata, not structure: description, maker, model, resolution,
#: software, date, artist, copyright, EXIF, GPS.
_TIFF_METADATA = frozenset(
    {270, 271, 272, 282, 283, 296, 305, 306, 315, 33432, 34665, 34853, _ORIENTATION}
)


@dataclass(frozen=True)
class Picture:
    """A decoded image, upright.

    Attributes:
        pixels: ``(H, W, C)`` uint8 or uint16; C is 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and
            alpha.
        icc: colour profile as in the file, if it has one.
        exif: metadata as in the file with the rotation undone, if it has any.
    """

    pixels: np.ndarray
    icc: bytes | None = None
    exif: bytes | None = None

    @property
    def has_alpha(self) -> bool:
        """Whether the last channel is alpha."""
        return self.pixels.shape[2] in (2, 4)

    @property
    def unit(self) -> float:
        """The value of white: 255 or 65,535."""
        return float(np.iinfo(self.pixels.dtype).max)


def read_picture(path: Path) -> Picture:
    """Decode an image file, with the rotation its EXIF asks for.

    YCbCr and palettes become RGB. Of an animation or a file of several pages nothing is read, nor
    of CMYK: written back as RGB, it would be another kind of file.

    Raises:
        FileError: missing, empty, truncated, not an image, of another format than its suffix
            says, too large, animated, CMYK.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise FileError(f"{path}: {error.strerror}") from error
    if path.is_dir():
        raise FileError(f"{path} is a folder, expected an image file")
    if size == 0:
        raise FileError(f"{path} is empty")
    try:
        with path.open("rb") as file, _QUIET_PILLOW, _opened(file) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise FileError(
                    f"{path} has {width:,} x {height:,} pixels, more than {MAX_PIXELS:,}"
                )
            # MPO: the JPEG of many telephones, with a second picture (a gain map) behind the first.
            kind = "JPEG" if image.format == "MPO" else image.format
            said = _FORMATS.get(path.suffix.lower(), kind)
            if said != kind:
                raise FileError(f"{path} is a {kind} file, its suffix says {said}; rename it")
            if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
                raise FileError(f"{path} holds {image.n_frames} images; expected one")
            if image.mode == "CMYK":
                raise FileError(f"{path} has CMYK colours, expected RGB or grey; convert it first")
            icc = image.info.get("icc_profile")
            # Also where OpenCV decodes: of a damaged file it gives no reason but prints lines.
            image.load()
            pixels = _sixteen_bit_colour(path, image)
            if pixels is None:
                pixels = _array(path, image)
            # Both turn a TIFF themselves, and Pillow has dropped its orientation by now.
            return Picture(_turned(pixels, _orientation(image)), icc, _upright_exif(image))
    except FileError:
        raise
    except UnidentifiedImageError:
        raise FileError(f"{path} is not an image that can be read") from None
    except Exception as error:  # decoders raise whatever comes: struct.error, KeyError, cv2.error
        reason = " ".join(str(error).split()) or type(error).__name__
        raise FileError(f"{path} is damaged: {reason}") from error


def write_picture(picture: Picture, path: Path) -> Path:
    """Encode by the suffix, through a temporary name; profile and metadata are kept.

    Formats that cannot hold 16 bit or alpha get 8 bit, and alpha over white.

    Raises:
        FileError: unknown suffix, or the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in WRITTEN:
        raise FileError(f"{path}: images are written as {', '.join(WRITTEN)}")
    temporary = path.with_name(f".{path.name}.partial")
    deep = picture.pixels.dtype == np.uint16
    try:
        with temporary.open("wb") as file:
            if deep and suffix == ".png":
                _write_deep_png(picture, file)
            elif suffix in (".tif", ".tiff"):
                _write_tiff(picture, file)
            else:
                _write_eight_bit(picture, file, suffix)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except Exception as error:  # encoders raise whatever comes: struct.error, RuntimeError
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise FileError(f"{path} cannot be written: {reason}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    return path


_FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".gif": "GIF",
}
#: Suffixes of files that can be written.
WRITTEN = tuple(suffix for suffix, kind in _FORMATS.items() if kind != "GIF")


class _QuietPillow:
    """No warnings while any thread reads.

    ``warnings.catch_warnings`` alone would, with threads that overlap, leave the filters of one
    in place of another's.
    """

    def __init__(self) -> None:
        self._lock, self._depth = threading.Lock(), 0
        self._caught = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            self._depth += 1
            if self._depth == 1:
                self._caught = warnings.catch_warnings()
                self._caught.__enter__()
                warnings.simplefilter("ignore")

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._depth -= 1
            if self._depth == 0:
                self._caught.__exit__(None, None, None)


_QUIET_PILLOW = _QuietPillow()
_OPENING = threading.Lock()


def _opened(file: BinaryIO) -> Image.Image:
    # From a file, not a path: a path Pillow maps into memory, and scrambles so a TIFF on its side.
    # Our own limit on pixels follows; Pillow's, below it, would only warn or stop.
    with _OPENING:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(file, formats=_READ)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _array(path: Path, image: Image.Image) -> np.ndarray:
    if image.mode == "F":
        raise FileError(f"{path} has floating-point pixels; expected 8 or 16 bit")
    if image.mode == "I" or image.mode.startswith("I;16"):
        pixels = np.asarray(image)
        if pixels.min() < 0 or pixels.max() > 65535:
            raise FileError(f"{path} has values beyond 16 bit; expected 8 or 16 bit")
        pixels = pixels.astype(np.uint16)[..., None]
        clear = image.info.get("transparency")
        if isinstance(clear, int):
            alpha = np.where(pixels == clear, 0, 65535).astype(np.uint16)
            return np.concatenate([pixels, alpha], 2)
        return pixels
    if image.mode == "1":  # Pillow has no way from here to LA
        image = image.convert("L")
    has_alpha = image.getbands()[-1] in ("A", "a")
    has_alpha = has_alpha or "transparency" in image.info
    grey = image.mode in ("L", "LA", "La")
    image = image.convert(("LA" if grey else "RGBA") if has_alpha else ("L" if grey else "RGB"))
    pixels = np.array(image)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _sixteen_bit_colour(path: Path, image: Image.Image) -> np.ndarray | None:
    """Pixels of a 16-bit colour (or grey-alpha) PNG or TIFF; None for every other file."""
    if image.format == "PNG":
        with path.open("rb") as file:
            header = file.read(26)
        deep = header[24] == 16 and header[25] in (2, 4, 6)
    elif image.format == "TIFF":
        bits = image.tag_v2.get(258, (8,))  # type: ignore[attr-defined]
        bits = bits if isinstance(bits, tuple) else (bits,)
        deep = len(bits) > 1 and set(bits) == {16}
        if deep and (image.tag_v2.get(262) != 2 or image.tag_v2.get(284, 1) != 1):  # type: ignore[attr-defined]
            # OpenCV reads the planes of separated colours as if they were not.
            raise FileError(f"{path} has 16 bit in separate planes or not in RGB; expected RGB")
    else:
        return None
    if not deep:
        return None
    import cv2

    # From memory, since OpenCV opens no path outside the locale's encoding.
    data = np.frombuffer(path.read_bytes(), np.uint8)
    pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None:
        raise ValueError("its 16-bit data cannot be decoded")
    if pixels.ndim == 2:
        return pixels[..., None]
    if pixels.shape[2] == 4 and image.format == "PNG" and header[25] == 4:
        return np.ascontiguousarray(pixels[..., [0, 3]])
    pixels = np.ascontiguousarray(pixels[..., [2, 1, 0, 3][: pixels.shape[2]]])
    if image.format == "TIFF" and image.tag_v2.get(338) == (1,):  # type: ignore[attr-defined]
        alpha = np.maximum(pixels[..., 3:].astype(np.float64), 1)  # colours multiplied by it
        pixels[..., :3] = np.minimum(np.rint(pixels[..., :3] / alpha * 65535), 65535)
    return pixels


def _turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """EXIF orientation 1-8 undone."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # metadata out of order is no reason to give up the picture
        return 1


def _upright_exif(image: Image.Image) -> bytes | None:
    try:
        exif = image.getexif()
        for tag in list(exif):
            if tag == _ORIENTATION or (image.format == "TIFF" and tag not in _TIFF_METADATA):
                del exif[tag]
        return exif.tobytes() if len(exif) else None
    except Exception:  # as above
        return None


def _write_eight_bit(picture: Picture, file: BinaryIO, suffix: str) -> None:
    pixels = picture.pixels
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if picture.has_alpha and _FORMATS[suffix] in ("JPEG", "BMP"):
        alpha = pixels[..., -1:].astype(np.float32) / 255
        pixels = np.rint(pixels[..., :-1] * alpha + 255 * (1 - alpha)).astype(np.uint8)
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    extra: dict[str, object] = {}
    if picture.icc:
        extra["icc_profile"] = picture.icc
    if picture.exif and suffix != ".bmp":
        extra["exif"] = picture.exif
    if _FORMATS[suffix] == "JPEG":
        extra.update(quality=95, subsampling=0)
    if suffix == ".webp":
        extra.update(lossless=True, exact=True)
    image.save(file, _FORMATS[suffix], **extra)


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
        exif = Image.Exif()
        exif.load(picture.exif)
        for tag in set(exif) & _TIFF_METADATA:
            tags[tag] = exif.get_ifd(tag) if tag in (34665, 34853) else exif[tag]
    tags[256], tags[257] = width, height
    tags[258] = (16 if deep else 8,) * channels
    tags[259], tags[317] = 8, 2  # deflate of differences
    tags[262] = 1 if channels < 3 else 2
    tags[273], tags[278], tags[279] = 0, height, len(data)  # one strip, behind the tags
    tags[277] = channels
    if channels in (2, 4):
        tags[338] = 2  # alpha, not multiplied into the colours
    if picture.icc:
        tags[34675] = picture.icc
    tags.save(file)
    file.write(data)
