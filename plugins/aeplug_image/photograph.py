"""A picture's pixels in the depth and channels a restoration is trained and measured on."""

from __future__ import annotations

import numpy as np

from aeplug_image.fitting import LUMA
from aeplug_image.image_file import Picture, eight_bit


def eight_bit_colours(picture: Picture) -> np.ndarray:
    """uint8 ``(H, W, 1 or 3)`` of a picture, without its alpha."""
    pixels = picture.pixels[..., : 3 if picture.pixels.shape[2] > 2 else 1]
    return np.ascontiguousarray(eight_bit(pixels))


def in_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """uint8 ``(H, W, 1 or 3)`` -> ``(H, W, channels)``: luma, or grey as three equal channels."""
    if pixels.shape[2] == channels:
        return pixels
    return luma(pixels) if channels == 1 else np.repeat(pixels, 3, 2)


def luma(pixels: np.ndarray) -> np.ndarray:
    """RGB uint8 ``(H, W, 3)`` -> full-range luma uint8 ``(H, W, 1)`` (ITU-R BT.601)."""
    return np.rint(pixels @ np.array(LUMA)).astype(np.uint8)[..., None]
