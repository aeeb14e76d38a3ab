"""How far from files is what a model makes of them, by its codec's own distance?

    python benchmarks/heard_distance.py melody-2bar folk.zip
    python benchmarks/heard_distance.py melody-2bar TRIO --files 200
    python benchmarks/heard_distance.py melody-2bar folk.zip --vary 20 --interpolate 40

Printed are, over the files of a folder or zip (``folk.zip`` are the bundled folk tunes): the
pieces; the share that the guard of ``reconstruct`` does not pass through, and that of ``vary``,
of those that are not blank; the similarity (1 - distance; of melodies nearly the notes that are
kept) of what the bare model makes of them and of what comes with the guard. With ``--vary N`` the
similarity of variations of N files to them, for several that are asked for. With ``--interpolate
N`` the ways of nine steps between N pairs of pieces of one metre: distinct steps, and the largest
step's share of the change, beside those of equal steps of the latent.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from aeplug.api import load
from aeplug.data.batching import slice_batch
from aeplug.data.bundled import find_bundled
from aeplug.errors import FileError
from aeplug.inference import draw_variations
from aeplug.inference.even_steps import EvenWay
from aeplug.interfaces import Batch, ComparableCodec, Document, Sampling, supports
from aeplug.model import Model
from aeplug.model.guard import find_passing, reconstruct_pieces
from aeplug.model.walks import iter_steps
from aeplug.plugins import active

GREEDY = Sampling(greedy=True)
SIMILARITIES, STEPS = (0.95, 0.8, 0.6, 0.4, 0.2), 9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("folder")
    parser.add_argument("--files", type=int, default=400, help="at most, spread over all")
    parser.add_argument("--vary", type=int, default=0)
    parser.add_argument("--interpolate", type=int, default=0)
    options = parser.parse_args()
    model = load(options.model, device="cpu")
    suffixes = active().find("codec", model.config.sections["codec"].name).suffixes
    with tempfile.TemporaryDirectory() as folder:
        names = sorted(list_files(Path(options.folder), Path(folder), suffixes))
        documents = list(read(model, names[:: max(1, len(names) // options.files)]))
        print(f"{options.model}, {options.folder}: {len(documents)} files")
        print_guard(model, documents)
        if options.vary:
            print_variations(model, documents[:: max(1, len(documents) // options.vary)])
        if options.interpolate:
            print_ways(model, documents, options.interpolate)


def list_files(path: Path, folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """Files of a folder, or of a zip that is unpacked into another."""
    if path.name == "folk.zip" and not path.exists():
        path = find_bundled("folk_tunes.zip")
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder)
        path = folder
    return [file for file in path.rglob("*") if file.suffix.lower() in suffixes]


def read(model: Model, paths: list[Path]) -> Iterator[Document]:
    for path in paths:
        try:
            document = model.read(path)
            model.codec.split(document)
        except FileError:  # another metre, drums alone ...
            continue
        yield document


def print_guard(model: Model, documents: list[Document]) -> None:
    guard, codec = model.guard, model.codec
    assert guard is not None and supports(codec, ComparableCodec)
    apart, unlike, blank = [], [], 0
    for document in documents:
        raw = codec.split(document)
        batch = model.prepare_file(raw)
        made = reconstruct_pieces(model, batch)
        passing = find_passing(model, raw, batch, made, bound=guard.reconstruct)
        assert passing is not None
        distances = codec.distance(passing.originals, made, batch.cond)
        apart.append(distances[~passing.blank])
        unlike.append(passing.unlike[~passing.blank])
        blank += int(passing.blank.sum())
    distance, outside = torch.cat(apart), torch.cat(unlike)
    varied = (distance <= guard.vary).float().mean() if guard.vary is not None else 1.0
    print(f"{len(distance) + blank} {guard.pieces}, {blank} of them blank; of the others:")
    print(
        f"  within the bound of reconstruct, {guard.reconstruct}: {1 - outside.float().mean():.3f}"
    )
    print(f"  within the bound of vary, {guard.vary}: {varied:.3f}")
    print(f"  similarity of the bare model's reconstruction: {1 - distance.mean():.4f}")
    kept = torch.where(outside, 0.0, distance)
    inside = distance[~outside].mean() if bool((~outside).any()) else torch.tensor(0.0)
    print(f"  with the guard: {1 - kept.mean():.4f}, of decoded ones alone {1 - inside:.4f}")


def print_variations(model: Model, documents: list[Document]) -> None:
    for similarity in SIMILARITIES:
        found = [
            one.similarity
            for document in documents
            for one in draw_variations(model, document, 3, similarity, 0, GREEDY)
            if one.similarity is not None
        ]
        reached = torch.tensor(found)
        low, middle, high = reached.quantile(torch.tensor([0.05, 0.5, 0.95])).tolist()
        print(
            f"vary at {similarity:g}: mean {reached.mean():.3f}, middle {middle:.2f}, "
            f"90 % within {low:.2f} to {high:.2f} ({len(found)} variations)"
        )


def print_ways(model: Model, documents: list[Document], count: int) -> None:
    """Of pairs of first pieces of neighbouring files of the same classes."""
    codec = model.codec
    assert supports(codec, ComparableCodec)
    by_class: dict[tuple[int, ...], list[tuple[Batch, Tensor]]] = {}
    for document in documents:
        raw = codec.split(document)
        batch, pieces = model.prepare_file(raw), codec.as_pieces(raw)
        first = slice_batch(batch, slice(0, 1))
        if not bool(codec.is_blank(pieces[:1], first.cond)):
            key = tuple(int(value) for value in first.cond.values())
            by_class.setdefault(key, []).append((first, pieces[:1]))
    pairs = [
        pair
        for members in by_class.values()
        for pair in zip(members[::2], members[1::2], strict=False)
    ]
    figures: dict[str, list[tuple[int, float]]] = {"even steps": [], "equal latents": []}
    for (a, own_a), (b, own_b) in pairs[:: max(1, len(pairs) // count)][:count]:
        way = EvenWay(model, codec, (a, b), (own_a, own_b), GREEDY).take(STEPS)
        figures["even steps"].append(measure_way(codec, list(way), a))
        plain = [data for data, _ in iter_steps(model, (a, b), STEPS, GREEDY)]
        figures["equal latents"].append(measure_way(codec, plain, a))
    for name, found in figures.items():
        distinct, share = (sum(column) / len(found) for column in zip(*found, strict=True))
        worst = max(share for _, share in found)
        print(
            f"{STEPS} steps, {name}: {distinct:.2f} distinct, largest share of the change "
            f"{share:.3f} (at most {worst:.2f}; {len(found)} pairs)"
        )


def measure_way(codec: ComparableCodec, way: list[Tensor], end: Batch) -> tuple[int, float]:
    """Distinct steps, and the largest one's share of the change."""
    changes = [float(codec.distance(a, b, end.cond)) for a, b in itertools.pairwise(way)]
    distinct = len(torch.unique(torch.cat(way), dim=0))
    return distinct, max(changes) / max(sum(changes), 1e-9)


if __name__ == "__main__":
    main()
