"""What denoised photographs before there were nets; each is told the noise's sigma.

Pictures are float32 ``(H, W, 1 or 3)`` with grey levels around 0..1, sigma is on that scale. The
strengths below are those with the best mean PSNR, for sigmas of 15 to 50 of 255, over photographs.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import numpy as np

Method = Callable[[np.ndarray, float], np.ndarray]


def median(noisy: np.ndarray, sigma: float) -> np.ndarray:
    """The median of each pixel's square of 3, or with much noise of 5 pixels a side."""
    from scipy.ndimage import median_filter

    side = 3 if sigma < 30 / 255 else 5
    result: np.ndarray = median_filter(noisy, size=(side, side, 1))
    return result


def gaussian(noisy: np.ndarray, sigma: float) -> np.ndarray:
    """Blurred by a Gaussian."""
    from scipy.ndimage import gaussian_filter

    blur = 0.48 + 5.5 * sigma
    result: np.ndarray = gaussian_filter(noisy, (blur, blur, 0))
    return result


def non_local_means(noisy: np.ndarray, sigma: float) -> np.ndarray:
    """Means of pixels with like surroundings (Buades et al., CVPR 2005).

    By scikit-image where it is installed, which is 0.2 to 0.5 dB better, else by OpenCV at 8 bit.
    """
    if importlib.util.find_spec("skimage") is not None:
        from skimage.restoration import denoise_nl_means

        coloured = noisy.shape[2] == 3
        result = denoise_nl_means(
            noisy if coloured else noisy[..., 0],
            patch_size=5,
            patch_distance=10,
            h=0.6 * sigma,
            sigma=sigma,
            channel_axis=2 if coloured else None,
        )
        return np.asarray(result, np.float32).reshape(noisy.shape)
    import cv2

    pixels = np.rint(noisy.clip(0, 1) * 255).astype(np.uint8)
    denoised = cv2.fastNlMeansDenoising(pixels, None, 0.9 * sigma * 255, 5, 21)
    return denoised.reshape(noisy.shape).astype(np.float32) / 255


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
