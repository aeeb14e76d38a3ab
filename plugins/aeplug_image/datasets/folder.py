"""A folder of the user's own images as a data set."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from aeplug.config import PartConfig, setting
from aeplug.data import TensorSplit
from aeplug.errors import DataError, FileError
from aeplug.interfaces import DataShape
from aeplug.runtime import is_figure, say
from aeplug_image.files.fitting import fit_picture
from aeplug_image.files.reading import Picture, read_picture

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})


class ImageFolderConfig(PartConfig):
    """Which images, and at what size."""

    main = "path"

    path: str = setting("", "folder of images, searched recursively")
    size: int = setting(
        0,
        "side of the square the images are brought to; 0: they all have one size",
        unit="pixels",
        ge=0,
        le=1024,
    )
    channels: int = setting(0, "1 grey, 3 colour; 0: colour if any image is", ge=0, le=3)
    heldout: float = setting(
        0.05,
        "share held out for evaluation while training, and as much for the test split",
        gt=0,
        lt=0.5,
    )
    conditional: bool = setting(
        False, "tell the model which subfolder it is: the condition 'label'"
    )


class ImageFolder:
    """All readable images of a folder, as uint8 of one size.

    An image's split is a hash of its name, so that it stays when others come (but for a few where
    a split would be empty). Where images lie in subfolders, the subfolder's name is the label.

    Raises:
        DataError: the folder is missing or holds no image, sizes differ, or labels are asked for
            or expected and are not there.
    """

    Config = ImageFolderConfig

    def __init__(self, config: ImageFolderConfig, shape: DataShape | None = None) -> None:
        self.config = config
        folder = Path(config.path).expanduser()
        if not config.path or not folder.is_dir():
            raise DataError(f"data folder '{config.path}' does not exist or is not a folder")
        names, images = _read_all(folder, config, shape)
        self.shape = shape or _common_shape(folder, images)
        channels = self.shape.target[0]
        self._columns = {"image": torch.stack([i.expand(channels, -1, -1) for i in images])}
        labels = [Path(name).parts[0] if len(Path(name).parts) > 1 else "" for name in names]
        if any(labels):
            classes = sorted(set(labels))
            self._columns["label"] = torch.tensor([classes.index(label) for label in labels])
        if shape is None and config.conditional:
            if not all(labels):
                raise DataError(f"data.conditional: every image in {folder} must have a subfolder")
            conditions = {"label": tuple(sorted(set(labels)))}
            self.shape = replace(self.shape, conditions=conditions)
        for condition, known in self.shape.conditions.items():
            if other := set(labels) - set(known):
                raise DataError(
                    f"{folder} has images in '{min(other)}'; the model is told the {condition} by "
                    f"subfolders: {', '.join(known)}"
                )
            self._columns[condition] = torch.tensor([known.index(label) for label in labels])
        self._split_of = _assign_splits(names, config.heldout)

    @classmethod
    def with_shape(cls, config: ImageFolderConfig, shape: DataShape) -> ImageFolder:
        """The folder's images brought to the shape a model was built for."""
        return cls(config, shape)

    def split(self, name: str) -> TensorSplit:
        """``train``, ``val``, ``test`` or ``all``.

        Columns: ``image`` uint8 ``(N, C, H, W)``; ``label`` int64 ``(N,)`` with subfolders.
        """
        rows = [row for row, split in enumerate(self._split_of) if name == "all" or split == name]
        if not rows:
            raise DataError(
                f"{self.config.path} holds {len(self._split_of)} images, too few for a split "
                f"'{name}'; training needs at least 3"
            )
        index = torch.tensor(rows)
        return TensorSplit({key: column[index] for key, column in self._columns.items()})


def _read_all(
    folder: Path, config: ImageFolderConfig, shape: DataShape | None
) -> tuple[list[str], list[Tensor]]:
    """Names and images ``(C, H, W)`` uint8, each at its final size as soon as it is read."""
    if config.channels == 2:
        raise DataError("data.channels=2: expected 1 (grey) or 3 (colour)")
    names, images = [], []
    for name, picture in iter_pictures(folder):
        height, width, channels = picture.pixels.shape
        size = (config.size,) * 2 if config.size else (height, width)
        target = shape.target if shape else (config.channels or (3 if channels > 2 else 1), *size)
        images.append((fit_picture(picture, target) * 255).round().to(torch.uint8))
        names.append(name)
    return names, images


def iter_pictures(folder: Path) -> Iterator[tuple[str, Picture]]:
    """Names below a folder, sorted, and pictures; says at the end what was left out, and why.

    Raises:
        DataError: the folder holds no picture that can be read; raised at the end.
    """
    bad, readable = [], 0
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES):
        if is_figure(path):
            bad.append(f"{path} is a figure that aeplug drew")
            continue
        try:
            picture = read_picture(path)
        except FileError as error:
            bad.append(str(error))
            continue
        readable += 1
        yield path.relative_to(folder).as_posix(), picture
    for reason in bad[:5]:
        say(f"left out: {reason}")
    if len(bad) > 5:
        say(f"left out: {len(bad) - 5} more files that cannot be read")
    if not readable:
        raise DataError(f"{folder} holds no readable image ({', '.join(sorted(SUFFIXES))})")


def _common_shape(folder: Path, images: list[Tensor]) -> DataShape:
    sizes = {tuple(image.shape[1:]) for image in images}
    if len(sizes) > 1:
        (h1, w1), (h2, w2) = min(sizes), max(sizes)
        raise DataError(
            f"images in {folder} differ in size ({w1}x{h1} to {w2}x{h2}); choose one for "
            f"all, as in --set data.size=64"
        )
    shape = (max(len(image) for image in images), *sizes.pop())
    return DataShape(shape, shape)


def _assign_splits(names: list[str], share: float) -> list[str]:
    """Each name's split, by its hash; of 3 names or more every split gets at least one."""
    if len(names) < 3:
        return ["all"] * len(names)
    digests = [hashlib.sha256(os.fsencode(name)).digest()[:4] for name in names]
    numbers = [int.from_bytes(digest, "big") / 2**32 for digest in digests]
    val = sum(number < share for number in numbers)
    test = sum(share <= number < 2 * share for number in numbers)
    val = min(max(val, 1), len(names) - 2)
    test = min(max(test, 1), len(names) - 1 - val)
    splits = [""] * len(names)
    for rank, row in enumerate(sorted(range(len(names)), key=numbers.__getitem__)):
        splits[row] = "val" if rank < val else "test" if rank < val + test else "train"
    return splits
