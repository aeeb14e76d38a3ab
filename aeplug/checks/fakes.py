"""Small parts, data and tasks to try a part of one's own in; a plug-in of tests alone.

``fake-vectors``  values ``(12,)``; the decoder's output is a tensor like the target
``fake-images``   pixels ``(1, 16, 16)``; the same
``fake-pixels``   the same pixels with the built-in ``mlp`` and ``elbo``
``fake-tokens``   16 tokens of 8 classes, with a condition; the decoder's output is logits

All but ``fake-pixels`` are made of ``fake`` parts, each a linear layer.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from aeplug.checks.synthetic import synthetic_items
from aeplug.config import PartConfig, setting
from aeplug.config.schedules import Schedule
from aeplug.data.splits import TensorSplit
from aeplug.errors import DataError
from aeplug.interfaces import (
    Batch,
    Context,
    DataShape,
    Posterior,
    RawBatch,
    Sampling,
    ScheduleValues,
)
from aeplug.plugins import hookimpl
from aeplug.plugins.specs import DatasetSpec, DecoderSpec, EncoderSpec, LossSpec, TaskSpec

ITEMS = {"train": 64, "val": 16, "test": 16}
CLASSES = 8


class _FakeData:
    """Made-up items of one shape: columns ``array`` and, with conditions, ``kind``."""

    shape: DataShape

    def __init__(self, config: PartConfig) -> None:
        self.config = config

    def split(self, name: str) -> TensorSplit:
        """``train``, ``val`` or ``test``."""
        if name not in ITEMS:
            raise DataError(f"no split is called '{name}'")
        items = synthetic_items(self.shape, ITEMS[name], seed=list(ITEMS).index(name))
        kinds = {"kind": torch.arange(len(items)) % 2} if self.shape.conditions else {}
        return TensorSplit({"array": items, **kinds})


class FakeVectors(_FakeData):
    """Vectors of 12 values in 0..1."""

    shape = DataShape((12,), (12,))


class FakeImages(_FakeData):
    """Pictures of 16x16 grey values in 0..1."""

    shape = DataShape((1, 16, 16), (1, 16, 16))


class FakeTokens(_FakeData):
    """Sequences of 16 tokens, of one of two kinds."""

    shape = DataShape((16,), (16,), CLASSES, {"kind": ("even", "odd")})


class FakePrepare:
    """Column ``array`` -> input and target; a condition where the data has one."""

    def __init__(self, config: PartConfig, shape: DataShape) -> None:
        self.shape = shape

    def __call__(self, raw: RawBatch, generator: torch.Generator, training: bool) -> Batch:
        """float32, or int64 tokens, as they are; of a file without a condition the first class."""
        items = raw["array"].long() if self.shape.classes else raw["array"].float()
        first = items.new_zeros(len(items), dtype=torch.int64)
        cond = {name: raw.get(name, first).long() for name in self.shape.conditions}
        return Batch(items, items, cond)


class FakeEncoder(nn.Module):
    """A linear layer over the values, or over the tokens as one-hot vectors."""

    def __init__(self, config: PartConfig, shape: DataShape) -> None:
        super().__init__()
        self.features_shape = (32,)
        self.classes = shape.classes
        self.layer = nn.Linear(math.prod(shape.input) * max(shape.classes, 1), 32)

    def forward(self, input: Tensor, context: Context | None = None) -> Tensor:
        """``(B, *shape.input)`` -> ``(B, 32)``."""
        values = functional.one_hot(input, self.classes).float() if self.classes else input
        return torch.tanh(self.layer(values.flatten(1)))


class FakeDecoder(nn.Module):
    """A linear layer to values like the target's, or to logits ``(B, *target, classes)``."""

    def __init__(self, config: PartConfig, shape: DataShape, latent_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.classes = shape.classes
        self.sizes = (*shape.target, shape.classes) if shape.classes else shape.target
        self.layer = nn.Linear(math.prod(latent_shape), math.prod(self.sizes))

    def forward(self, z: Tensor, context: Context, schedule_values: ScheduleValues) -> Tensor:
        """``(B, *latent_shape)`` -> output."""
        return self.layer(z.flatten(1)).reshape(-1, *self.sizes)

    def generate(self, z: Tensor, context: Context, sampling: Sampling) -> Tensor:
        """The values; or tokens, drawn at the temperature or the likeliest."""
        output: Tensor = self(z, context, {})
        if not self.classes:
            return output
        if sampling.greedy:
            return output.argmax(-1)
        chances = (output / sampling.temperature).softmax(-1).flatten(0, -2)
        drawn = torch.multinomial(chances, 1, generator=sampling.generator)
        return drawn.reshape(output.shape[:-1])


class FakeLossConfig(PartConfig):
    """Settings of the loss."""

    main = "beta"

    beta: Schedule = setting(Schedule.parse(0.01), "weight of the KL, or a schedule")


class FakeLoss(nn.Module):
    """Squared error, or cross-entropy of tokens, in nats an item, plus beta x KL."""

    Config = FakeLossConfig

    def __init__(self, config: FakeLossConfig, shape: DataShape) -> None:
        super().__init__()
        self.classes = shape.classes

    def forward(
        self, output: Tensor, batch: Batch, posterior: Posterior, schedule_values: ScheduleValues
    ) -> dict[str, Tensor]:
        """Means over the batch, 0-d: ``loss``, ``nll_nats``, ``kl_nats``."""
        nll, kl = self.nll(output, batch).mean(), posterior.kl().flatten(1).sum(1).mean()
        return {"loss": nll + schedule_values["beta"] * kl, "nll_nats": nll, "kl_nats": kl}

    def nll(self, output: Tensor, batch: Batch) -> Tensor:
        """Nats an item, ``(B,)``; of values up to a constant."""
        if self.classes:
            terms = functional.cross_entropy(output.movedim(-1, 1), batch.target, reduction="none")
        else:
            terms = (output - batch.target).square()
        return terms.flatten(1).sum(1)


@hookimpl
def aeplug_datasets() -> Iterable[DatasetSpec]:
    """Made-up data."""
    yield DatasetSpec("fake-vectors", f"{__name__}:FakeVectors", "12 values")
    yield DatasetSpec("fake-images", f"{__name__}:FakeImages", "16x16 pixels")
    yield DatasetSpec("fake-tokens", f"{__name__}:FakeTokens", "16 tokens of 8 classes")


@hookimpl
def aeplug_encoders() -> Iterable[EncoderSpec]:
    """One layer."""
    yield EncoderSpec("fake", f"{__name__}:FakeEncoder", "one linear layer")


@hookimpl
def aeplug_decoders() -> Iterable[DecoderSpec]:
    """One layer."""
    yield DecoderSpec("fake", f"{__name__}:FakeDecoder", "one linear layer")


@hookimpl
def aeplug_losses() -> Iterable[LossSpec]:
    """One loss."""
    yield LossSpec("fake", f"{__name__}:FakeLoss", "squared error or cross-entropy")


@hookimpl
def aeplug_tasks() -> Iterable[TaskSpec]:
    """Tasks that train in a blink."""
    settings = {"latent.size": 4, "train.batch_size": 16, "train.epochs": 5, "train.lr": 1e-2}
    for name in ("fake-vectors", "fake-images", "fake-pixels", "fake-tokens"):
        pixels = name == "fake-pixels"
        part = "mlp" if pixels else "fake"
        widths = {"encoder.hidden": (32, 16), "decoder.hidden": (32, 16)} if pixels else {}
        yield TaskSpec(
            name=name,
            summary="made up, for tests",
            dataset="fake-images" if pixels else name,
            encoder=part,
            latent="gaussian",
            decoder=part,
            loss="elbo" if pixels else "fake",
            prepare=f"{__name__}:FakePrepare",
            settings={**settings, **widths},
        )


#: Names of the tasks, in the order in which a part is tried in them.
TASKS = ("fake-vectors", "fake-pixels", "fake-images", "fake-tokens")
