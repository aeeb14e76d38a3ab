"""A single-file plug-in for the tests of whole documents: pieces of four numbers in a row.

A document has two sections of two pieces, each played twice: a b a b c d c d. Parts are those of
the plug-in ``tiny``, which has to be there as well.
"""

from __future__ import annotations

import torch
from tiny import TinyCodec, mixed

from aeplug import CodecSpec, DatasetSpec, OptionSpec, TaskSpec, hookimpl
from aeplug.config import PartConfig, setting
from aeplug.data.splits import TensorSplit
from aeplug.errors import ConfigError, DataError
from aeplug.interfaces import DataShape, Document

FORM = (0, 1, 0, 1, 2, 3, 2, 3)


class ChainsConfig(PartConfig):
    documents: int = setting(40, "training documents", ge=0)


class Chains:
    Config = ChainsConfig
    shape = DataShape((4,), (4,))

    def __init__(self, config):
        self.counts = {"train": config.documents, "val": 12, "test": 6}

    def split(self, name):
        # As data sets do: what is there twice is an item once.
        return TensorSplit({"x": self.documents(name).flatten(0, 1)})

    def documents(self, name):
        if name not in self.counts:
            raise DataError(f"no split '{name}'")
        generator = torch.Generator().manual_seed(sorted(self.counts).index(name))
        return mixed(torch.rand(self.counts[name] * 4, 2, generator=generator)).view(-1, 4, 4)

    def sequences(self, name, generator):
        rows = self.documents(name)[:, FORM]
        if generator is not None:
            # Each document as a whole a little brighter or darker.
            by = torch.randint(-5, 6, (len(rows), 1, 1), generator=generator)
            rows = (rows.int() + by).clamp(0, 255).to(torch.uint8)
        counts = torch.full((len(rows),), len(FORM))
        return {"x": rows.flatten(0, 1)}, counts


class ChainCodec(TinyCodec):
    def context_pieces(self, document):
        return self.split(document)

    def append_pieces(self, document, pieces, cond):
        more = self.join(pieces, cond, None)
        return Document([*document.content, *more.content], document.name)

    def num_pieces(self, options):
        numbers = options.get("numbers") or 0
        if numbers % 4:
            raise ConfigError(f"--numbers {numbers}: a piece has 4")
        return numbers // 4


@hookimpl
def aeplug_datasets():
    yield DatasetSpec("chains", "chains:Chains", "made up")


@hookimpl
def aeplug_codecs():
    numbers = OptionSpec("numbers", "int", None, "length", verbs=("sample", "continue"))
    yield CodecSpec("chain", "chains:ChainCodec", suffixes=(".tiny",), options=(numbers,))


@hookimpl
def aeplug_tasks():
    yield TaskSpec(
        "chains",
        "four numbers through two, eight times",
        dataset="chains",
        encoder="tiny",
        latent="gaussian",
        decoder="tiny",
        loss="tiny",
        codec="chain",
        prepare="tiny:TinyPrepare",
        settings={
            "latent.size": 2,
            "train.batch_size": 16,
            "train.epochs": 40,
            "train.lr": 0.02,
            "loss.beta": 1e-5,
            "prepare.noise": 0.0,
            "encoder.dropout": 0.0,
        },
    )
