"""Photographs of any size in a folder, as random crops for training and whole for evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from aeplug.config import PartConfig, setting
from aeplug.errors import DataError
from aeplug.interfaces import DataShape
from aeplug_image.datasets.folder import iter_pictures
from aeplug_image.files.fitting import convert_channels, to_colours

__all__ = ["CropSplit", "crop_windows"]


class PhotoCropsConfig(PartConfig):
    """Which photographs, and how they are cut."""

    main = "path"

    path: str = setting("", "folder of photographs, searched recursively")
    crop: int = setting(64, "side of a training crop", unit="pixels", ge=8)
    channels: int = setting(3, "1 grey, 3 colour (grey pictures as three equal channels)")
    heldout: int = setting(
        20,
        "photographs held out, spread over the sorted names; both 'val' and 'test' are these",
        unit="photographs",
        ge=1,
    )


class PhotoCrops:
    """All readable photographs of a folder, at 8 bit, in memory.

    Held-out photographs are chosen by name, whole: no crop of theirs is trained on.

    Raises:
        DataError: no such folder, or too few photographs in it.
    """

    Config = PhotoCropsConfig

    def __init__(self, config: PhotoCropsConfig, shape: DataShape | None = None) -> None:
        if config.channels not in (1, 3):
            raise DataError(f"data.channels={config.channels}: expected 1 (grey) or 3 (colour)")
        self.config = config
        side = (shape.target[0] if shape else config.channels, config.crop, config.crop)
        self.shape = shape or DataShape(side, side)
        self._photos: tuple[list[str], list[np.ndarray]] | None = None

    @classmethod
    def with_shape(cls, config: PhotoCropsConfig, shape: DataShape) -> PhotoCrops:
        """The folder's photographs for a model of this shape."""
        return cls(config.model_copy(update={"crop": shape.target[-1]}), shape)

    def split(self, name: str) -> CropSplit:
        """``train``, ``val``, ``test`` or ``all``."""
        if self._photos is None:
            self._photos = _read_photos(self.config.path)
        names, photos = self._photos
        count, heldout = len(names), self.config.heldout
        if name == "all":
            rows = list(range(count))
        elif count <= heldout:
            raise DataError(
                f"{self.config.path} holds {count} photographs, {heldout} of them to be held out: "
                "expected more, or a smaller data.heldout"
            )
        else:
            if name == "train":
                self._check_crop(photos)
            spread = {int((number + 0.5) * count / heldout) for number in range(heldout)}
            rows = [row for row in range(count) if (row in spread) == (name != "train")]
        chosen = [photos[row] for row in rows]
        return CropSplit([names[row] for row in rows], chosen, self.shape, dense=name == "train")

    def _check_crop(self, photos: Sequence[np.ndarray]) -> None:
        largest = max(min(photo.shape[:2]) for photo in photos)
        if self.config.crop > largest:
            raise DataError(
                f"crops of {self.config.crop} pixels are larger than every photograph in "
                f"{self.config.path}; expected at most data.crop={largest}"
            )


