"""A small fully convolutional model of photographs for the tests: files in and out, any size."""

import torch
from torch import nn

from aeplug import DatasetSpec, DecoderSpec, EncoderSpec, LatentSpec, LossSpec, TaskSpec, hookimpl
from aeplug.config import PartConfig, setting
from aeplug.data.splits import TensorSplit
from aeplug.interfaces import Batch, DataShape
from aeplug.latents.gaussian import PointPosterior


@hookimpl
def aeplug_datasets():
    yield DatasetSpec("specks", "sharpen:Specks")


@hookimpl
def aeplug_encoders():
    yield EncoderSpec("stem", "sharpen:Stem")


@hookimpl
def aeplug_latents():
    yield LatentSpec("map", "sharpen:Map")


@hookimpl
def aeplug_decoders():
    yield DecoderSpec("head", "sharpen:Head")


@hookimpl
def aeplug_losses():
    yield LossSpec("square", "sharpen:Square")


@hookimpl
def aeplug_tasks():
    yield TaskSpec(
        "sharpen",
        "three convolutions",
        dataset="specks",
        encoder="stem",
        latent="map",
        decoder="head",
        loss="square",
        codec="photo",
        prepare="sharpen:Prepare",
        verbs=("reconstruct",),
        settings={"train.batch_size": 4},
    )


class Specks:
    def __init__(self, config):
        self.shape = DataShape((3, 16, 16), (3, 16, 16))

    def split(self, name):
        return TensorSplit({"image": torch.rand(8, 3, 16, 16)})


class Prepare:
    def __init__(self, config, shape):
        pass

    def __call__(self, raw, generator, training):
        return Batch(raw["image"], raw["image"])


class StemConfig(PartConfig):
    width: int = setting(8, "channels")
    layers: int = setting(1, "layers")


class Stem(nn.Module):
    Config = StemConfig

    def __init__(self, config, shape):
        super().__init__()
        self.features_shape = (config.width, *shape.input[1:])
        layers = [nn.Conv2d(3, config.width, 3, 1, 1), nn.ReLU()]
        for _ in range(config.layers - 1):
            layers += [nn.Conv2d(config.width, config.width, 3, 1, 1), nn.ReLU()]
        self.layers = nn.Sequential(*layers)

    def forward(self, input, context=None):
        return self.layers(input)


class Map(nn.Module):
    has_prior = False

    def __init__(self, config, features_shape):
        super().__init__()
        self.latent_shape = features_shape

    def forward(self, features):
        return PointPosterior(features)


class Head(nn.Module):
    def __init__(self, config, shape, latent_shape):
        super().__init__()
        self.layer = nn.Conv2d(latent_shape[0], 3, 3, 1, 1)

    def forward(self, z, context, schedule_values):
        return self.layer(z)

    def generate(self, z, context, sampling):
        return (self.layer(z) * 0.3 + 0.5).clamp(0, 1)


class Square(nn.Module):
    def __init__(self, config, shape):
        super().__init__()

    def forward(self, output, batch, posterior, schedule_values):
        return {"loss": (output - batch.target).square().mean()}

    def nll(self, output, batch):
        return (output - batch.target).square().flatten(1).sum(1)
