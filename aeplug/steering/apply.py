"""Files moved along an attribute, and the effect measured: what ``aeplug attribute`` does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from aeplug.data.opening import choose_split
from aeplug.errors import ConfigError, FileError, nearest
from aeplug.inference.file_pieces import FilePieces
from aeplug.inference.results import Results
from aeplug.interfaces import Batch, Dataset, Document, PassedThrough
from aeplug.model.dataset import evaluation_dataset
from aeplug.model.guard import Passing
from aeplug.model.model import Model
from aeplug.plugins import active
from aeplug.runtime.console import say
from aeplug.runtime.tracking import track
from aeplug.steering import examples as example_sets
from aeplug.steering.attributes import find_attribute
from aeplug.steering.check import check_steering
from aeplug.steering.directions import (
    ITEMS,
    SUFFIX,
    Directions,
    learn_directions,
    load_directions,
    save_directions,
)
from aeplug.steering.search import steer

#: What a strip shows, in standard deviations, beside the amounts asked for.
STRIP = (-2.0, -1.0, 0.0, 1.0, 2.0)
#: Items that the effect is checked on.
CHECK_ITEMS = 200


@dataclass(frozen=True)
class Steering:
    """A way to move items of a model along an attribute while others are held.

    Attributes:
        model: whose latents.
        directions: of all its attributes, learnt from data.
        target: name of the attribute to move along.
        held: names of those to hold.
        dataset: what directions are learnt from and checked on.

    Example:
        >>> slant = find_steering(model, "slant", items=200)
        >>> document = model.codec.join(model.sample(1, seed=1), {}, None)
        >>> [moved.name for moved in slant.move_documents([document], [-1.0, 1.0]).documents]
        ['sample-slant-1', 'sample-slant+1']
    """

    model: Model
    directions: Directions
    target: str
    held: tuple[str, ...]
    dataset: Dataset

    def save(self, path: str | Path) -> None:
        """Save the directions, and the target's name, in one ``.safetensors`` file.

        Raises:
            ConfigError: the name has another ending, or the file there holds something else.
            FileError: it cannot be written.
        """
        save_directions(self.directions, self.target, Path(path))
        say(f"wrote {path}")

    def move_documents(self, documents: Sequence[Document], amounts: Sequence[float]) -> Results:
        """Each document moved by each amount, and a strip of each from -2 to 2.

        Args:
            documents: as :func:`read_inputs` reads them.
            amounts: in standard deviations over the data.

        Raises:
            FileError: a document has no such attribute.
        """
        strip = sorted({*STRIP, *amounts})
        written: list[Document] = []
        rows: list[tuple[str, Sequence[Document]]] = []
        passed: PassedThrough | None = None
        for document in track(documents, len(documents), "files"):
            pieces = FilePieces.of(self.model, self.model.codec.split(document))
            batch, passing = pieces.batch, pieces.passing
            if pieces.passed is not None:
                passed = pieces.passed + (passed or PassedThrough())
            latents = self.model.posterior(batch)[0].mode()
            row = [replace(document, name="input")]
            for amount in strip:
                result, moved = self._move(document, batch, latents, amount, passing)
                row.append(replace(result, name=f"{moved:+.2f}" if amount else "reconstruction"))
                if amount in amounts:
                    name = f"{document.name}-{_file_name(self.target)}{amount:+g}"
                    written.append(replace(result, name=name))
                    say(f"{name}: moved by {moved:+.2f} standard deviations")
            rows.append((document.name, row))
        ends = f"{strip[0]:+g} to {strip[-1]:+g} standard deviations"
        title = f"{self.model.spec.name}: {self.target}, {ends}"
        inputs = [document.source for document in documents if document.source is not None]
        results = Results(written, "attribute.png", title, rows, inputs)
        results.add_passed(self.model, passed)
        results.add_readings(documents)
        return results

    def _move(
        self,
        document: Document,
        batch: Batch,
        latents: Tensor,
        amount: float,
        passing: Passing | None,
    ) -> tuple[Document, float]:
        """A document moved, and by how much, standard deviations: those pieces that may be."""
        steered = steer(
            *(self.model, self.directions, latents, batch.cond, self.target, amount, self.held),
            input=batch.input,
        )
        moved, data = steered.change[:, self.directions.index(self.target)], steered.data
        if passing is not None:
            moved, data = moved[~passing.kept.to(moved.device)], passing.restore(data)
        if not len(moved):  # every piece stays as it is
            return self.model.codec.join(data, batch.cond, document), 0.0
        if bool(moved.isnan().all()):
            raise FileError(
                f"{document.source or document.name}: '{self.target}' is undefined for it"
            )
        result = self.model.codec.join(data, batch.cond, document)
        return result, float(moved.nanmean())

    def check(self, amounts: Sequence[float], items: int = CHECK_ITEMS) -> dict[str, Any]:
        """The effect on items that were not learnt from, spread over the split ``test``.

        Args:
            amounts: in standard deviations, not 0.
            items: how many.

        Returns:
            ``attribute``, ``unit``, ``standard_deviation`` (in that unit), ``held``, and the
            figures of :func:`aeplug.steering.check.check_steering`.

        Raises:
            ConfigError: an amount is 0.
            DataError: no item has the attribute.
        """
        if 0 in amounts:
            raise ConfigError("--by 0 moves nothing that could be checked")
        split = choose_split(self.dataset, "test")
        # Neighbours are often alike.
        rows = torch.linspace(0, len(split) - 1, min(items, len(split))).round().long()
        report = check_steering(
            self.model, self.directions, split, rows, self.target, amounts, self.held
        )
        index = self.directions.index(self.target)
        return {
            "attribute": self.target,
            "unit": self.directions.units[index],
            "standard_deviation": float(self.directions.deviations[index]),
            "held": list(self.held),
            **report,
        }


def read_inputs(model: Model, paths: Sequence[str | Path]) -> list[Document]:
    """Files to be moved.

    Raises:
        ConfigError: results of two of them would have the same name.
        FileError: one cannot be read.

    Example:
        >>> from aeplug.inference import make_samples, write_results
        >>> files = write_results(model, make_samples(model, 2), "out").files
        >>> [document.name for document in read_inputs(model, files)]
        ['sample-001', 'sample-002']
    """
    by_stem: dict[str, str | Path] = {}
    for path in paths:
        other = by_stem.setdefault(Path(path).stem, path)
        if other is not path:
            raise ConfigError(
                f"results of {other} and {path} would have the same name; steer them into two "
                f"folders"
            )
    return [model.read(path) for path in paths]


def find_steering(
    model: Model,
    name: str = "",
    *,
    examples: Sequence[tuple[str, Sequence[str | Path]]] = (),
    keep: str | None = None,
    data: str | Path | None = None,
    items: int = ITEMS,
    seed: int = 0,
) -> Steering:
    """Learn the way along an attribute from data, or load one that was kept.

    Args:
        model: whose latents.
        name: a measured attribute of the task, two classes of a label (``3:8``,
            ``collection=A:B``), or a ``.safetensors`` file that was kept.
        examples: instead of a name, two folders, each with the files in it: to go from the one
            to the other.
        keep: other attributes to hold: ``all``, ``none``, or names by commas; by default all,
            between examples none.
        data: your own files as the data set, instead of what the model was trained with.
        items: of the split ``train`` to learn from, at most.
        seed: of their choice.

    Raises:
        ConfigError: no such attribute, label or class; or the latent is no vector.
        DataError: too few items or examples, or an attribute that is the same for all.
        FileError: a file of directions is missing or damaged.

    Example:
        >>> model = aeplug.load("mnist-vae", device="cpu")
        >>> slant = find_steering(model, "slant", items=100)
        >>> slant.target, len(slant.held) > 0
        ('slant', True)
    """
    if name and not (":" in name or name.endswith(SUFFIX)):
        find_attribute(model.spec, name)  # a typo is answered before anything is learnt
    _ = model.latent_size
    dataset = evaluation_dataset(model, None if data is None else str(data), active())
    if name.endswith(SUFFIX):
        directions, target = load_directions(Path(name).expanduser(), model)
    else:
        directions, target = _learn(model, dataset, name, examples, items, seed)
    held = _choose_held(directions, target, keep)
    return Steering(model, directions, target, held, dataset)


def _learn(
    model: Model,
    dataset: Dataset,
    name: str,
    examples: Sequence[tuple[str, Sequence[str | Path]]],
    items: int,
    seed: int,
) -> tuple[Directions, str]:
    split = choose_split(dataset, "train")
    classes = None if examples else example_sets.parse_classes(name)
    ends: list[Tensor] = []
    if examples:
        ends = [_latents_of_files(model, folder, paths) for folder, paths in examples]
        name = ":".join(Path(folder).name for folder, _ in examples)
    elif classes:
        label = example_sets.choose_label(dataset, split, classes[0])
        rows = example_sets.find_rows(
            dataset, split, label, classes[1:], example_sets.MOST_EXAMPLES, seed
        )
        ends = [example_sets.encode_rows(model, split, each) for each in rows]
        name = f"{label}={classes[1]}:{classes[2]}"
    directions = learn_directions(model, split, items, seed)
    if not ends:
        directions.index(name)
        return directions, name
    directions = directions.with_examples(name, ends[0], ends[1])
    assert directions.ends is not None
    apart = directions.ends[1] - directions.ends[0]
    counts = " and ".join(str(len(latents)) for latents in ends)
    say(f"{name}: {counts} examples, {apart:.2f} standard deviations apart")
    return directions, name


def _latents_of_files(model: Model, folder: str, paths: Sequence[str | Path]) -> Tensor:
    return example_sets.encode_files(
        model, map(str, paths), lambda path, why: say(f"left out: {why}"), folder
    )


def _choose_held(directions: Directions, target: str, keep: str | None) -> tuple[str, ...]:
    others = tuple(name for name in directions.names if name != target)
    if keep is None:
        # The difference between two sets of examples may well be one of the others.
        between_examples = directions.ends is not None and target == directions.names[-1]
        keep = "none" if between_examples else "all"
    if keep in ("all", "none"):
        return others if keep == "all" else ()
    chosen = tuple(name.strip() for name in keep.split(","))
    for name in chosen:
        if name not in others:
            raise ConfigError(
                f"--keep {keep}: no other attribute '{name}'. {nearest(name, others)}"
            )
    return chosen


def _file_name(attribute: str) -> str:
    """An attribute's name as part of a file's."""
    return "".join(letter if letter.isalnum() else "-" for letter in attribute)
