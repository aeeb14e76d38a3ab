"""A single-file plug-in for the tests: four numbers an item, trained in a blink.

It implements every hook. Its settings make the engine's rare paths happen on demand:
``loss.nan_at`` (one bad step), ``loss.nan_from`` (all from there on), ``prepare.pause`` (seconds
a step, so that a signal finds the training at work), ``prepare.noise`` and ``encoder.dropout``
(randomness that a resumed run must draw again).
"""

from __future__ import annotations

import copy
import json
import math
import os
import time
from pathlib import Path

import click
import torch
from torch import nn

from aeplug import (
    CodecSpec,
    DatasetSpec,
    DecoderSpec,
    DemoSpec,
    EncoderSpec,
    LatentSpec,
    LossSpec,
    OptionSpec,
    PriorSpec,
    TaskSpec,
    hookimpl,
)
from aeplug.config import PartConfig, setting
from aeplug.config.schedules import Schedule
from aeplug.data.build import BuildReport, Skipped
from aeplug.data.splits import TensorSplit
from aeplug.errors import DataError, FileError
from aeplug.interfaces import Batch, DataShape, Document
from aeplug.latents.gaussian import DeterministicLatent

WIDTH = 4
NEGATIVE = OptionSpec(
    "negative",
    "bool",
    False,
    "numbers are to be taken from 255",
    verbs=("reconstruct", "vary", "interpolate", "embed"),
)


class NumbersConfig(PartConfig):
    items: int = setting(64, "training items", unit="items", ge=0)


class Numbers:
    """Fours of numbers 0..255 with two degrees of freedom."""

    Config = NumbersConfig
    shape = DataShape((WIDTH,), (WIDTH,))

    def __init__(self, config):
        self.config = config

    def split(self, name):
        counts = {"train": self.config.items, "val": 32, "test": 16}
        if name not in counts:
            raise DataError(f"no split '{name}'")
        generator = torch.Generator().manual_seed(sorted(counts).index(name))
        return TensorSplit({"x": mixed(torch.rand(counts[name], 2, generator=generator))})


def mixed(factors):
    """Items of two factors in 0..1."""
    mix = torch.tensor([[1.0, 0.0, 0.5, 0.25], [0.0, 1.0, 0.5, 0.75]])
    return (factors @ mix * 255).to(torch.uint8)


class NumbersFolderConfig(PartConfig):
    path: str = setting("", "folder of .tiny files")


class NumbersFolder:
    """A folder of ``.tiny`` files, or what ``data build`` made of one."""

    Config = NumbersFolderConfig
    shape = DataShape((WIDTH,), (WIDTH,))

    def __init__(self, config):
        files = sorted(Path(config.path).glob("*.tiny"))
        if not files:
            raise DataError(f"{config.path} holds no .tiny files")
        self.rows = torch.tensor([row for file in files for row in read_rows(file)])

    def split(self, name):
        return TensorSplit({"x": self.rows.to(torch.uint8)})


def build_folder(sources, out, processes, progress):
    """Copies usable files and names the others."""
    report = BuildReport()
    files = [path for source in sources for path in sorted(Path(source).iterdir())]
    for number, path in enumerate(files, 1):
        try:
            read_rows(path)
            (out / path.name).write_bytes(path.read_bytes())
        except FileError as error:
            report.skipped.append(Skipped(str(path), "not rows of four numbers", str(error)))
        progress(number, len(files))
    report.figures["files"] = len(files) - len(report.skipped)
    return report


class TinyPrepareConfig(PartConfig):
    noise: float = setting(0.05, "standard deviation of training noise", ge=0)
    pause: float = setting(0.0, "sleep in every training step", unit="seconds", ge=0)


class TinyPrepare:
    Config = TinyPrepareConfig
    negative = False

    def __init__(self, config, shape):
        self.config = config

    def with_options(self, options):
        found = copy.copy(self)
        found.negative = options.get("negative", False)
        return found

    def __call__(self, raw, generator, training):
        target = raw["x"].float() / 255
        if self.negative:
            target = 1 - target
        if not training:
            return Batch(target, target)
        if self.config.pause:
            time.sleep(self.config.pause)
        noise = torch.empty_like(target).normal_(generator=generator)
        return Batch(target + noise * self.config.noise, target)


