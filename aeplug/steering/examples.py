"""Two sets of examples: the classes of a label, or two folders of files."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from aeplug.data.labels import MEAN, NAME, label_rows
from aeplug.data.splits import iter_rows
from aeplug.errors import ConfigError, DataError, nearest
from aeplug.inference.embed import embed_files
from aeplug.interfaces import Dataset, Split
from aeplug.model.model import Model

#: Most examples of a side.
MOST_EXAMPLES = 1000


def parse_classes(text: str) -> tuple[str, str, str] | None:
    """``3:8`` or ``label=3:8`` as label (empty: the first), and two classes; None: neither."""
    label, equals, pair = text.rpartition("=")
    a, colon, b = pair.partition(":")
    if not colon:
        return None
    if not a or not b or a == b or (equals and not label):
        raise ConfigError(f"'{text}': expected two classes, A:B or LABEL=A:B")
    return label, a, b


def choose_label(dataset: Dataset, split: Split, name: str) -> str:
    """The label of this name, or the first there is.

    Raises:
        ConfigError: there is none.
    """
    labels = label_rows(dataset, split.take(torch.arange(min(1, len(split)))))
    known = [label for label in labels if label != NAME]
    if not known:
        raise ConfigError("the data has no labels; give examples as folders, --from and --to")
    if name and name not in known:
        raise ConfigError(f"the data has no label '{name}'. {nearest(name, known)}")
    return name or known[0]


def find_rows(
    dataset: Dataset, split: Split, label: str, classes: tuple[str, str], each: int, seed: int
) -> tuple[Tensor, Tensor]:
    """Numbers of rows of the two classes, at most ``each``, in random order; int64.

    Raises:
        ConfigError: the split has no item of a class; the message names the nearest.
    """
    order = torch.randperm(len(split), generator=torch.Generator().manual_seed(seed))
    sides: tuple[list[Tensor], list[Tensor]] = ([], [])
    seen: set[str] = set()
    for index, raw in iter_rows(split, torch.device("cpu"), order):
        values: npt.NDArray[np.str_] = np.asarray(label_rows(dataset, raw)[label]).astype(str)
        seen.update(values.tolist())
        for side, name in zip(sides, classes, strict=True):
            side.append(index[torch.from_numpy(values == name)])
        if all(sum(map(len, side)) >= each for side in sides):
            break
    a, b = (torch.cat(side)[:each] if side else torch.zeros(0, dtype=torch.int64) for side in sides)
    for name, numbers in zip(classes, (a, b), strict=True):
        if not len(numbers):
            raise ConfigError(
                f"no item of the {len(split)} has {label} '{name}'. {nearest(name, seen)}"
            )
    return a, b


@torch.no_grad()
def encode_rows(model: Model, split: Split, numbers: Tensor) -> Tensor:
    """Latents of some rows, ``(n, D)``."""
    return torch.cat(
        [
            model.posterior(model.prepare_batch(raw))[0].mode().float()
            for _, raw in iter_rows(split, model.device, numbers)
        ]
    )


def encode_files(
    model: Model, paths: Iterable[str], failed: Callable[[str, str], None], name: str
) -> Tensor:
    """Latents of every piece of some files, ``(n, D)``.

    Raises:
        DataError: none of them can be read.
    """
    blocks = [block[MEAN] for block in embed_files(model, paths, failed)]
    if not blocks:
        raise DataError(f"{name} holds no file that '{model.spec.name}' can read")
    return torch.from_numpy(np.concatenate(blocks).astype(np.float32)).to(model.device)
