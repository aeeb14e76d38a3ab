"""What an image file holds beside its pixels: colour profile, EXIF, XMP, resolution.

Read so that it fits the upright picture, and brought to the written size before it is written.
"""

from __future__ import annotations

import math
import re
from typing import Any

from PIL import Image

ORIENTATION = 0x0112
_RESOLUTION = (0x011A, 0x011B)
_EXIF, _INTEROPERABILITY = 0x8769, 0xA005
_SUB_DIRECTORIES = (_EXIF, 0x8825)

#: Tags of width and height: in the first directory, and in the EXIF block.
_SIZE, _EXIF_SIZE = (0x0100, 0x0101), (0xA002, 0xA003)

#: Names of width and height in XMP.
_XMP_SIZES = (
    (b"tiff:ImageWidth", b"tiff:ImageLength"),
    (b"exif:PixelXDimension", b"exif:PixelYDimension"),
)

#: Tags of a TIFF that are metadata, not structure: description, maker, model, resolution,
#: software, date, artist, copyright, EXIF, GPS.
_TIFF_METADATA = frozenset(
    {270, 271, 272, *_RESOLUTION, 296, 305, 306, 315, 33432, *_SUB_DIRECTORIES, ORIENTATION}
)


def read_orientation(image: Image.Image) -> int:
    """EXIF orientation 1-8, 1 (upright) where there is none."""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # metadata out of order is no reason to give up the picture
        return 1


def read_upright_exif(image: Image.Image, quarter: bool) -> bytes | None:
    """The EXIF block without orientation; ``quarter``: the picture was turned on its side."""
    try:
        exif = image.getexif()
        for tag in list(exif):
            if tag == ORIENTATION or (image.format == "TIFF" and tag not in _TIFF_METADATA):
                del exif[tag]
        across, down = _RESOLUTION
        if quarter and across in exif and down in exif:
            exif[across], exif[down] = exif[down], exif[across]
        return exif.tobytes() if len(exif) else None
    except Exception:  # as above
        return None


def read_upright_xmp(image: Image.Image) -> bytes | None:
    """The XMP packet in UTF-8 with orientation 1; in another encoding it is not kept."""
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    if isinstance(packet, str):
        packet = packet.encode()
    if not isinstance(packet, bytes):
        return None
    packet = packet.rstrip(b"\0")
    try:
        packet.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if not packet or b"\0" in packet:  # UTF-16
        return None
    # Also where nothing was turned: there EXIF said so, and EXIF's orientation is gone now.
    return _replace_number(packet, b"tiff:Orientation", 1)


def read_resolution(image: Image.Image, quarter: bool) -> tuple[float, float] | None:
    """Dots per inch, ``(across, down)``, where the file gives them."""
    try:
        # Without a word in the file Pillow has 72 for a JPEG, and 1 for a TIFF.
        stated = image.info.get("jfif_unit") or _RESOLUTION[0] in image.getexif()
        if not (stated or image.format in ("PNG", "BMP")):
            return None
        across, down = (float(dots) for dots in image.info["dpi"])
    except Exception:  # as above
        return None
    # Beyond 65,535 no JPEG can hold it.
    if not all(math.isfinite(dots) and 1 <= dots <= 65535 for dots in (across, down)):
        return None
    return (down, across) if quarter else (across, down)


def resize_exif(exif: bytes, width: int, height: int) -> bytes:
    """An EXIF block whose width and height, where it gives them, are those of the picture."""
    block = Image.Exif()
    try:
        block.load(exif)
        stale = _set_size(block, _SIZE, (width, height))
        if _EXIF in block:
            stale = _set_size(block.get_ifd(_EXIF), _EXIF_SIZE, (width, height)) or stale
        return block.tobytes() if stale else exif
    except Exception:  # as above
        return exif


def resize_xmp(xmp: bytes, width: int, height: int) -> bytes:
    """An XMP packet whose width and height, where it gives them, are those of the picture."""
    for across, down in _XMP_SIZES:
        xmp = _replace_number(_replace_number(xmp, across, width), down, height)
    return xmp


def select_tiff_tags(exif: bytes) -> dict[int, Any]:
    """What of an EXIF block belongs into a TIFF, directories in it as dictionaries."""
    block = Image.Exif()
    block.load(exif)
    tags = {tag: block[tag] for tag in set(block) & _TIFF_METADATA}
    for tag in set(tags) & set(_SUB_DIRECTORIES):
        tags[tag] = dict(block.get_ifd(tag))
        if _INTEROPERABILITY in tags[tag]:  # else: where in the old file it lay
            tags[tag][_INTEROPERABILITY] = dict(block.get_ifd(_INTEROPERABILITY))
    return tags


def _set_size(directory: Any, tags: tuple[int, int], size: tuple[int, int]) -> bool:
    """Set those of two tags that are there; whether one of them was another."""
    stale = False
    for tag, side in zip(tags, size, strict=True):
        if tag in directory and directory[tag] != side:
            directory[tag] = side
            stale = True
    return stale


def _replace_number(xmp: bytes, name: bytes, number: int) -> bytes:
    """XMP with a property's number replaced, written as attribute or as element."""
    pattern = rb"(\b" + name + rb"(?:\s*=\s*[\"']|\s*>\s*))\d+"
    return re.sub(pattern, rb"\g<1>%d" % number, xmp)
