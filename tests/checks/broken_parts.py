"""Parts that are each wrong in one way, for the tests of the checks; a plug-in of its own.

Every class differs from the fake it is made of in the one thing its docstring names.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from aeplug import CodecSpec, DatasetSpec, DecoderSpec, EncoderSpec, LatentSpec, LossSpec, hookimpl
from aeplug.checks.fakes import (
    FakeDecoder,
    FakeEncoder,
    FakeLoss,
    FakePrepare,
    FakeVectors,
)
from aeplug.config import PartConfig, setting
from aeplug.data.arrays import ArrayCodec
from aeplug.data.splits import TensorSplit
from aeplug.errors import DataError
from aeplug.latents.gaussian import GaussianLatent, GaussianPosterior


class RestlessData(FakeVectors):
    """Other rows whenever it is opened."""

    def split(self, name):
        rows = super().split(name).take(torch.arange(20))
        return TensorSplit({key: torch.rand_like(value) for key, value in rows.items()})


class UntestedData(FakeVectors):
    """No split for the test."""

    def split(self, name):
        if name == "test":
            raise DataError("there is no split 'test'")
        return super().split(name)


class DoublePrepare(FakePrepare):
    """float64."""

    def __call__(self, raw, generator, training):
        batch = super().__call__(raw, generator, training)
        batch.input = batch.input.double()
        return batch


class LooseNoisePrepare(FakePrepare):
    """Noise from torch's own generator."""

    def __call__(self, raw, generator, training):
        batch = super().__call__(raw, generator, training)
        if training:
            batch.input = batch.input + 0.1 * torch.randn_like(batch.input)
        return batch


class WrongFeatures(FakeEncoder):
    """Features of another shape than it says."""

    def forward(self, input, context=None):
        return super().forward(input)[:, :31]


class Unbuildable(FakeEncoder):
    """Refuses every shape."""

    def __init__(self, config, shape):
        raise ValueError("only pictures of 7x7 pixels")


class Spare(FakeEncoder):
    """A layer that nothing uses."""

    def __init__(self, config, shape):
        super().__init__(config, shape)
        self.spare = nn.Linear(2, 2)


class Detached(FakeEncoder):
    """Its result carries no gradient."""

    def forward(self, input, context=None):
        return super().forward(input).detach()


class Silent(FakeEncoder):
    """A scale that is multiplied by nothing."""

    def __init__(self, config, shape):
        super().__init__(config, shape)
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, input, context=None):
        return super().forward(input) + 0.0 * self.scale


class Forgetful(FakeEncoder):
    """Draws a plain tensor that no checkpoint holds."""

    def __init__(self, config, shape):
        super().__init__(config, shape)
        self.offset = torch.randn(32)

    def forward(self, input, context=None):
        return super().forward(input) + self.offset


class Uncopyable(FakeEncoder):
    """Keeps a tensor with history."""

    def forward(self, input, context=None):
        self.last = super().forward(input)
        return self.last


class GraphBreak(FakeEncoder):
    """A Python decision on a tensor's value."""

    def forward(self, input, context=None):
        features = super().forward(input)
        return features if features.sum().item() > 1e9 else 2 * features


class Counting(FakeEncoder):
    """A Python number that changes at every step."""

    def __init__(self, config, shape):
        super().__init__(config, shape)
        self.steps = 0

    def forward(self, input, context=None):
        self.steps += 1
        return super().forward(input) * (1.0 if self.steps < 1000 else 2.0)


class DoubleData(FakeDecoder):
    """Generates float64."""

    def generate(self, z, context, sampling):
        return super().generate(z, context, sampling).double()


class WrongData(FakeDecoder):
    """Generates items of another shape."""

    def generate(self, z, context, sampling):
        return super().generate(z, context, sampling)[:, 1:]


class Peeking(FakeDecoder):
    """Looks at the input, which sampling does not have."""

    def generate(self, z, context, sampling):
        return super().generate(z, context, sampling) + 0 * context.input


class FloatTokens(FakeDecoder):
    """Tokens as floating point numbers."""

    def generate(self, z, context, sampling):
        return super().generate(z, context, sampling).float()


class Saturated(FakeDecoder):
    """So flat that it cannot learn, though there is a gradient."""

    def forward(self, z, context, schedule_values):
        return 50 + 1e-3 * torch.tanh(super().forward(z, context, schedule_values))


class LooseDraws(FakeDecoder):
    """Tokens drawn from torch's own generator."""

    def generate(self, z, context, sampling):
        sampling.generator = None
        return super().generate(z, context, sampling)


class Vector(FakeLoss):
    """A loss for each item."""

    def forward(self, output, batch, posterior, schedule_values):
        return {"loss": self.nll(output, batch)}


class Infinite(FakeLoss):
    """The logarithm of zero."""

    def forward(self, output, batch, posterior, schedule_values):
        return {
            "loss": super().forward(output, batch, posterior, schedule_values)["loss"] * 0
            - torch.inf
        }


class Unnamed(FakeLoss):
    """No 'loss' among its terms."""

    def forward(self, output, batch, posterior, schedule_values):
        return {"mse": super().forward(output, batch, posterior, schedule_values)["loss"]}


