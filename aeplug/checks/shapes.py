"""Shapes and dtypes of everything that passes from the data to the decoder's results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from aeplug.checks.outcome import expect, expect_no_error
from aeplug.checks.subject import Subject
from aeplug.data.splits import SPLITS
from aeplug.interfaces import Batch, Context, DataShape, Features, Sampling
from aeplug.model.task import Task


def check_shapes(subject: Subject) -> str:
    """Data, batch, features, latent, output and generated data are as the interfaces say."""
    _check_data(subject)
    for training in (True, False):
        with expect_no_error(f"prepare(raw, generator, training={training})"):
            batch = subject.batch(training=training)
        _check_batch(batch, subject.shape, subject.items, f"prepare, training={training}")
    task = subject.task().eval()
    with torch.no_grad():
        for count in {subject.items, 1}:
            _check_model(task, subject.batch(count=count), subject, count)
    shape, latent = subject.shape, task.latent.latent_shape
    path = (shape.input, task.encoder.features_shape, latent, shape.target)
    return " -> ".join(_sizes(sizes) for sizes in path)


def _check_data(subject: Subject) -> None:
    shape = subject.dataset.shape
    expect(
        isinstance(shape, DataShape),
        "the data set's attribute 'shape' to be a DataShape",
        f"{type(shape).__name__} {shape!r:.80}",
    )
    for name in SPLITS:
        with expect_no_error(f"split('{name}') of the data set"):
            split = subject.dataset.split(name)
            length = len(split)
        expect(length > 0, f"items in the split '{name}'", "none")
    with expect_no_error("take(index) of the split 'train'"):
        rows = subject.rows()
    expect(
        isinstance(rows, Mapping) and all(isinstance(c, Tensor) for c in rows.values()),
        "take(index) to give tensors by name",
        f"{type(rows).__name__}",
    )
    for name, column in rows.items():
        expect(
            len(column) == subject.items,
            f"{subject.items} rows of the column '{name}' for as many numbers",
            f"{len(column)}",
        )


def _check_batch(batch: Any, shape: DataShape, items: int, where: str) -> None:
    expect(isinstance(batch, Batch), f"a Batch from {where}", type(batch).__name__)
    tokens = "int64 where 'classes' is above 0" if shape.classes else "float32"
    dtype = torch.int64 if shape.classes else torch.float32
    for name, sizes in (("input", shape.input), ("target", shape.target)):
        value = getattr(batch, name)
        _check_tensor(value, (items, *sizes), f"'{name}' of the batch ({where})")
        expect(value.dtype == dtype, f"'{name}' of the batch as {tokens}", _dtype(value))
        if shape.classes:
            low, high = int(value.min()), int(value.max())
            expect(
                0 <= low <= high < shape.classes,
                f"tokens in '{name}' from 0 to {shape.classes - 1}",
                f"{low} to {high}",
            )
        else:
            expect(torch.isfinite(value).all(), f"finite values in '{name}' ({where})", "others")
    names = set(shape.conditions)
    expect(set(batch.cond) == names, f"the conditions {sorted(names)}", f"{sorted(batch.cond)}")
    for name, value in batch.cond.items():
        _check_tensor(value, (items,), f"the condition '{name}'", torch.int64)
    if batch.lengths is not None:
        _check_tensor(batch.lengths, (items,), "'lengths' of the batch", torch.int64)


def _check_model(task: Task, batch: Batch, subject: Subject, items: int) -> None:
    with expect_no_error("the encoder"):
        features = task.encoder(batch.input, batch.context(with_target=True))
    values = features.values if isinstance(features, Features) else features
    _check_tensor(values, (items, *task.encoder.features_shape), "features from the encoder")
    with expect_no_error("the latent part"):
        posterior = task.latent(values)
    latent = (items, *task.latent.latent_shape)
    generator = torch.Generator().manual_seed(subject.seed)
    with expect_no_error("the posterior's methods"):
        _check_tensor(posterior.sample(generator), latent, "sample() of the posterior")
        _check_tensor(posterior.mode(), latent, "mode() of the posterior")
        kl = posterior.kl()
        statistics = posterior.statistics()
    expect(isinstance(kl, Tensor) and len(kl) == items, f"kl() with {items} rows", _form(kl))
    expect(
        isinstance(statistics, Mapping) and "mean" in statistics,
        "statistics() of the posterior with at least 'mean'",
        f"{sorted(statistics) if isinstance(statistics, Mapping) else type(statistics).__name__}",
    )
    posterior, context = task.encode(batch.input, batch.context(with_target=False))
    _check_generated(task, posterior.mode(), context, subject, "of a reconstruction")
    if subject.model(task).has_prior:
        with expect_no_error("the latent's prior(count, scale, generator)"):
            drawn = task.latent.prior(items, 1.0, generator)
        _check_tensor(drawn, latent, "draws from the prior")
        # In sampling there is neither an input nor a target to look at.
        bare = Context(cond=batch.cond, size=subject.shape.target)
        _check_generated(task, drawn, bare, subject, "in sampling, where context.input is None,")


def _check_generated(task: Task, z: Tensor, context: Context, subject: Subject, when: str) -> None:
    shape = subject.shape
    with expect_no_error(f"the decoder's generate {when}"):
        generator = torch.Generator().manual_seed(subject.seed)
        data = task.decoder.generate(z, context, Sampling(generator=generator))
    _check_tensor(data, (len(z), *shape.target), f"data from generate {when}")
    if shape.classes:
        expect(data.dtype == torch.int64, "tokens from generate as int64", _dtype(data))
    else:
        expect(data.dtype == torch.float32, "float32 data from generate", _dtype(data))
        expect(torch.isfinite(data).all(), f"finite data from generate {when}", "others")


def _check_tensor(
    value: Any, sizes: tuple[int, ...], what: str, dtype: torch.dtype | None = None
) -> None:
    kind = f"{str(dtype).removeprefix('torch.')} " if dtype else ""
    good = isinstance(value, Tensor) and tuple(value.shape) == tuple(sizes)
    expect(
        good and dtype in (None, value.dtype),
        f"{what} to be {kind}{_sizes(sizes)}",
        _form(value)
        if not dtype or not isinstance(value, Tensor)
        else f"{_dtype(value)} {_form(value)}",
    )


def _form(value: Any) -> str:
    return _sizes(tuple(value.shape)) if isinstance(value, Tensor) else type(value).__name__


def _sizes(sizes: tuple[int, ...]) -> str:
    return f"({', '.join(map(str, sizes))})"


def _dtype(value: Tensor) -> str:
    return str(value.dtype).removeprefix("torch.")
