"""PSNR and SSIM against scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from aeplug_image.metrics import mse, psnr_db, ssim


def pair(count: int, channels: int, height: int, width: int, noise: float) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(height * 100 + width)
    images = torch.rand(count, channels, height, width, generator=generator)
    images = torch.nn.functional.avg_pool2d(images, 3, stride=1, padding=1)
    other = images + noise * torch.randn(images.shape, generator=generator)
    return [images, other.clamp(0, 1)]


@settings(max_examples=25)
@given(
    channels=st.sampled_from([1, 3]),
    height=st.integers(11, 48),
    width=st.integers(11, 48),
    noise=st.floats(0.01, 0.5),
)
def test_as_scikit_image(channels: int, height: int, width: int, noise: float) -> None:
    images, others = pair(3, channels, height, width, noise)
    found_ssim, found_psnr = ssim(images, others), psnr_db(images, others)
    assert found_ssim.shape == found_psnr.shape == (3,)
    for row in range(3):
        a, b = images[row].double().numpy(), others[row].double().numpy()
        assert mse(images, others)[row].item() == pytest.approx(((a - b) ** 2).mean(), rel=1e-5)
        expected = peak_signal_noise_ratio(a, b, data_range=1)
        assert found_psnr[row].item() == pytest.approx(expected, abs=1e-4)
        # The mean over the map's inside, where the window of 11x11 lies in the image: that is
        # what scikit-image's own mean is taken over (truncate 3.5 at sigma 1.5 is radius 5).
        own, full = structural_similarity(
            a,
            b,
            channel_axis=0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1,
            full=True,
        )
        assert full[:, 5:-5, 5:-5].mean() == pytest.approx(own, abs=1e-9)
        assert found_ssim[row].item() == pytest.approx(own, abs=2e-5)


def test_ends_of_the_scales() -> None:
    images, others = pair(2, 3, 16, 16, 0.3)
    assert psnr_db(images, images).tolist() == [pytest.approx(100.0)] * 2
    torch.testing.assert_close(ssim(images, images), torch.ones(2))
    torch.testing.assert_close(ssim(images, others), ssim(others, images))
    black, white = torch.zeros(1, 1, 16, 16), torch.ones(1, 1, 16, 16)
    assert psnr_db(black, white).item() == pytest.approx(0.0)
    assert ssim(black, white).item() == pytest.approx(1e-4, rel=0.01)
    assert ssim(images, 1 - images).max() < 0


@pytest.mark.parametrize(("height", "width"), [(8, 8), (5, 40), (1, 1)])
def test_images_smaller_than_the_window(height: int, width: int) -> None:
    images, others = pair(2, 1, height, width, 0.2)
    figures = ssim(images, others)
    assert torch.isfinite(figures).all() and (figures < 1).all()
    torch.testing.assert_close(ssim(images, images), torch.ones(2))


def test_each_image_counts_for_itself() -> None:
    images, others = pair(4, 1, 20, 20, 0.2)
    for measure in (mse, psnr_db, ssim):
        alone = torch.cat([measure(images[i : i + 1], others[i : i + 1]) for i in range(4)])
        np.testing.assert_allclose(measure(images, others), alone, rtol=1e-5)
