"""Pictures of any size and depth -> the fixed size and channels of a model."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from aeplug_image.files.reading import Picture, to_eight_bit

__all__ = ["LUMA", "compute_luma"]

#: Weights of R, G, B in grey (ITU-R BT.601, as Pillow and OpenCV have it).
LUMA = (0.299, 0.587, 0.114)


def fit_picture(picture: Picture, shape: tuple[int, ...]) -> Tensor:
    """A picture as float32 ``(C, H, W)`` in 0..1, C of 1 or 3.

    Alpha is laid over white. The largest centred part of the model's aspect ratio is resized by
    antialiased bicubic; a picture of the right size stays as it is, to the bit.
    """
    channels, height, width = shape
    image = torch.from_numpy(picture.pixels.astype(np.float32) / picture.unit).permute(2, 0, 1)
    if picture.has_alpha:
        alpha = image[-1:]
        image = image[:-1] * alpha + (1 - alpha)
    if channels == 1 and len(image) == 3:
        image = (image * torch.tensor(LUMA).reshape(3, 1, 1)).sum(0, keepdim=True)
    elif channels == 3 and len(image) == 1:
        image = image.expand(3, -1, -1)
    elif channels != len(image):
        raise ValueError(f"models of {channels} channels take no image files")
    if image.shape[1:] != (height, width):
        image = _crop_to_aspect(image, height / width)
        image = functional.interpolate(
            image[None], (height, width), mode="bicubic", antialias=True, align_corners=False
        )[0].clamp(0, 1)
    return image.contiguous()


def _crop_to_aspect(image: Tensor, aspect: float) -> Tensor:
    height, width = image.shape[1:]
    kept_height = min(height, max(1, round(width * aspect)))
    kept_width = min(width, max(1, round(height / aspect)))
    top, left = (height - kept_height) // 2, (width - kept_width) // 2
    return image[:, top : top + kept_height, left : left + kept_width]


def to_colours(picture: Picture) -> np.ndarray:
    """uint8 ``(H, W, 1 or 3)`` of a picture, without its alpha: as restorations are measured."""
    pixels = picture.pixels[..., : 3 if picture.pixels.shape[2] > 2 else 1]
    return np.ascontiguousarray(to_eight_bit(pixels))


def convert_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """uint8 ``(H, W, 1 or 3)`` -> ``(H, W, channels)``: luma, or grey as three equal channels."""
    if pixels.shape[2] == channels:
        return pixels
    return compute_luma(pixels) if channels == 1 else np.repeat(pixels, 3, 2)


def compute_luma(pixels: np.ndarray) -> np.ndarray:
    """RGB uint8 ``(H, W, 3)`` -> full-range luma uint8 ``(H, W, 1)`` (ITU-R BT.601).

    Example:
        >>> compute_luma(np.array([[[255, 0, 0], [255, 255, 255]]], np.uint8)).tolist()
        [[[76], [255]]]
    """
    return np.rint(pixels @ np.array(LUMA)).astype(np.uint8)[..., None]
