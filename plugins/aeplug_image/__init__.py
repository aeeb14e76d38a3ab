"""Image autoencoders: convolutional and MLP parts, pixel losses, the image codec, MNIST."""

from __future__ import annotations

from collections.abc import Iterable

from aeplug import (
    CodecSpec,
    DatasetSpec,
    DecoderSpec,
    EncoderSpec,
    LossSpec,
    TaskSpec,
    hookimpl,
)
from aeplug_image.mnist_tasks import TASKS

aeplug_requires = {"PIL": "Pillow"}


@hookimpl
def aeplug_encoders() -> Iterable[EncoderSpec]:
    """Images -> features."""
    yield EncoderSpec(
        "conv", "aeplug_image.nets.conv:ConvEncoder", "residual stages, each half the size"
    )
    yield EncoderSpec(
        "unet", "aeplug_image.nets.unet:UNetEncoder", "residual U-Net; images of any size"
    )
    yield EncoderSpec(
        "mlp", "aeplug_image.nets.mlp:MLPEncoder", "fully connected layers; any shape"
    )


@hookimpl
def aeplug_decoders() -> Iterable[DecoderSpec]:
    """Latents -> images."""
    yield DecoderSpec("conv", "aeplug_image.nets.conv:ConvDecoder", "mirror of the encoder 'conv'")
    yield DecoderSpec(
        "unet", "aeplug_image.nets.unet:UNetDecoder", "corrects or enlarges its input"
    )
    yield DecoderSpec("mlp", "aeplug_image.nets.mlp:MLPDecoder", "mirror of the encoder 'mlp'")


@hookimpl
def aeplug_losses() -> Iterable[LossSpec]:
    """Losses over pixels in 0..1."""
    yield LossSpec("mse", "aeplug_image.nets.losses:MSELoss", "mean squared error of a pixel")
    yield LossSpec(
        "bce", "aeplug_image.nets.losses:BCELoss", "pixels as Bernoulli means, on logits"
    )
    yield LossSpec(
        "l1", "aeplug_image.nets.restoration_losses:L1Loss", "mean absolute error of a pixel"
    )
    yield LossSpec(
        "charbonnier",
        "aeplug_image.nets.restoration_losses:CharbonnierLoss",
        "a smooth absolute error",
    )
    yield LossSpec("psnr", "aeplug_image.nets.restoration_losses:PSNRLoss", "mean PSNR of an image")
    yield LossSpec(
        "elbo", "aeplug_image.nets.losses:ELBOLoss", "reconstruction + beta x KL, in nats"
    )
    yield LossSpec("iwae", "aeplug_image.nets.iwae:IWAELoss", "the bound of several weighted draws")


@hookimpl
def aeplug_codecs() -> Iterable[CodecSpec]:
    """Image files."""
    yield CodecSpec(
        "image",
        "aeplug_image.files.codec:ImageCodec",
        "8 and 16 bit; grey, RGB, alpha",
        suffixes=(".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"),
    )
    yield CodecSpec(
        "photo",
        "aeplug_image.files.photo_codec:PhotoCodec",
        "pictures of any size, by tiles; format, depth, alpha, profile and EXIF stay",
        suffixes=(
            *(".png", ".jpg", ".jpeg", ".jpe", ".webp", ".bmp", ".tif", ".tiff"),
            ".gif",
        ),
    )


@hookimpl
def aeplug_datasets() -> Iterable[DatasetSpec]:
    """MNIST and folders of images."""
    yield DatasetSpec(
        "mnist", "aeplug_image.datasets.mnist:MNIST", "70,000 digits of 28x28, bundled"
    )
    yield DatasetSpec(
        "printed-letters",
        "aeplug_image.datasets.letters:Letters",
        "letters in MNIST's form, as outliers",
    )
    yield DatasetSpec(
        "photo-crops",
        "aeplug_image.datasets.crops:PhotoCrops",
        "photographs of any size",
        needs_folder=True,
    )
    yield DatasetSpec(
        "image-folder",
        "aeplug_image.datasets.folder:ImageFolder",
        "images of your own",
        needs_folder=True,
    )


@hookimpl
def aeplug_tasks() -> Iterable[TaskSpec]:
    """The family on MNIST."""
    yield from TASKS