class TinyEncoderConfig(PartConfig):
    main = "width"
    width: int = setting(8, "hidden units", ge=1)
    dropout: float = setting(0.1, "share of hidden units left out", ge=0, lt=1)


class TinyEncoder(nn.Module):
    Config = TinyEncoderConfig

    def __init__(self, config, shape):
        super().__init__()
        self.features_shape = (config.width,)
        self.hidden = nn.Linear(math.prod(shape.input), config.width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, input, context=None):
        return self.dropout(torch.tanh(self.hidden(input)))


class TinyDecoderConfig(PartConfig):
    keeps: bool = setting(False, "the first number stays the input's")


class TinyDecoder(nn.Module):
    Config = TinyDecoderConfig

    def __init__(self, config, shape, latent_shape):
        super().__init__()
        self.keeps = config.keeps
        self.out = nn.Linear(math.prod(latent_shape), math.prod(shape.target))

    def forward(self, z, context, schedule_values):
        return self.out(z)

    def generate(self, z, context, sampling):
        made = torch.sigmoid(self.out(z))
        if self.keeps and context.input is not None:
            made[:, 0] = context.input[:, 0]
        return made


class TinyLossConfig(PartConfig):
    main = "beta"
    beta: Schedule = setting("linear(0, 0.01, 0.5)", "weight of the KL")
    #: Stands at the number of the step, which tells the loss when to misbehave.
    clock: Schedule = setting("linear(0, 1000000, 1000000)", "the step")
    nan_at: int = setting(-1, "step with an infinite loss")
    nan_from: int = setting(-1, "first of endlessly many such steps")


class TinyLoss(nn.Module):
    Config = TinyLossConfig

    def __init__(self, config, shape):
        super().__init__()
        self.config = config

    def forward(self, output, batch, posterior, schedule_values):
        recon = (torch.sigmoid(output.float()) - batch.target).square().mean()
        kl = posterior.kl().sum(1).mean()
        loss = recon + schedule_values["beta"] * kl
        if self.training:
            bad = schedule_values["clock"].round() == self.config.nan_at
            if self.config.nan_from >= 0:
                bad = bad | (schedule_values["clock"].round() >= self.config.nan_from)
            loss = loss * torch.where(bad, torch.nan, 1.0)
        return {"loss": loss, "recon": recon, "kl": kl}

    def nll(self, output, batch):
        return (torch.sigmoid(output) - batch.target).square().sum(1)


def read_rows(path):
    """The rows of a ``.tiny`` file: a JSON list of lists of four numbers."""
    try:
        rows = json.loads(Path(path).read_text(encoding="utf-8"))
        assert rows and all(len(row) == WIDTH for row in rows)
    except (OSError, ValueError, TypeError, AssertionError) as error:
        raise FileError(f"{path}: not a .tiny file ({type(error).__name__})") from error
    return rows


class TinyCodec:
    def __init__(self, config, shape):
        pass

    def read(self, path):
        return Document(read_rows(path), Path(path).stem, Path(path))

    def split(self, document):
        return {"x": torch.tensor(document.content)}

    def join(self, pieces, cond, like):
        rows = (pieces * 255).round().int().tolist()
        return Document(rows, like.name if like else "sample")

    def write(self, document, stem, options):
        path = stem.with_name(stem.name + ".tiny")
        text = json.dumps(document.content)
        path.write_text(text.upper() + "\n" if options.get("shout") else text, encoding="utf-8")
        return [path]

    def sheet(self, rows, path, title):
        from PIL import Image

        cells = [document.content[0] for _, documents in rows for document in documents]
        Image.new("L", (max(len(cells), 1), WIDTH), 128).save(path)


def figures(model, split, options):
    """A figure beyond the loss."""
    batch = next(model.batches(split))
    return {"worst": float((model.reconstruct(batch.input) - batch.target).abs().max())}


def baselines(model, split, options):
    """What always saying one half would cost."""
    batch = next(model.batches(split))
    return {"half": {"mse": float((batch.target - 0.5).square().mean())}}


