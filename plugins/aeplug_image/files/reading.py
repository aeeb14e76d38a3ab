"""Image files -> arrays: PNG, JPEG, WebP, BMP, TIFF, GIF; 8 and 16 bit; grey, RGB, alpha.

Pillow narrows colour of 16 bit to 8, but lets one choose which byte of a sample it keeps: such a
file is decoded twice, once for the high bytes and once for the low ones.
"""

from __future__ import annotations

import stat
import sys
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from aeplug.errors import FileError
from aeplug_image.files.metadata import (
    ORIENTATION,
    read_orientation,
    read_resolution,
    read_upright_exif,
    read_upright_xmp,
)

__all__ = ["Picture"]

#: Images above this are refused before they are decoded: 30,000 x 30,000 would take 2.7 GB.
MAX_PIXELS = 400_000_000

#: Formats by suffix; a suffix that stands for another format than the file's is an error.
FORMATS = {
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

#: What is looked for in a file.
_READ = tuple(dict.fromkeys(FORMATS.values()))

#: Kinds of colour that are not read: written back as RGB, they would be another kind of file.
_FOREIGN = {"CMYK": "CMYK", "LAB": "Lab"}

#: Tags of a TIFF that say how its pixels are stored.
_BITS, _PHOTOMETRIC, _PLANES, _EXTRA_SAMPLES, _SAMPLE_FORMAT = 258, 262, 284, 338, 339

#: Values of those tags.
_WHITE_IS_ZERO, _RGB, _SIGNED, _UNSPECIFIED, _MULTIPLIED = 0, 2, 2, 0, 1


@dataclass(frozen=True)
class Picture:
    """A decoded image, upright.

    Example:
        >>> grey = Picture(np.zeros((4, 6, 2), np.uint16))
        >>> grey.has_alpha, grey.unit
        (True, 65535.0)

    Attributes:
        pixels: ``(H, W, C)`` uint8 or uint16; C is 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and
            alpha.
        icc: colour profile as in the file, if it has one.
        exif: metadata as in the file with the rotation undone, if it has any.
        xmp: XMP packet in UTF-8 with the rotation undone, if it has one.
        dpi: dots per inch across and down, if the file says.
    """

    pixels: np.ndarray
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    dpi: tuple[float, float] | None = None

    @property
    def has_alpha(self) -> bool:
        """Whether the last channel is alpha."""
        return self.pixels.shape[2] in (2, 4)

    @property
    def unit(self) -> float:
        """The value of white: 255 or 65,535."""
        return float(np.iinfo(self.pixels.dtype).max)


def to_eight_bit(pixels: np.ndarray) -> np.ndarray:
    """uint8 of pixels of 8 or 16 bit, to the nearest."""
    if pixels.dtype != np.uint16:
        return pixels
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def read_picture(path: Path) -> Picture:
    """Decode an image file, with the rotation its EXIF asks for.

    YCbCr and palettes become RGB, grey of 12 bit becomes 16. Of an animation or a file of several
    pages nothing is read, nor of CMYK or Lab: written back as RGB, it would be another kind of
    file; nor numbers that have no white: signed, of 32 bit, floating-point.

    Raises:
        FileError: missing, not to be opened, no regular file, empty, truncated, not an image, of
            another format than its suffix says, too large, animated, of a kind named above.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise FileError(f"{path}: {error.strerror}") from error
    if stat.S_ISDIR(status.st_mode):
        raise FileError(f"{path} is a folder, expected an image file")
    if not stat.S_ISREG(status.st_mode):  # to open a pipe would wait for a writer
        raise FileError(f"{path} is no regular file")
    if status.st_size == 0:
        raise FileError(f"{path} is empty")
    try:
        with path.open("rb") as file, _QUIET_PILLOW, _open(file) as image:
            _refuse_foreign(path, image)
            return _decode(path, image)
    except FileError:
        raise
    except UnidentifiedImageError:
        raise FileError(f"{path} is not an image that can be read") from None
    except Exception as error:  # decoders raise whatever comes: struct.error, KeyError, SyntaxError
        raise FileError(_describe(path, error)) from error


def _describe(path: Path, error: Exception) -> str:
    """One line on why a file could not be read."""
    if isinstance(error, OSError) and error.strerror:  # the system's; decoders' have no number
        return f"{path}: {error.strerror}"
    reason = " ".join(str(error).split()) or type(error).__name__
    if "MAX_TEXT_" in reason:  # Pillow's guard against a few bytes that unpack into gigabytes
        return f"{path} cannot be read: its text or profile is too large"
    return f"{path} is damaged: {reason}"


def _refuse_foreign(path: Path, image: Image.Image) -> None:
    """Refuse, before anything is decoded, what would come out as something else."""
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise FileError(f"{path} has {width:,} x {height:,} pixels, more than {MAX_PIXELS:,}")
    # MPO: the JPEG of many telephones, with a second picture (a gain map) behind the first.
    kind = "JPEG" if image.format == "MPO" else image.format
    said = FORMATS.get(path.suffix.lower(), kind)
    if said != kind:
        raise FileError(f"{path} is a {kind} file, its suffix says {said}; rename it")
    frames = getattr(image, "n_frames", 1)
    if image.format != "MPO" and frames > 1:
        raise FileError(f"{path} holds {frames} images; expected one")
    if image.mode in _FOREIGN:
        raise FileError(
            f"{path} has {_FOREIGN[image.mode]} colours, expected RGB or grey; "
            "convert it to RGB first"
        )
    if image.mode == "F":
        raise FileError(f"{path} has floating-point pixels; expected 8 or 16 bit")
    if image.format != "TIFF":
        return
    if max(_read_tag(image, _BITS), default=1) > 16:
        raise FileError(f"{path} has integers of 32 bit; expected 8 or 16 bit")
    if _SIGNED in _read_tag(image, _SAMPLE_FORMAT):
        raise FileError(f"{path} has signed integers; expected 8 or 16 bit without sign")


def _decode(path: Path, image: Image.Image) -> Picture:
    icc = image.info.get("icc_profile")
    in_tiff = (*_read_tag(image, ORIENTATION), 1)[0]
    passes = _sixteen_bit_passes(path, image)
    pixels = _sixteen_bit_colour(path, image, passes) if passes else _read_pixels(image)
    # Pillow turns a TIFF itself, and has dropped its orientation by now.
    orientation = read_orientation(image)
    quarter = orientation in (5, 6, 7, 8) or in_tiff in (5, 6, 7, 8)
    return Picture(
        _undo_orientation(pixels, orientation),
        icc,
        read_upright_exif(image, quarter),
        read_upright_xmp(image),
        read_resolution(image, quarter),
    )


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


def _open(file: BinaryIO) -> Image.Image:
    # From a file, not a path: a path Pillow maps into memory, and scrambles so a TIFF on its side.
    # Our own limit on pixels follows; Pillow's, below it, would only warn or stop.
    with _OPENING:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(file, formats=_READ)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _read_tag(image: Image.Image, tag: int) -> tuple[int, ...]:
    """A tag of a TIFF, ``()`` where it or the TIFF is missing."""
    value: Any = getattr(image, "tag_v2", {}).get(tag, ())
    return value if isinstance(value, tuple) else (value,)


def _read_pixels(image: Image.Image) -> np.ndarray:
    image.load()
    if image.mode == "I" or image.mode.startswith("I;16"):
        pixels = _sixteen_bit_grey(image)
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


def _sixteen_bit_grey(image: Image.Image) -> np.ndarray:
    """``(H, W, 1)`` uint16 of a loaded image of 16 or 12 bit, white at 65,535."""
    pixels = np.asarray(image).astype(np.uint16)[..., None]
    if _read_tag(image, _BITS) == (12,):
        pixels = ((pixels.astype(np.uint32) * 65535 + 2047) // 4095).astype(np.uint16)
    if _read_tag(image, _PHOTOMETRIC) == (_WHITE_IS_ZERO,):  # Pillow heeds it up to 8 bit
        pixels = 65535 - pixels
    return pixels


def _sixteen_bit_passes(path: Path, image: Image.Image) -> tuple[str, ...]:
    """What Pillow is to unpack of a 16-bit colour (or grey-alpha) PNG or TIFF, pass by pass.

    Its raw modes for 16 bit keep one byte of two, ``16B`` the first and ``16L`` the second: of a
    file whose high bytes come first, these are the high and the low ones. Empty for all others.
    """
    if image.format == "PNG":
        with path.open("rb") as file:
            depth, kind = file.read(26)[24:]
        # A pixel of grey and alpha is four bytes, as is one of 8-bit RGBA.
        modes = {2: ("RGB;16B", "RGB;16L"), 4: ("RGBA",), 6: ("RGBA;16B", "RGBA;16L")}
        return modes.get(kind, ()) if depth == 16 else ()
    bits = _read_tag(image, _BITS)
    if len(bits) < 2 or set(bits) != {16}:
        return ()
    if _read_tag(image, _PHOTOMETRIC) != (_RGB,) or _read_tag(image, _PLANES) not in ((), (1,)):
        raise FileError(f"{path} has 16 bit in separate planes or not in RGB; expected RGB")
    extra = _read_tag(image, _EXTRA_SAMPLES)
    name = "RGB" if len(bits) == 3 else "RGBX" if extra == (_UNSPECIFIED,) else "RGBA"
    order = str(_arguments(image.tile[0])[0])[-1]  # type: ignore[attr-defined]  # N: unpacked by libtiff to the machine's own order
    little = order == "L" or (order == "N" and sys.byteorder == "little")
    return (f"{name};16L", f"{name};16B") if little else (f"{name};16B", f"{name};16L")


def _sixteen_bit_colour(path: Path, image: Image.Image, passes: tuple[str, ...]) -> np.ndarray:
    """``(H, W, C)`` uint16 of an image that is opened but not loaded."""
    pixels = _unpack(image, passes[0])
    if len(passes) == 1:
        return pixels.view(">u2").astype(np.uint16)
    pixels = pixels.astype(np.uint16)
    pixels <<= 8
    with path.open("rb") as file, _open(file) as again:
        pixels |= _unpack(again, passes[1])
    clear = image.info.get("transparency")
    if isinstance(clear, tuple):
        same = (pixels == np.array(clear, np.uint16)).all(2, keepdims=True)
        return np.concatenate([pixels, np.where(same, 0, 65535).astype(np.uint16)], 2)
    if _read_tag(image, _EXTRA_SAMPLES) == (_MULTIPLIED,):
        alpha = np.maximum(pixels[..., 3:].astype(np.float64), 1)  # colours multiplied by it
        pixels[..., :3] = np.minimum(np.rint(pixels[..., :3] / alpha * 65535), 65535)
    return pixels


def _arguments(tile: Any) -> tuple[Any, ...]:
    """Arguments of Pillow's decoder for a tile, the raw mode first."""
    return tile.args if isinstance(tile.args, tuple) else (tile.args,)


def _unpack(image: Image.Image, rawmode: str) -> np.ndarray:
    """``(H, W, C)`` uint8 of an image that is opened but not loaded, by a raw mode of Pillow's."""
    tiles: Any = image.tile  # type: ignore[attr-defined]
    tiles = [tile._replace(args=(rawmode, *_arguments(tile)[1:])) for tile in tiles]
    image.tile = tiles  # type: ignore[attr-defined]
    image.load()
    return np.array(image)


def _undo_orientation(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """EXIF orientation 1-8 undone."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
