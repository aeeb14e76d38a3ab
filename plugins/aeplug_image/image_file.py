"""Image files <-> arrays: PNG, JPEG, WebP, BMP, TIFF; 8 and 16 bit; grey, RGB, alpha.

Pillow reads everything but colour of 16 bit, which it narrows to 8; OpenCV reads that.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from aeplug.errors import FileError

#: Images above this are refused before they are decoded: 30,000 x 30,000 would take 2.7 GB.
MAX_PIXELS = 400_000_000


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

    CMYK, YCbCr and palettes become RGB (CMYK through its profile where it has one). Of an
    animation or a file of several pages nothing is read.

    Raises:
        FileError: missing, empty, truncated, not an image, too large, animated.
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
        with _strict_pillow(), Image.open(path) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise FileError(
                    f"{path} has {width:,} x {height:,} pixels, more than {MAX_PIXELS:,}"
                )
            if getattr(image, "n_frames", 1) > 1:
                raise FileError(f"{path} holds {image.n_frames} images; expected one")
            icc = image.info.get("icc_profile")
            orientation = image.getexif().get(0x0112, 1)
            wide = _sixteen_bit_colour(path, image)
            if wide is not None:
                pixels = _turned(wide, orientation)
                return Picture(pixels, icc, _upright_exif(image))
            exif = _upright_exif(image)
            image.load()
            upright = ImageOps.exif_transpose(image)
            return Picture(_array(upright), icc if image.mode != "CMYK" else None, exif)
    except FileError:
        raise
    except UnidentifiedImageError:
        raise FileError(f"{path} is not an image that can be read") from None
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        reason = " ".join(str(error).split())
        raise FileError(f"{path} is damaged: {reason}") from error


def write_picture(picture: Picture, path: Path) -> Path:
    """Encode by the suffix, through a temporary name; profile and metadata are kept.

    Formats that cannot hold 16 bit or alpha get 8 bit, and alpha over white.

    Raises:
        FileError: unknown suffix, or the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in _FORMATS:
        raise FileError(f"{path}: images are written as {', '.join(_FORMATS)}")
    temporary = path.with_name(f".{path.name}.partial")
    try:
        if picture.pixels.dtype == np.uint16 and suffix in (".png", ".tif", ".tiff"):
            _write_sixteen_bit(picture, temporary, suffix)
        else:
            _write_eight_bit(picture, temporary, suffix)
        temporary.replace(path)
    except (OSError, ValueError) as error:
        raise FileError(f"{path} cannot be written: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return path


_FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}


@contextlib.contextmanager
def _strict_pillow() -> Iterator[None]:
    # Our own limit on pixels comes first; Pillow's would only warn, or stop below it.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _array(image: Image.Image) -> np.ndarray:
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16)[..., None]
    if image.mode == "I":  # Pillow's container for 16-bit grey of some files
        return np.clip(np.asarray(image), 0, 65535).astype(np.uint16)[..., None]
    if image.mode == "F":
        raise ValueError("floating-point pixels are not supported")
    if image.mode == "CMYK":
        image = _from_cmyk(image)
    has_alpha = "A" in image.getbands() or "transparency" in image.info
    grey = image.mode in ("1", "L", "LA", "La")
    image = image.convert(("LA" if grey else "RGBA") if has_alpha else ("L" if grey else "RGB"))
    pixels = np.array(image)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _from_cmyk(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if profile:
        import io

        with contextlib.suppress(ImageCms.PyCMSError, OSError):
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            target = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
            if converted is not None:
                return converted
    return image.convert("RGB")


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
    order = [2, 1, 0, 3][: pixels.shape[2]]
    return np.ascontiguousarray(pixels[..., order])


def _turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """EXIF orientation 1-8 undone."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _upright_exif(image: Image.Image) -> bytes | None:
    exif = image.getexif()
    if not exif:
        return None
    exif.pop(0x0112, None)
    return exif.tobytes() if len(exif) else None


def _write_eight_bit(picture: Picture, path: Path, suffix: str) -> None:
    pixels = picture.pixels
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if picture.has_alpha and suffix in (".jpg", ".jpeg", ".bmp"):
        alpha = pixels[..., -1:].astype(np.float32) / 255
        pixels = np.rint(pixels[..., :-1] * alpha + 255 * (1 - alpha)).astype(np.uint8)
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    extra: dict[str, object] = {}
    if picture.icc:
        extra["icc_profile"] = picture.icc
    if picture.exif and suffix != ".bmp":
        extra["exif"] = picture.exif
    if suffix in (".jpg", ".jpeg"):
        extra.update(quality=95, subsampling=0)
    if suffix == ".webp":
        extra.update(lossless=True)
    if suffix in (".tif", ".tiff"):
        extra.update(compression="tiff_deflate")
    with path.open("wb") as file:
        image.save(file, _FORMATS[suffix], **extra)
        file.flush()
        os.fsync(file.fileno())


def _write_sixteen_bit(picture: Picture, path: Path, suffix: str) -> None:
    import cv2

    pixels = picture.pixels
    channels = pixels.shape[2]
    if channels == 2:  # OpenCV knows no grey with alpha
        pixels = pixels[..., [0, 0, 0, 1]]
    elif channels >= 3:
        pixels = pixels[..., [2, 1, 0, 3][:channels]]
    done, encoded = cv2.imencode(suffix, np.ascontiguousarray(pixels))
    if not done:
        raise ValueError("16-bit data cannot be encoded")
    content = encoded.tobytes()
    if suffix == ".png":
        content = _with_png_chunks(content, picture)
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _with_png_chunks(content: bytes, picture: Picture) -> bytes:
    """OpenCV writes no profile and no EXIF: their chunks go behind the header's."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    added = b""
    if picture.icc:
        added += chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(picture.icc))
    if picture.exif:
        added += chunk(b"eXIf", picture.exif.removeprefix(b"Exif\0\0"))
    header_end = 8 + 25
    return content[:header_end] + added + content[header_end:]