@hookimpl
def aeplug_encoders():
    yield EncoderSpec("tiny", "tiny:TinyEncoder", "one layer")


@hookimpl
def aeplug_latents():
    yield LatentSpec("tiny-code", "tiny:DeterministicLatent", "the core's, under another name")


@hookimpl
def aeplug_decoders():
    yield DecoderSpec("tiny", "tiny:TinyDecoder", "one layer")


@hookimpl
def aeplug_losses():
    yield LossSpec("tiny", "tiny:TinyLoss", "squared error + beta x KL")


@hookimpl
def aeplug_codecs():
    option = OptionSpec("shout", "bool", False, "end the file with a newline")
    level = OptionSpec("level", "int", 3, "means nothing, in decibels", minimum=1, maximum=9)
    yield CodecSpec("tiny", "tiny:TinyCodec", suffixes=(".tiny",), options=(option, level))


@hookimpl
def aeplug_datasets():
    yield DatasetSpec("tiny", "tiny:Numbers", "made up")
    yield DatasetSpec("tiny-folder", "tiny:NumbersFolder", builder="tiny:build_folder")


class ShellPrior:
    """Latents at one distance from the middle, that of the embeddings on average."""

    kind = "tiny-shell"

    def __init__(self, radius, size, facts):
        self.radius, self.size, self.facts = radius, size, facts

    @property
    def entry(self):
        return {"size": self.size, **self.facts}

    def tensors(self):
        return {"radius": self.radius}

    def sample(self, count, scale, generator, cond=None):
        z = torch.empty(count, self.size, device=self.radius.device).normal_(generator=generator)
        return scale * self.radius * z / z.norm(dim=1, keepdim=True)


def fit_shell(model, dataset, split, seed, shrink=0.0):
    means = [model.posterior(batch)[0].mode() for batch in model.batches(dataset.split(split))]
    radius = torch.cat(means).norm(dim=1).mean() * (1 - shrink)
    return ShellPrior(radius, model.latent_size, {"split": split, "seed": seed})


def restore_shell(entry, tensors):
    return ShellPrior(tensors["radius"], entry["size"], {"split": entry["split"]})


@hookimpl
def aeplug_priors():
    yield PriorSpec(
        "tiny-shell",
        "tiny:fit_shell",
        "tiny:restore_shell",
        "a shell",
        options=(OptionSpec("shrink", "float", 0.0, "share taken off", maximum=1.0),),
    )


@hookimpl
def aeplug_tasks():
    settings = {
        "latent.size": 2,
        "train.batch_size": 16,
        "train.epochs": 5,
        "train.lr": 0.01,
        "train.log_every": 4,
    }
    for name, latent in (("tiny", "deterministic"), ("tiny-vae", "gaussian")):
        yield TaskSpec(
            name=name,
            summary="four numbers through two",
            dataset="tiny",
            folder_dataset="tiny-folder",
            encoder="tiny",
            latent=latent,
            decoder="tiny",
            loss="tiny",
            codec="tiny",
            prepare="tiny:TinyPrepare",
            evaluate="tiny:figures",
            baselines="tiny:baselines",
            options=(NEGATIVE,),
            settings=settings,
            demo=DemoSpec(settings={"train.steps": 8}, order=1) if latent == "gaussian" else None,
        )


@hookimpl
def aeplug_commands(cli):
    @cli.command()
    def tiny_hello():
        """Say hello.

        \b
        aeplug tiny-hello
        """
        click.echo("hello")


@hookimpl
def aeplug_run_event(event):
    """Keeps the events where TINY_EVENTS says; raises where TINY_ANGRY says."""
    angry = os.environ.get("TINY_ANGRY")
    if angry == "SystemExit":
        raise SystemExit(7)
    if angry:
        raise RuntimeError("no mood for events")
    if os.environ.get("TINY_EVENTS"):
        print("an observer prints")
        with open(os.environ["TINY_EVENTS"], "a", encoding="utf-8") as file:
            line = {"kind": event.kind, "step": event.step, **event.metrics}
            file.write(json.dumps(line) + "\n")


__all__ = ["DeterministicLatent"]