class Summed(FakeLoss):
    """A sum over the batch."""

    def forward(self, output, batch, posterior, schedule_values):
        return {"loss": self.nll(output, batch).sum() + 0 * posterior.kl().sum()}


class MeanNats(FakeLoss):
    """One number of nats for the whole batch."""

    def nll(self, output, batch):
        return super().nll(output, batch).mean()

    def forward(self, output, batch, posterior, schedule_values):
        return {"loss": self.nll(output, batch)}


class LoosePosterior(GaussianPosterior):
    """Does not draw from the generator it is given."""

    def sample(self, generator=None):
        return super().sample(None)


class LooseLatent(GaussianLatent):
    """A posterior that draws from torch's own generator."""

    def forward(self, features):
        posterior = super().forward(features)
        return LoosePosterior(posterior.mean, posterior.logvar)


class FrozenPrior(GaussianLatent):
    """The same draws whatever the seed."""

    def prior(self, count, scale, generator):
        return super().prior(count, scale, torch.Generator().manual_seed(0))


class LeakyCritic(GaussianLatent):
    """An adversary whose weights the loss moves too."""

    def __init__(self, config, features_shape):
        super().__init__(config, features_shape)
        self.adversary = nn.Linear(config.size, 1)

    def auxiliary_losses(self, encoded):
        told = self.adversary(encoded.z).mean()
        return {"penalty": -told, "adversary": self.adversary(encoded.z.detach()).square().mean()}


class IdleCritic(LeakyCritic):
    """An adversary with a layer that its own loss does not reach."""

    def __init__(self, config, features_shape):
        super().__init__(config, features_shape)
        self.adversary = nn.ModuleDict({"used": nn.Linear(config.size, 1), "idle": nn.Linear(1, 1)})

    def auxiliary_losses(self, encoded):
        return {"adversary": self.adversary["used"](encoded.z.detach()).square().mean()}


class LossyCodec(ArrayCodec):
    """One decimal."""

    def write(self, document, stem, options):
        document.content = document.content.round(1) + 0.2
        return super().write(document, stem, options)


class CoarseCodec(ArrayCodec):
    """Whole numbers, and says so."""

    file_loss = 1.0

    def write(self, document, stem, options):
        document.content = document.content.round()
        return super().write(document, stem, options)


class DriftingCodec(ArrayCodec):
    """Loses a little at every writing."""

    def write(self, document, stem, options):
        document.content = document.content * 0.999
        return super().write(document, stem, options)


class CrashingCodec(ArrayCodec):
    """Raises what it likes on a bad file."""

    def read(self, path):
        if Path(path).stat().st_size == 0:
            raise EOFError("nothing there")
        return super().read(path)


class MisnamingCodec(ArrayCodec):
    """Writes where it was not told to."""

    def write(self, document, stem, options):
        return super().write(document, stem.with_name("output"), options)


class SheetlessCodec(ArrayCodec):
    """Draws nothing."""

    def sheet(self, rows, path, title):
        path.write_text("a sheet")


class LaxConfig(PartConfig):
    model_config = {"extra": "allow"}  # noqa: RUF012


class LaxEncoder(FakeEncoder):
    Config = LaxConfig


class BadDefaultConfig(PartConfig):
    width: int = setting(0, "width", ge=1)


class BareConfig(PartConfig):
    width: int = 8


class BareEncoder(FakeEncoder):
    Config = BareConfig


class PlainConfig:
    """No pydantic model at all."""


class PlainConfigLoss(FakeLoss):
    Config = PlainConfig


@hookimpl
def aeplug_datasets():
    yield DatasetSpec("restless", f"{__name__}:RestlessData")
    yield DatasetSpec("untested", f"{__name__}:UntestedData")


@hookimpl
def aeplug_encoders():
    for part in (
        *(WrongFeatures, Unbuildable, Spare, Detached, Silent, Forgetful, Uncopyable, GraphBreak),
        *(Counting, LaxEncoder, BareEncoder),
    ):
        yield EncoderSpec(part.__name__, f"{__name__}:{part.__name__}")


@hookimpl
def aeplug_latents():
    for part in (LooseLatent, FrozenPrior, LeakyCritic, IdleCritic):
        yield LatentSpec(part.__name__, f"{__name__}:{part.__name__}")


@hookimpl
def aeplug_decoders():
    for part in (DoubleData, WrongData, Peeking, FloatTokens, Saturated, LooseDraws):
        yield DecoderSpec(part.__name__, f"{__name__}:{part.__name__}")


@hookimpl
def aeplug_losses():
    for part in (Vector, Infinite, Unnamed, Summed, MeanNats, PlainConfigLoss):
        yield LossSpec(part.__name__, f"{__name__}:{part.__name__}")


@hookimpl
def aeplug_codecs():
    for part in (
        *(LossyCodec, CoarseCodec, DriftingCodec, CrashingCodec, MisnamingCodec, SheetlessCodec),
    ):
        yield CodecSpec(part.__name__, f"{__name__}:{part.__name__}", suffixes=(".npy",))
