"""Pictures of what a model makes, drawn by its codec: the same orchestration for any modality."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from aeplug.evaluation import open_dataset
from aeplug.generation import Model
from aeplug.interfaces import Batch, Document, Sampling

#: Items on a sheet, and columns of a row.
RECONSTRUCTIONS, SAMPLES, COLUMNS = 20, 60, 10


def draw_reconstructions(model: Model, path: Path) -> Path:
    """Held-out originals over their reconstructions, labelled; returns ``path``."""
    split = open_dataset(model.config).split("val").to(model.device)
    count = min(RECONSTRUCTIONS, len(split))
    # Spread over the split: neighbours are often alike (the same tune, the same writer).
    index = torch.linspace(0, len(split) - 1, count, device=model.device).round().long()
    raw = split.take(index)
    batch = model.prepared(raw)
    cond = batch.cond
    data = reconstructed(model, batch)
    labels = raw.get("label")
    names = [str(int(label)) for label in labels] if labels is not None else [""] * count
    originals = one_by_one(model, batch.target, cond, names)
    results = one_by_one(model, data, cond, [""] * count)
    rows = []
    for start in range(0, count, COLUMNS):
        rows.append(("original", originals[start : start + COLUMNS]))
        rows.append(("reconstruction", results[start : start + COLUMNS]))
    model.codec.sheet(rows, path, f"{model.spec.name}: held-out items and reconstructions")
    return path


def draw_samples(model: Model, path: Path, seed: int = 0) -> Path:
    """Draws from the prior on one sheet; returns ``path``."""
    documents = model.sample_documents(SAMPLES, seed, Sampling())
    for document in documents:
        document.name = ""
    draw_rows(model, documents, path, f"{model.spec.name}: samples, seed {seed}")
    return path


def draw_rows(model: Model, documents: list[Document], path: Path, title: str) -> None:
    """Documents in reading order on one sheet."""
    columns = max(1, min(COLUMNS, round(len(documents) ** 0.5 + 0.5)))
    rows = [("", documents[start : start + columns]) for start in range(0, len(documents), columns)]
    model.codec.sheet(rows, path, title)


@torch.no_grad()
def reconstructed(model: Model, batch: Batch) -> torch.Tensor:
    """A prepared batch through the model, from the posterior's mode, greedily."""
    posterior, context = model.posterior(batch)
    data: torch.Tensor = model.task.decoder.generate(
        posterior.mode(), context, Sampling(greedy=True)
    )
    return data


def one_by_one(
    model: Model, data: torch.Tensor, cond: Mapping[str, torch.Tensor], names: list[str]
) -> list[Document]:
    """Each row of ``data`` as a document of its own."""
    documents = []
    for row, name in enumerate(names):
        one = {key: value[row : row + 1] for key, value in cond.items()}
        document = model.codec.join(data[row : row + 1], one, None)
        document.name = name
        documents.append(document)
    return documents
