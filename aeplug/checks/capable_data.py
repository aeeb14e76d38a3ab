"""Checks of what data sets, splits and preparations claim to be able to do."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from aeplug.checks.outcome import CheckMismatch, brief, describe_failure, expect
from aeplug.checks.workbench import Workbench
from aeplug.data.opening import build_prepare, data_shape
from aeplug.errors import ConfigError, DataError
from aeplug.interfaces import (
    AnySizeEncoder,
    Batch,
    DataShape,
    FilePrepare,
    ItemSplit,
    LabelledDataset,
    ReshapableDataset,
    SequencedDataset,
    ShapedPrepare,
    TargetFacts,
    WithOptions,
    supports,
)
from aeplug.plugins.specs import OptionSpec


def check_labels(dataset: LabelledDataset, bench: Workbench) -> None:
    """An array by name, with a value for each row."""
    count = bench.subject.items
    labels = dataset.labels(bench.subject.rows())
    expect(isinstance(labels, Mapping), "labels(rows) to give arrays by name", brief(labels))
    for name, values in labels.items():
        expect(len(values) == count, f"{count} labels '{name}' of {count} rows", f"{len(values)}")


def check_sequences(dataset: SequencedDataset, bench: Workbench) -> None:
    """Rows in order, and of how many each document is made, with and without alterations."""
    for generator in (None, bench.generator()):
        try:
            rows, lengths = dataset.sequences("test", generator)
        except DataError:
            return  # the documents are not there
        good = isinstance(lengths, Tensor) and lengths.dtype == torch.int64 and lengths.dim() == 1
        expect(good, "lengths of sequences as int64 (M,)", brief(lengths))
        expect(lengths.min() >= 1, "documents of at least one piece", f"{int(lengths.min())}")
        for name, column in rows.items():
            total = int(lengths.sum())
            expect(
                len(column) == total,
                f"as many rows of '{name}' as the documents' lengths say, {total}",
                f"{len(column)}",
            )


def check_with_shape(dataset: ReshapableDataset, bench: Workbench) -> None:
    """Opened for the model's shape, its items have it."""
    config, shape = bench.subject.config, bench.subject.shape
    section = config.sections["data"]
    reshaped = section.factory.with_shape(section.config, shape)
    target = data_shape(build_prepare(config, reshaped.shape), reshaped).target
    expect(target == shape.target, f"items of shape {shape.target} from with_shape", f"{target}")


def check_first_items(split: ItemSplit, bench: Workbench) -> None:
    """A smaller split, or the same, from which rows can be taken."""
    few = split.first_items(1)
    expect(1 <= len(few) <= len(split), f"1 to {len(split)} rows of the first item", f"{len(few)}")
    few.take(torch.arange(1))


def check_prepare_file(prepare: FilePrepare, bench: Workbench) -> None:
    """A file of one item is a batch as the model takes it, the same at every call."""
    shape = bench.subject.shape
    batches = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        batches.append(prepare.prepare_file(bench.rows))
    batch = batches[0]
    expect(isinstance(batch, Batch), "prepare_file(raw) to give a Batch", type(batch).__name__)
    expect(
        all(torch.equal(batch.input, other.input) for other in batches),
        "prepare_file(raw) to give the same input at every call: a file goes in as it is",
        "another when torch's own generator was elsewhere",
    )
    dtype = torch.int64 if shape.classes else torch.float32
    expect(
        batch.input.dtype == dtype, f"an input of {dtype} from prepare_file", f"{batch.input.dtype}"
    )
    sizes = tuple(batch.input.shape[1:])
    good = sizes == shape.input
    if supports(bench.task.encoder, AnySizeEncoder):
        good = len(sizes) == len(shape.input) and sizes[:-2] == shape.input[:-2]
    expect(good, f"items of shape {shape.input} from prepare_file(raw)", f"{sizes}")


def check_prepared_shape(prepare: ShapedPrepare, bench: Workbench) -> None:
    """It is a shape; whether batches have it is the check of shapes."""
    shape = prepare.shape
    expect(isinstance(shape, DataShape), "shape of prepare to be a DataShape", brief(shape))


def check_facts(prepare: TargetFacts, bench: Workbench) -> None:
    """Names and values that JSON can hold."""
    facts = prepare.facts
    good = isinstance(facts, Mapping) and all(isinstance(name, str) for name in facts)
    expect(good, "facts of prepare to be values by name", brief(facts))
    json.dumps(dict(facts))


#: A text that is no option's value.
NO_VALUE = "no-such-value"


def check_with_options(part: Any, bench: Workbench) -> None:
    """Defaults give one that still works; a value out of range is refused in one line."""
    is_codec = part is bench.model.codec
    options = (*bench.subject.spec.options, *bench.codec_spec.options)
    for values in ({}, {option.name: option.default for option in options}):
        other: Any = part.with_options(values)
        if is_codec:
            other.split(bench.document())
        else:
            other(bench.subject.rows(), bench.generator(), False)
    for option in options:
        bad = _value_out_of_range(option)
        if bad is not None:
            _check_refused(part, option.name, bad)


def _check_refused(part: WithOptions, name: str, bad: object) -> None:
    """A part that the option is of no concern to passes it over, and keeps nothing of it."""
    call = f"with_options({{{name!r}: {bad!r}}})"
    try:
        other = part.with_options({name: bad})
    except ConfigError as error:
        expect("\n" not in str(error), f"{call} to be refused in one line", "several")
        return
    except Exception as error:
        raise CheckMismatch(
            f"{call} to raise aeplug.errors.ConfigError", describe_failure(error)
        ) from error
    kept = [key for key, value in vars(other).items() if value is bad]
    expect(not kept, f"{call} to raise ConfigError", f"that it was taken, as {', '.join(kept)}")


def _value_out_of_range(option: OptionSpec) -> object:
    if option.choices:
        return NO_VALUE
    if option.type in ("int", "float"):
        kind = int if option.type == "int" else float
        if option.minimum is not None:
            return kind(option.minimum - 1)
        if option.maximum is not None:
            return kind(option.maximum + 1)
    return None


DATA_CHECKS: Mapping[type, Callable[[Any, Workbench], None]] = {
    LabelledDataset: check_labels,
    SequencedDataset: check_sequences,
    ReshapableDataset: check_with_shape,
    ItemSplit: check_first_items,
    FilePrepare: check_prepare_file,
    ShapedPrepare: check_prepared_shape,
    TargetFacts: check_facts,
    WithOptions: check_with_options,
}
