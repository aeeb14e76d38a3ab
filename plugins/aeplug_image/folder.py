"""A folder of the user's own images as a data set."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import torch

from aeplug.config import PartConfig, setting
from aeplug.console import say
from aeplug.datasets import TensorSplit
from aeplug.errors import DataError, FileError
from aeplug.interfaces import DataShape
from aeplug_image.fitting import fitted
from aeplug_image.image_file import Picture, read_picture

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


class ImageFolder:
    """All readable images of a folder, as uint8 of one size.

    An image's split is a hash of its name, so that it stays when others come. Where images lie
    in subfolders, the subfolder's name is the label.
    """

    Config = ImageFolderConfig

    def __init__(self, config: ImageFolderConfig, shape: DataShape | None = None) -> None:
        self.config = config
        folder = Path(config.path).expanduser()
        if not config.path or not folder.is_dir():
            raise DataError(f"data folder '{config.path}' does not exist or is not a folder")
        names, pictures = _read_all(folder)
        self.shape = shape or _common_shape(folder, pictures, config)
        images = [(fitted(picture, self.shape.input) * 255).round() for picture in pictures]
        self._columns = {"image": torch.stack(images).to(torch.uint8)}
        labels = [Path(name).parts[0] if len(Path(name).parts) > 1 else "" for name in names]
        if any(labels):
            classes = sorted(set(labels))
            self._columns["label"] = torch.tensor([classes.index(label) for label in labels])
        self._split_of = [_split_of(name, config.heldout) for name in names]
        # Few images may all fall to one side; each split that is used must have some.
        if len(names) > 2:
            for position, split in ((0, "train"), (1, "val"), (2, "test")):
                if split not in self._split_of:
                    self._split_of[position] = split
        else:
            self._split_of = ["all"] * len(names)

    @classmethod
    def fitted(cls, config: ImageFolderConfig, shape: DataShape) -> ImageFolder:
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


def _read_all(folder: Path) -> tuple[list[str], list[Picture]]:
    names, pictures, bad = [], [], []
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES):
        try:
            pictures.append(read_picture(path))
            names.append(path.relative_to(folder).as_posix())
        except FileError as error:
            bad.append(str(error))
    for reason in bad[:5]:
        say(f"left out: {reason}")
    if len(bad) > 5:
        say(f"left out: {len(bad) - 5} more files that cannot be read")
    if not pictures:
        raise DataError(f"{folder} holds no readable image ({', '.join(sorted(SUFFIXES))})")
    return names, pictures


def _common_shape(folder: Path, pictures: list[Picture], config: ImageFolderConfig) -> DataShape:
    if config.channels == 2:
        raise DataError("data.channels=2: expected 1 (grey) or 3 (colour)")
    channels = config.channels or (3 if any(p.pixels.shape[2] >= 3 for p in pictures) else 1)
    if config.size:
        height = width = config.size
    else:
        sizes = Counter(picture.pixels.shape[:2] for picture in pictures)
        if len(sizes) > 1:
            (h1, w1), (h2, w2) = min(sizes), max(sizes)
            raise DataError(
                f"images in {folder} differ in size ({w1}x{h1} to {w2}x{h2}); choose one for "
                f"all, as in --set data.size=64"
            )
        height, width = next(iter(sizes))
    shape = (channels, height, width)
    return DataShape(shape, shape)


def _split_of(name: str, share: float) -> str:
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") / 2**32
    return "val" if number < share else "test" if number < 2 * share else "train"
