"""Encoders, decoders and losses: any size, every parameter learns, formulas by hand."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch.distributions import Bernoulli, Normal, kl_divergence
from torch.nn import functional

from aeplug.config import PartConfig, resolve
from aeplug.config.schedules import Schedule
from aeplug.errors import ConfigError
from aeplug.interfaces import Batch, Context, DataShape, Sampling
from aeplug.latents.gaussian import GaussianLatent, GaussianPosterior, PointPosterior
from aeplug.model.task import Task
from aeplug.plugins import Plugins
from aeplug_image.nets.conv import ConvConfig, ConvDecoder, ConvEncoder, stage_sizes
from aeplug_image.nets.losses import BCELoss, ELBOConfig, ELBOLoss, MSELoss, bernoulli_nll
from aeplug_image.nets.mlp import MLPConfig, MLPDecoder, MLPEncoder
from aeplug_image.nets.pixels import PixelOutput
from aeplug_image.prepare import PrepareConfig, PrepareImages, normalise

SIZES = st.integers(8, 65)
SMALL_CONV = ConvConfig(widths=(4, 6, 8), blocks=(1, 0, 1))


def shape_of(channels: int, height: int, width: int) -> DataShape:
    return DataShape((channels, height, width), (channels, height, width))


@settings(max_examples=25)
@given(
    channels=st.sampled_from([1, 3]),
    height=SIZES,
    width=SIZES,
    kind=st.sampled_from(["conv", "deep conv", "default conv", "mlp"]),
    norm=st.sampled_from(["none", "batch", "group"]),
)
def test_any_size_there_and_back(
    channels: int, height: int, width: int, kind: str, norm: str
) -> None:
    shape = shape_of(channels, height, width)
    if kind == "mlp":
        config: Any = MLPConfig(hidden=(16, 8))
        encoder, decoder_type = MLPEncoder(config, shape), MLPDecoder
    else:
        config = {
            "conv": ConvConfig(widths=(4, 6), blocks=(0, 1), hidden=5, norm=norm),
            "deep conv": ConvConfig(widths=(4, 4, 4, 4), blocks=(1, 0, 0, 1), norm=norm),
            "default conv": ConvConfig(norm=norm),
        }[kind]
        encoder, decoder_type = ConvEncoder(config, shape), ConvDecoder
    images = torch.rand(2, *shape.input)
    features = encoder(images)  # alone, without a context
    assert tuple(features.shape) == (2, *encoder.features_shape)
    decoder = decoder_type(config, shape, (3,))
    output = decoder(torch.randn(2, 3), Context(), {})
    assert output.logits and output.values.shape == images.shape
    assert output.values.dtype == torch.float32
    made = decoder.generate(torch.randn(2, 3), Context(), Sampling())
    assert made.shape == images.shape
    assert made.min() >= 0 and made.max() <= 1


@given(height=st.integers(1, 300), width=st.integers(1, 300), stages=st.integers(1, 6))
def test_stages_are_what_a_stride_of_two_gives(height: int, width: int, stages: int) -> None:
    sizes = stage_sizes(height, width, stages)
    assert len(sizes) == stages and sizes[0] == (height, width)
    convolution = torch.nn.Conv2d(1, 1, 3, stride=2, padding=1)
    for before, after in itertools.pairwise(sizes):
        maps = torch.empty(1, 1, *before, device="meta")
        assert tuple(convolution.to("meta")(maps).shape[2:]) == after


def learns_everywhere(module: torch.nn.Module, loss: torch.Tensor) -> None:
    loss.backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("latent", ["deterministic", "gaussian"])
@pytest.mark.parametrize("loss", ["mse", "bce", "elbo"])
@pytest.mark.parametrize("part", ["conv", "mlp"])
def test_gradients_reach_every_parameter(part: str, loss: str, latent: str, channels: int) -> None:
    torch.manual_seed(0)
    plugins = Plugins([], [], only_builtin=True)
    chosen = {"encoder": part, "decoder": part, "loss": loss, "latent": latent, "latent.size": 4}
    config = resolve(plugins.task("mnist-vae"), plugins, chosen)
    task = Task(config, shape_of(channels, 17, 12))
    with torch.no_grad():  # residual blocks begin as the identity, behind zeros
        for parameter in task.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    images = torch.rand(3, channels, 17, 12)
    schedule_values = task.new_schedule_values(torch.device("cpu"))
    task.update_schedules(schedule_values, 0, 1)
    learns_everywhere(task, task(Batch(images, images), schedule_values)["loss"])


def test_encoder_alone_is_a_plain_module() -> None:
    encoder = ConvEncoder(SMALL_CONV, shape_of(3, 20, 20))
    head = torch.nn.Sequential(encoder, torch.nn.Linear(math.prod(encoder.features_shape), 10))
    learns_everywhere(head[1], head(torch.rand(2, 3, 20, 20)).logsumexp(1).sum())
    twin = ConvEncoder(SMALL_CONV, shape_of(3, 20, 20))
    twin.load_state_dict(encoder.state_dict())
    images = torch.rand(2, 3, 20, 20)
    assert torch.equal(twin(images), encoder(images))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 3, 9), "images of 9x3 pixels are too small for 3 stages of 'conv'"),
        ((28,), r"'conv' takes images \(channels, height, width\), got items of \(28,\)"),
    ],
)
def test_sizes_are_checked_when_built(shape: tuple[int, ...], message: str) -> None:
    for build in (
        lambda: ConvEncoder(SMALL_CONV, DataShape(shape, shape)),
        lambda: ConvDecoder(SMALL_CONV, DataShape(shape, shape), (2,)),
    ):
        with pytest.raises(ValueError, match=message):
            build()
    plugins = Plugins([], [], only_builtin=True)
    with pytest.raises(ConfigError, match=f"'mnist' cannot be built: .*{message[-12:]}"):
        Task(resolve(plugins.task("mnist"), plugins), DataShape(shape, shape))


@pytest.mark.parametrize(
    ("settings_", "words"),
    [
        ({"widths": (8, 8)}, "one length"),
        ({"widths": (8, 0, 8)}, "at least 1"),
        ({"blocks": (0, -1, 0)}, "at least 0"),
        ({"widths": (), "blocks": ()}, "at least 1 item"),
    ],
)
def test_widths_and_blocks_are_checked(settings_: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ConvConfig(**settings_)


# Losses

IMAGES = torch.rand(5, 3, 4, 6, generator=torch.Generator().manual_seed(1))
LOGITS = torch.randn(5, 3, 4, 6, generator=torch.Generator().manual_seed(2)) * 3
BATCH = Batch(IMAGES, IMAGES)
POINT = PointPosterior(torch.zeros(5, 2))
SHAPE = shape_of(3, 4, 6)


def cross_entropy_by_hand() -> torch.Tensor:
    p = torch.sigmoid(LOGITS.double())
    x = IMAGES.double()
    return -(x * p.log() + (1 - x) * (1 - p).log()).flatten(1).sum(1)


def test_bce_is_nats_a_pixel() -> None:
    loss = BCELoss(PartConfig(), SHAPE)
    terms = loss(PixelOutput(LOGITS, True), BATCH, POINT, {})
    expected = cross_entropy_by_hand()
    assert terms["bce"].item() == pytest.approx(expected.mean().item() / 72, rel=1e-6)
    error = (torch.sigmoid(LOGITS) - IMAGES).square().mean().item()
    assert terms["mse"].item() == pytest.approx(error, rel=1e-6)
    nll = loss.nll(PixelOutput(LOGITS, True), BATCH)
    torch.testing.assert_close(nll.double(), expected, rtol=1e-6, atol=1e-5)
    # Of means instead of logits the same, and of black-and-white targets Bernoulli's own.
    of_means = bernoulli_nll(PixelOutput(torch.sigmoid(LOGITS), False), IMAGES)
    torch.testing.assert_close(of_means, nll, rtol=1e-4, atol=1e-3)
    bits = IMAGES.round()
    exact = -Bernoulli(logits=LOGITS).log_prob(bits).flatten(1).sum(1)
    torch.testing.assert_close(bernoulli_nll(PixelOutput(LOGITS, True), bits), exact)


def test_mse_is_of_a_pixel() -> None:
    loss = MSELoss(MSELoss.Config(), SHAPE)
    terms = loss(PixelOutput(LOGITS, False), BATCH, POINT, {})
    expected = ((LOGITS - IMAGES) ** 2).sum() / (5 * 72)
    assert terms["loss"].item() == pytest.approx(expected.item(), rel=1e-6)
    assert terms["mse"].item() == pytest.approx(expected.item(), rel=1e-6)
    squashed = loss(PixelOutput(LOGITS, True), BATCH, POINT, {})["mse"]
    assert squashed.item() == pytest.approx(
        ((torch.sigmoid(LOGITS) - IMAGES) ** 2).mean().item(), rel=1e-6
    )
    mixed = MSELoss(MSELoss.Config(bce=Schedule.parse(0.25)), SHAPE)
    terms = mixed(PixelOutput(LOGITS, True), BATCH, POINT, {"bce": torch.tensor(0.25)})
    bce = cross_entropy_by_hand().mean().item() / 72
    assert terms["mse"].item() == squashed.item()
    assert terms["loss"].item() == pytest.approx(0.75 * squashed.item() + 0.25 * bce, rel=1e-5)
    nll = loss.nll(PixelOutput(LOGITS, False), BATCH)
    exact = -Normal(LOGITS, 1.0).log_prob(IMAGES).flatten(1).sum(1)
    torch.testing.assert_close(nll, exact)


@pytest.mark.parametrize("beta", [0.0, 1.0, 4.0])
@pytest.mark.parametrize("pixels", ["bernoulli", "gaussian"])
def test_elbo_is_nats_an_image(pixels: str, beta: float) -> None:
    mean, z_log_sigma = torch.randn(5, 7), torch.randn(5, 7)
    posterior = GaussianPosterior(mean, 2 * z_log_sigma)
    loss = ELBOLoss(ELBOConfig(pixels=pixels, sigma=0.3), SHAPE)
    output = PixelOutput(LOGITS, True)
    terms = loss(output, BATCH, posterior, {"beta": torch.tensor(beta)})
    if pixels == "bernoulli":
        nll = cross_entropy_by_hand()
    else:
        density = Normal(torch.sigmoid(LOGITS.double()), 0.3)
        nll = -density.log_prob(IMAGES.double()).flatten(1).sum(1)
    kl = kl_divergence(Normal(mean, z_log_sigma.exp()), Normal(0.0, 1.0)).sum(1).mean()
    assert terms["nll_nats"].item() == pytest.approx(nll.mean().item(), rel=1e-5)
    assert terms["kl_nats"].item() == pytest.approx(kl.item(), rel=1e-5)
    expected = nll.mean().item() + beta * kl.item()
    assert terms["loss"].item() == pytest.approx(expected, rel=1e-5)
    torch.testing.assert_close(loss.nll(output, BATCH).double(), nll, rtol=1e-5, atol=1e-3)


@given(mean=st.floats(-10, 10), z_log_sigma=st.floats(-8, 4), dimensions=st.integers(1, 5))
def test_kl_is_the_closed_form_of_the_lesson(
    mean: float, z_log_sigma: float, dimensions: int
) -> None:
    moments = torch.full((2, dimensions), mean, dtype=torch.float64)
    log_sigma = torch.full_like(moments, z_log_sigma)
    kl = GaussianPosterior(moments, 2 * log_sigma).kl()
    exact = kl_divergence(Normal(moments, log_sigma.exp()), Normal(0.0, 1.0))
    assert kl.shape == (2, dimensions)
    torch.testing.assert_close(kl, exact, rtol=1e-9, atol=1e-9)
    # -0.5 * sum(1 + log_var - mean^2 - exp(log_var)), as the lesson writes it.
    lesson = -0.5 * (1 + 2 * z_log_sigma - mean**2 - math.exp(2 * z_log_sigma))
    assert kl[0, 0].item() == pytest.approx(lesson, rel=1e-9, abs=1e-9)


def test_a_draw_has_the_mean_and_sigma_it_should() -> None:
    mean, z_log_sigma = torch.tensor([[1.5, -2.0]]), torch.tensor([[0.7, -1.2]])
    posterior = GaussianPosterior(mean.expand(200_000, 2), (2 * z_log_sigma).expand(200_000, 2))
    draws = posterior.sample(torch.Generator().manual_seed(0))
    torch.testing.assert_close(draws.mean(0), mean[0], atol=0.02, rtol=0)
    torch.testing.assert_close(draws.std(0), z_log_sigma.exp()[0], atol=0.02, rtol=0)
    assert torch.equal(posterior.mode(), posterior.mean)


def test_gaussian_latents_moments_are_mean_then_logvar() -> None:
    part = GaussianLatent(GaussianLatent.Config(size=2), (3,))
    with torch.no_grad():
        part.moments.weight.zero_()
        part.moments.bias.copy_(torch.tensor([1.0, 2.0, -3.0, 4.0]))
    posterior = part(torch.randn(5, 3))
    assert posterior.mean[0].tolist() == [1.0, 2.0]
    assert posterior.logvar[0].tolist() == [-3.0, 4.0]


# Preparation


def test_prepare_normalises_and_leaves_its_source_alone() -> None:
    raw = torch.randint(0, 256, (4, 1, 6, 6), dtype=torch.uint8)
    kept = raw.clone()
    prepare = PrepareImages(PrepareConfig(), shape_of(1, 6, 6))
    batch = prepare({"image": raw}, torch.Generator(), training=True)
    assert batch.input is batch.target
    torch.testing.assert_close(batch.input, kept.float() / 255)
    assert torch.equal(raw, kept)
    as_floats = torch.rand(2, 1, 6, 6)
    assert torch.equal(normalise(as_floats), as_floats)


def test_augmentation_is_of_training_alone_and_seeded() -> None:
    raw = {"image": torch.randint(0, 256, (8, 1, 28, 28), dtype=torch.uint8)}
    prepare = PrepareImages(PrepareConfig(affine=1.0, affine_share=1.0), shape_of(1, 28, 28))

    def prepared(seed: int, training: bool) -> torch.Tensor:
        return prepare(raw, torch.Generator().manual_seed(seed), training).input

    assert torch.equal(prepared(0, False), normalise(raw["image"]))
    assert torch.equal(prepared(3, True), prepared(3, True))
    assert not torch.equal(prepared(3, True), prepared(4, True))
    moved = prepared(3, True)
    assert moved.min() >= 0 and moved.max() <= 1 + 1e-6
    assert functional.mse_loss(moved, normalise(raw["image"])) > 1e-3
