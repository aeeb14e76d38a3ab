"""Sheets of reconstructions and samples, drawn by a model's codec, for any modality."""

from __future__ import annotations

from pathlib import Path

import torch

from aeplug.data.opening import open_dataset
from aeplug.inference.results import COLUMNS, arrange_in_rows
from aeplug.inference.sample import join_documents, sample_documents
from aeplug.interfaces import OWN, Sampling
from aeplug.model.model import Model

#: Items on a sheet.
RECONSTRUCTIONS, SAMPLES = 20, 60


def draw_reconstructions(model: Model, path: Path) -> Path:
    """Held-out originals over their reconstructions, labelled; returns ``path``.

    Example:
        >>> draw_reconstructions(model, Path("reconstructions.png")).exists()
        True
    """
    split = open_dataset(model.config).split("val").to(model.device)
    count = min(RECONSTRUCTIONS, len(split))
    # Spread over the split: neighbours are often alike (the same tune, the same writer).
    index = torch.linspace(0, len(split) - 1, count, device=model.device).round().long()
    raw = split.take(index)
    batch = model.prepare_batch(raw)
    versions = {
        "original": join_documents(model, batch.target, batch.cond),
        "reconstruction": join_documents(model, model.reconstruct_batch(batch), batch.cond),
    }
    if batch.input is not batch.target:  # to be restored: corrupted or reduced
        versions = {
            "input": join_documents(model, batch.input, batch.cond),
            "result": versions["reconstruction"],
            "truth": versions["original"],
        }
    labels = raw.get("label")
    for line, documents in enumerate(versions.values()):
        for row, document in enumerate(documents):
            document.name = str(int(labels[row])) if labels is not None and line == 0 else ""
    rows = [
        (label, documents[start : start + COLUMNS])
        for start in range(0, count, COLUMNS)
        for label, documents in versions.items()
    ]
    model.codec.sheet(rows, path, f"{model.spec.name}: held-out items and reconstructions")
    return path


def draw_samples(model: Model, path: Path, seed: int = 0) -> Path:
    """Draws from the latent part's own prior on one sheet; returns ``path``.

    Where there are conditions, each class of the first has a row; others are at their first class.

    Example:
        >>> draw_samples(model, Path("samples.png"), seed=1).exists()
        True
    """
    title = f"{model.spec.name}: samples, seed {seed}"
    for condition, classes in model.shape.conditions.items():
        across = max(1, min(COLUMNS, SAMPLES // len(classes)))
        shown = classes[: SAMPLES // across]
        chosen = torch.arange(len(shown)).repeat_interleave(across)
        documents = sample_documents(
            model, len(chosen), seed, Sampling(), {condition: chosen}, prior=OWN
        )
        for document in documents:
            document.name = ""
        by_class = [
            (name, documents[row * across : (row + 1) * across]) for row, name in enumerate(shown)
        ]
        model.codec.sheet(by_class, path, title)
        return path
    documents = sample_documents(model, SAMPLES, seed, Sampling(), prior=OWN)
    for document in documents:
        document.name = ""
    rows, title = arrange_in_rows(documents, title)
    model.codec.sheet(rows, path, title)
    return path
