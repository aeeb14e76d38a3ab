"""The U-Net: pictures of any size, the input itself at first, a factor from the shapes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

import aeplug
from aeplug.config import PartConfig
from aeplug.interfaces import Batch, DataShape, Sampling
from aeplug.latents.gaussian import PointPosterior
from aeplug_image.nets.pixels import PixelOutput
from aeplug_image.nets.restoration_losses import (
    CharbonnierConfig,
    CharbonnierLoss,
    L1Loss,
    PSNRConfig,
    PSNRLoss,
)
from aeplug_image.nets.unet import (
    UNetConfig,
    UNetDecoder,
    UNetDecoderConfig,
    UNetEncoder,
    pad_to_multiple,
)
from aeplug_image.resampling import downscale, upscale


def net(
    channels: int = 1, scale: int = 1, fold: int = 2, base: str = "input"
) -> tuple[UNetEncoder, UNetDecoder]:
    shape = DataShape((channels, 16, 16), (channels, 16 * scale, 16 * scale))
    sizes = {"widths": (8, 12), "blocks": (1, 1), "fold": fold}
    encoder = UNetEncoder(UNetConfig(**sizes), shape)
    config = UNetDecoderConfig(**sizes, base=base)
    return encoder, UNetDecoder(config, shape, encoder.features_shape)


def restored(parts: tuple[UNetEncoder, UNetDecoder], images: Tensor) -> Tensor:
    encoder, decoder = parts
    context = Batch(images, images).context(with_target=False)
    features = encoder(images, context)
    context.skips = features.skips
    return decoder.generate(features.values, context, Sampling())


@settings(max_examples=20)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    channels=st.sampled_from([1, 3]),
    scale=st.integers(1, 4),
    fold=st.integers(1, 3),
)
def test_any_size_comes_out_at_its_size_times_the_scale(
    height: int, width: int, channels: int, scale: int, fold: int
) -> None:
    images = torch.rand(2, channels, height, width)
    result = restored(net(channels, scale, fold), images)
    assert result.shape == (2, channels, height * scale, width * scale)
    assert 0 <= result.min() <= result.max() <= 1


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_before_any_training_it_gives_back_its_input(scale: int) -> None:
    images = torch.rand(1, 1, 18, 22)
    result = restored(net(scale=scale), images)
    torch.testing.assert_close(result, upscale(images, scale).clamp(0, 1), atol=1e-5, rtol=0)


def test_every_parameter_learns() -> None:
    encoder, decoder = net(3, base="none")
    images = torch.rand(2, 3, 16, 16)
    context = Batch(images, images).context(with_target=False)
    for _ in range(2):  # blocks begin as the identity: their first layers learn from step two
        features = encoder(images, context)
        context.skips = features.skips
        output = decoder(features.values, context, {})
        functional.mse_loss(output.means, images).backward()
        with torch.no_grad():
            for parameter in (*encoder.parameters(), *decoder.parameters()):
                parameter -= parameter.grad
    assert all(p.grad.abs().sum() > 0 for p in (*encoder.parameters(), *decoder.parameters()))


def test_it_decodes_nothing_without_a_picture_to_restore() -> None:
    _, decoder = net()
    context = Batch(torch.rand(1, 1, 16, 16), torch.rand(1, 1, 16, 16)).context(with_target=False)
    context.input = None
    with pytest.raises(ValueError, match="without its input"):
        decoder(torch.rand(1, 12, 4, 4), context, {})


def test_bicubic_is_that_of_pillow() -> None:
    import numpy as np
    from PIL import Image

    pixels = np.random.default_rng(0).integers(60, 200, (40, 48), dtype=np.uint8)
    image = torch.from_numpy(pixels / 255).float()[None, None]
    for made, size in ((downscale(image, 2), (24, 20)), (upscale(image, 2), (96, 80))):
        expected = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))
        assert np.abs((made[0, 0] * 255).numpy() - expected).max() < 1.5


def losses(loss: torch.nn.Module, images: Tensor, targets: Tensor) -> dict[str, Tensor]:
    batch = Batch(images, targets)
    return loss(PixelOutput(images, logits=False), batch, PointPosterior(images), {})


def test_restoration_losses_by_hand() -> None:
    shape = DataShape((1, 4, 4), (1, 4, 4))
    targets = torch.full((2, 1, 4, 4), 0.5)
    images = targets + torch.tensor([0.1, 0.01]).reshape(2, 1, 1, 1)
    found = losses(L1Loss(PartConfig(), shape), images, targets)
    assert found["loss"].item() == pytest.approx(0.055)
    assert found["psnr_db"].item() == pytest.approx(30)  # the mean of 20 and 40
    charbonnier = CharbonnierLoss(CharbonnierConfig(epsilon=0.1), shape)
    expected = (0.02**0.5 + 0.0101**0.5) / 2
    assert losses(charbonnier, images, targets)["loss"].item() == pytest.approx(expected)
    decibel = losses(PSNRLoss(PSNRConfig(), shape), images, targets)["loss"].item() * 20 / 2.302585
    assert decibel == pytest.approx(-30, abs=0.05)


@pytest.mark.parametrize("size", [(1, 1), (1, 3), (5, 7), (8, 8), (9, 16)])
def test_sides_are_filled_up_by_a_mirror(size: tuple[int, int]) -> None:
    images = torch.rand(2, 3, *size)
    missing = [(0, 0), (0, 0), *((0, -side % 8) for side in size)]
    assert np.array_equal(
        pad_to_multiple(images, 8).numpy(), np.pad(images.numpy(), missing, "reflect")
    )


def test_noise_at_an_edge_is_taken_off_as_elsewhere() -> None:
    """Filled up by streaks of its last pixels, a picture kept its noise along two edges."""
    model = aeplug.load("denoise", device="cpu")
    rows = torch.linspace(0, 3, 121)[:, None]
    clean = (0.5 + 0.3 * torch.sin(rows + rows.T)).expand(1, 3, -1, -1)  # not a multiple of 8
    noisy = clean + 0.2 * torch.randn(1, 1, 121, 121, generator=torch.Generator().manual_seed(0))
    left = (model.reconstruct(noisy) - clean).square().mean((0, 1))
    edge, inside = left[-8:].mean() + left[:, -8:].mean(), left[8:-8, 8:-8].mean()
    assert edge / 2 < 4 * inside
