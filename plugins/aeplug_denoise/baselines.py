"""What denoised photographs before there were nets; each knows the noise's sigma.

Pictures are float32 ``(H, W, 1 or 3)`` with grey levels around 0..1, sigma is on that scale. The
strengths below are those with the best mean PSNR, for sigmas of 15 to 50 of 255, over photographs.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F

from aeplug.runtime import import_library

Method = Callable[[np.ndarray, float], np.ndarray]


def median(noisy: np.ndarray, sigma: float) -> np.ndarray:
    """The median of each pixel's square of 3, or with much noise of 5 pixels a side."""
    ndimage = import_library("scipy.ndimage", "scipy", "the baseline 'median'")
    side = 3 if sigma < 30 / 255 else 5
    return ndimage.median_filter(noisy, size=(side, side, 1))


def gaussian(noisy: np.ndarray, sigma: float) -> np.ndarray:
    """Blurred by a Gaussian."""
    ndimage = import_library("scipy.ndimage", "scipy", "the baseline 'gaussian'")
    blur = 0.48 + 5.5 * sigma
    return ndimage.gaussian_filter(noisy, (blur, blur, 0))


def non_local_means(noisy: np.ndarray, sigma: float) -> np.ndarray:
    """Means of pixels with like surroundings (Buades et al., CVPR 2005).

    Squares of 4 pixels are compared within 10 pixels each way; what noise alone makes them differ
    is taken off. As scikit-image's ``denoise_nl_means`` with ``patch_size=5`` (its fast mode
    compares squares of 4) and ``h`` of 0.6 sigma: PSNR is the same to 0.03 dB.
    """
    if sigma == 0:
        return noisy.copy()
    reach, side, before, after = 10, 4, 1, 2
    margin = reach + after
    padded = np.pad(noisy, ((margin, margin), (margin, margin), (0, 0)), mode="reflect")
    pixels = torch.from_numpy(np.ascontiguousarray(padded.transpose(2, 0, 1)))
    height, width = noisy.shape[:2]

    def window(top: int, left: int, bottom: int, right: int) -> torch.Tensor:
        return pixels[:, margin + top : margin + bottom, margin + left : margin + right]

    total = window(0, 0, height, width).clone()  # each pixel is like itself
    weights = torch.ones(height, width)
    # Half of all shifts: a pixel is as like its neighbour as the neighbour is like the pixel.
    shifts = [(y, x) for y in range(-reach, reach + 1) for x in range(reach + 1) if x or y > 0]
    for y, x in shifts:
        top, bottom, left = min(0, -y), height + max(0, -y), -x
        upper, leftmost = top - before, left - before
        lower, rightmost = bottom + after, width + after
        ours = window(upper, leftmost, lower, rightmost)
        theirs = window(upper + y, leftmost + x, lower + y, rightmost + x)
        squares = (ours - theirs).square_().mean(0, keepdim=True)
        means = F.avg_pool2d(F.avg_pool2d(squares, (side, 1), 1), (1, side), 1)[0]
        likeness = means.sub_(2 * sigma**2).clamp_(min=0).div_(-((0.75 * sigma) ** 2)).exp_()
        ahead = likeness[-top : height - top, x:]
        behind = likeness[-top - y : height - top - y, :width]
        total.addcmul_(ahead[None], window(y, x, height + y, width + x))
        total.addcmul_(behind[None], window(-y, -x, height - y, width - x))
        weights += ahead
        weights += behind
    return (total / weights).numpy().transpose(1, 2, 0).copy()


def bm3d(noisy: np.ndarray, sigma: float) -> np.ndarray:
    """Block matching and 3-D filtering (Dabov et al., TIP 2007), by the package ``bm3d``."""
    from bm3d import bm3d as filtered
    from bm3d import bm3d_rgb

    if noisy.shape[2] == 3:
        return np.asarray(bm3d_rgb(noisy.astype(np.float64), sigma), np.float32)
    return np.asarray(filtered(noisy[..., 0].astype(np.float64), sigma), np.float32)[..., None]


METHODS: dict[str, Method] = {
    "median": median,
    "gaussian": gaussian,
    "non_local_means": non_local_means,
}
# Not a dependency: its licence is for non-commercial use. Where it is installed, it is shown.
if importlib.util.find_spec("bm3d") is not None:
    METHODS["bm3d"] = bm3d