class CropSplit:
    """Photographs on the device, addressed by the cells of a grid laid over each.

    Example:
        >>> from aeplug.interfaces import DataShape
        >>> photo = np.zeros((48, 64, 3), np.uint8)
        >>> split = CropSplit(["a.png"], [photo], DataShape((3, 16, 16), (3, 16, 16)))
        >>> len(split), split.take(torch.tensor([0, 11]))["photo"].shape
        (12, torch.Size([2, 3, 24, 24]))

    Args:
        names: of the files, below the folder.
        photos: uint8 ``(H, W, 1 or 3)`` each.
        shape: the target's: crops of this size, in this many channels.
        dense: cells of half a crop, for training; else of a crop, so that none is seen twice.

    Attributes:
        names: as above.
        photos: as above.
    """

    def __init__(
        self,
        names: Sequence[str],
        photos: Sequence[np.ndarray],
        shape: DataShape,
        *,
        dense: bool = False,
    ) -> None:
        self.names, self.photos = list(names), list(photos)
        self._shape = shape
        channels, crop = shape.target[0], shape.target[-1]
        # A cell's window is half a crop larger than a crop: where in it, `prepare` draws.
        self._step, self._window = max(crop // 2, 1) if dense else crop, crop + crop // 2
        padded = [_pad_to(convert_channels(photo, channels), self._window) for photo in self.photos]
        sizes = np.array([photo.shape[:2] for photo in padded], np.int64)
        self._pixels = torch.from_numpy(
            np.concatenate([photo.reshape(-1, photo.shape[2]) for photo in padded])
        )
        first = np.cumsum([0, *sizes.prod(1)])[:-1]
        corners, widths = [], []
        for start, (height, width) in zip(first, sizes, strict=True):
            down = _window_origins(height, self._window, self._step)
            across = _window_origins(width, self._window, self._step)
            corners.append((start + down[:, None] * width + across).reshape(-1))
            widths.append(np.full(len(corners[-1]), width))
        self._corner = torch.from_numpy(np.concatenate(corners))
        self._width = torch.from_numpy(np.concatenate(widths))

    def __len__(self) -> int:
        return len(self._corner)

    def take(self, index: Tensor) -> dict[str, Tensor]:
        """``photo``: windows with some room around a crop, uint8 ``(B, C, S, S)``."""
        line = torch.arange(self._window, device=index.device)
        rows = self._corner[index, None] + self._width[index, None] * line  # (B, S)
        pixels = self._pixels[rows.unsqueeze(2) + line]  # (B, S, S, C)
        return {"photo": pixels.permute(0, 3, 1, 2)}

    def to(self, device: torch.device) -> CropSplit:
        """The same, held on ``device``."""
        moved = object.__new__(CropSplit)
        moved.__dict__.update(self.__dict__)
        moved._pixels, moved._corner, moved._width = (
            tensor.to(device) for tensor in (self._pixels, self._corner, self._width)
        )
        return moved

    def first_items(self, count: int) -> CropSplit:
        """The first ``count`` photographs."""
        return CropSplit(self.names[:count], self.photos[:count], self._shape)


def crop_windows(windows: Tensor, side: int, generator: torch.Generator, training: bool) -> Tensor:
    """A crop of each window ``(B, C, S, S)``: at random in training, else the middle.

    Example:
        >>> window = torch.arange(16).reshape(1, 1, 4, 4)
        >>> crop_windows(window, 2, torch.Generator(), training=False).tolist()
        [[[[5, 6], [9, 10]]]]
    """
    return crop_randomly(windows, side, generator) if training else crop_centre(windows, side)


def crop_randomly(windows: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """A crop of each window ``(B, C, S, S)``, somewhere in it, flipped and turned at random."""
    count, device = len(windows), windows.device
    room = windows.shape[-1] - side + 1
    top, left = torch.randint(room, (2, count, 1), device=device, generator=generator)
    line = torch.arange(side, device=device)
    rows, columns = (top + line)[:, None, :, None], (left + line)[:, None, None, :]
    items = torch.arange(count, device=device)[:, None, None, None]
    channels = torch.arange(windows.shape[1], device=device)[None, :, None, None]
    crops = windows[items, channels, rows, columns]
    for flip in (lambda x: x.flip(-1), lambda x: x.flip(-2), lambda x: x.mT):
        chosen = torch.rand(count, 1, 1, 1, device=device, generator=generator) < 0.5
        crops = torch.where(chosen, flip(crops), crops)
    return crops


def crop_centre(windows: Tensor, side: int) -> Tensor:
    """The middle of each window ``(B, C, S, S)``."""
    start = (windows.shape[-1] - side) // 2
    return windows[..., start : start + side, start : start + side]


def _read_photos(folder: str) -> tuple[list[str], list[np.ndarray]]:
    """Names and pixels uint8 ``(H, W, 1 or 3)``, sorted by name."""
    place = Path(folder).expanduser()
    if not folder or not place.is_dir():
        raise DataError(
            f"data folder '{folder}' does not exist or is not a folder; give a folder of "
            "photographs with --data"
        )
    names, photos = [], []
    for name, picture in iter_pictures(place):
        names.append(name)
        photos.append(to_colours(picture))
    return names, photos


def _pad_to(photo: np.ndarray, side: int) -> np.ndarray:
    """A photograph mirrored at its edges where it is smaller than a window."""
    more = [(0, max(0, side - length)) for length in photo.shape[:2]]
    return np.pad(photo, [*more, (0, 0)], mode="symmetric") if any(b for _, b in more) else photo


def _window_origins(length: int, window: int, step: int) -> np.ndarray:
    """Where windows start, so that they cover all of ``length``."""
    return np.unique(np.append(np.arange(0, length - window + 1, step), length - window))
