"""Pictures brought to a model's size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from image_support import noise

from aeplug_image.files.fitting import fit_picture
from aeplug_image.files.reading import Picture

SIZES = st.integers(1, 50)


@given(height=SIZES, width=SIZES, channels=st.sampled_from([1, 3]), deep=st.booleans())
def test_the_right_size_stays_to_the_bit(
    height: int, width: int, channels: int, deep: bool
) -> None:
    picture = Picture(noise(height, width, channels, np.uint16 if deep else np.uint8))
    image = fit_picture(picture, (channels, height, width))
    back = np.rint(image.permute(1, 2, 0).double().numpy() * picture.unit)
    np.testing.assert_array_equal(back.astype(picture.pixels.dtype), picture.pixels)
    expected = torch.from_numpy(picture.pixels.astype(np.float32) / np.float32(picture.unit))
    assert torch.equal(image, expected.permute(2, 0, 1))


@given(
    height=SIZES,
    width=SIZES,
    source=st.sampled_from([1, 2, 3, 4]),
    channels=st.sampled_from([1, 3]),
    to_height=SIZES,
    to_width=SIZES,
)
def test_any_picture_fits_any_model(
    height: int, width: int, source: int, channels: int, to_height: int, to_width: int
) -> None:
    image = fit_picture(Picture(noise(height, width, source)), (channels, to_height, to_width))
    assert image.shape == (channels, to_height, to_width)
    assert image.dtype == torch.float32 and image.is_contiguous()
    assert image.min() >= 0 and image.max() <= 1


@given(value=st.integers(0, 255), height=SIZES, width=SIZES, to=SIZES)
def test_an_even_picture_stays_even(value: int, height: int, width: int, to: int) -> None:
    picture = Picture(np.full((height, width, 3), value, np.uint8))
    image = fit_picture(picture, (1, to, to + 3))
    assert (image - value / 255).abs().max() < 1e-5


def test_alpha_over_white() -> None:
    pixels = np.array([[[200, 0], [200, 255], [200, 51]]], np.uint8)
    image = fit_picture(Picture(pixels), (1, 1, 3))
    expected = [1.0, 200 / 255, 0.2 * 200 / 255 + 0.8]
    torch.testing.assert_close(image[0, 0], torch.tensor(expected))
    colour = np.array([[[65535, 0, 0, 13107]]], np.uint16)  # red, a fifth
    image = fit_picture(Picture(colour), (3, 1, 1))
    torch.testing.assert_close(image[:, 0, 0], torch.tensor([1.0, 0.8, 0.8]))


def test_colour_to_grey_by_luma_and_back() -> None:
    pixels = np.eye(3, dtype=np.uint8)[None] * 255  # red, green, blue
    grey = fit_picture(Picture(pixels), (1, 1, 3))
    torch.testing.assert_close(grey[0, 0], torch.tensor([0.299, 0.587, 0.114]))
    colour = fit_picture(Picture(noise(4, 5, 1)), (3, 4, 5))
    assert torch.equal(colour[0], colour[1]) and torch.equal(colour[0], colour[2])


@given(height=SIZES, width=SIZES)
def test_grey_in_colour_is_the_same_grey(height: int, width: int) -> None:
    grey = noise(height, width, 1)
    from_colour = fit_picture(Picture(np.repeat(grey, 3, 2)), (1, height, width))
    levels = (from_colour * 255).round().to(torch.uint8)[0].numpy()
    np.testing.assert_array_equal(levels, grey[..., 0])


@pytest.mark.parametrize(("height", "width"), [(8, 24), (24, 8)])
def test_the_centre_is_kept(height: int, width: int) -> None:
    pixels = np.zeros((height, width, 1), np.uint8)
    middle = (slice(None), slice(8, 16)) if width > height else (slice(8, 16), slice(None))
    pixels[middle] = noise(8, 8, 1)
    assert torch.equal(
        fit_picture(Picture(pixels), (1, 8, 8)), fit_picture(Picture(pixels[middle]), (1, 8, 8))
    )


def test_shrinking_averages() -> None:
    picture = Picture(noise(64, 64, 1))
    before, after = fit_picture(picture, (1, 64, 64)), fit_picture(picture, (1, 8, 8))
    # Over 8x8 pixels, so an eighth of their spread; without antialiasing 4x4 of them count, and
    # mostly 2x2: half of it.
    assert after.std() < 0.2 * before.std()
    assert (after.mean() - before.mean()).abs() < 0.02


def test_other_channel_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="models of 2 channels"):
        fit_picture(Picture(noise(4, 4, 3)), (2, 4, 4))
