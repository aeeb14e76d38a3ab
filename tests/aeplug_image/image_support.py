"""What the tests of aeplug_image use: pictures, PNG files made and read by hand, EXIF turns."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

from aeplug_image.files.reading import Picture
from aeplug_image.files.writing import write_picture

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


def _paeth(left: int, above: int, corner: int) -> int:
    """The neighbour nearest to ``left + above - corner``; the standard's order breaks ties."""
    guess = left + above - corner
    return min((left, above, corner), key=lambda neighbour: abs(guess - neighbour))


def _predicted(kind: int, row: bytes, above: bytes, at: int, step: int) -> int:
    left = row[at - step] if at >= step else 0
    corner = above[at - step] if at >= step else 0
    return (0, left, above[at], (left + above[at]) // 2, _paeth(left, above[at], corner))[kind]


#: Column and row of the first pixel, and steps, of the passes of an interlaced PNG.
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2))
ADAM7 = (*ADAM7, (0, 1, 1, 2))


def filtered_png(pixels: np.ndarray, interlaced: bool = False) -> bytes:
    """A 16-bit PNG ``(H, W, C)`` whose rows go through all five filters in turn."""
    height, width, channels = pixels.shape
    data, step = bytearray(), 2 * channels
    for x, y, across, down in ADAM7 if interlaced else ((0, 0, 1, 1),):
        rows = pixels[y::down, x::across].astype(">u2")
        above = bytes(rows.shape[1] * step)
        for number, values in enumerate(rows if rows.size else ()):
            row, kind = values.tobytes(), number % 5
            data.append(kind)
            data += bytes(
                (row[at] - _predicted(kind, row, above, at, step)) % 256 for at in range(len(row))
            )
            above = row
    header = struct.pack(">IIBBBBB", width, height, 16, PNG_COLOURS[channels], 0, 0, interlaced)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", zlib.compress(bytes(data)))
        + png_chunk(b"IEND", b"")
    )


def decoded_png(png: bytes) -> np.ndarray:
    """``(H, W, C)`` uint16 of a 16-bit PNG that is not interlaced, by the standard's words."""
    data, start = b"", 8
    while start < len(png):
        end = start + 12 + int.from_bytes(png[start : start + 4], "big")
        if png[start + 4 : start + 8] == b"IDAT":
            data += png[start + 8 : end - 4]
        start = end
    width, height, depth, colour = struct.unpack(">IIBB", png[16:26])
    assert depth == 16 and png[28] == 0
    channels = {number: channels for channels, number in PNG_COLOURS.items()}[colour]
    filtered, step = zlib.decompress(data), 2 * channels
    above, rows = bytes(width * step), bytearray()
    for number in range(height):
        line = filtered[number * (1 + width * step) :][: 1 + width * step]
        row = bytearray(width * step)
        for at, byte in enumerate(line[1:]):
            row[at] = (byte + _predicted(line[0], row, above, at, step)) % 256
        above = bytes(row)
        rows += above
    return np.frombuffer(rows, ">u2").reshape(height, width, channels).astype(np.uint16)


def save(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_picture(Picture(pixels), path)
