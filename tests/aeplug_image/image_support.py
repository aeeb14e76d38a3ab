"""What the tests of aeplug_image use: pictures, PNG files put together by hand, EXIF turns."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

from aeplug_image.image_file import Picture
from aeplug_image.image_writing import write_picture

#: PNG's number for a colour type, by channels.
PNG_COLOURS = {1: 0, 2: 4, 3: 2, 4: 6}


def noise(
    height: int, width: int, channels: int, kind: type = np.uint8, seed: int = 0
) -> np.ndarray:
    """Random pixels over the full range, ``(height, width, channels)``."""
    top = np.iinfo(kind).max
    random = np.random.default_rng(seed)
    return random.integers(0, top, (height, width, channels), dtype=kind, endpoint=True)


def smooth(height: int, width: int, channels: int, seed: int = 0) -> np.ndarray:
    """Pixels that JPEG keeps nearly as they are: a ramp a channel, uint8."""
    y, x = np.mgrid[0:height, 0:width]
    ramps = [(c + 1) * 20 + 3 * y + (c + 2) * x + seed for c in range(channels)]
    return np.stack(ramps, 2).astype(np.uint8)


def stored(upright: np.ndarray, orientation: int) -> np.ndarray:
    """How a camera stores upright pixels under an EXIF orientation (written from the standard).

    Orientation N says where the stored row 0 and column 0 lie in the upright picture:
    1 top left, 2 top right, 3 bottom right, 4 bottom left, and 5-8: row 0 is the left (5, 8) or
    right (6, 7) side, column 0 the top (5, 6) or bottom (7, 8).
    """
    if orientation in (2, 3, 6, 7):
        upright = upright[:, ::-1]
    if orientation in (3, 4, 7, 8):
        upright = upright[::-1]
    if orientation >= 5:
        upright = upright.swapaxes(0, 1)
    return np.ascontiguousarray(upright)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def png_bytes(pixels: np.ndarray, extra: bytes = b"", size: tuple[int, int] | None = None) -> bytes:
    """A PNG without compression tricks; ``size`` (width, height) puts a lie into the header."""
    height, width, channels = pixels.shape
    bits = 16 if pixels.dtype == np.uint16 else 8
    rows = pixels.astype(">u2" if bits == 16 else "u1")
    data = b"".join(b"\0" + row.tobytes() for row in rows)
    width, height = size or (width, height)
    header = struct.pack(">IIBBBBB", width, height, bits, PNG_COLOURS[channels], 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + extra
        + png_chunk(b"IDAT", zlib.compress(data))
        + png_chunk(b"IEND", b"")
    )


def save(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_picture(Picture(pixels), path)
