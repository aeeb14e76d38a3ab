"""Checkpoints: a folder anyone can read, written whole or not at all.

``config.json``        format, task, plug-ins, resolved settings, shapes, checksum of the weights
``model.safetensors``  the weights to use (their moving average, where one is kept)
``trainer.pt``         what training needs to go on: optimizers by phase, random states, step;
                       only in checkpoints to be resumed; no pickled classes
``prior-*.safetensors``  priors fitted to the embeddings, named in ``config.json`` under ``priors``
"""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_model, save_model
from torch import nn

from aeplug.errors import CheckpointError
from aeplug.interfaces import DataShape
from aeplug.plugins.specs import TaskSpec
from aeplug.runtime.files import describe_write_error, fsync_path, hash_file, text_path

FORMAT = 1
CONFIG, WEIGHTS, TRAINER = "config.json", "model.safetensors", "trainer.pt"


class MisfitError(CheckpointError):
    """Weights that are whole, but of another model than the parts here make."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint read from disk, verified.

    Attributes:
        folder: where it lies.
        header: the content of ``config.json``.
    """

    folder: Path
    header: Mapping[str, Any]

    @property
    def shape(self) -> DataShape:
        """What one item looked like when the model was built."""
        shape = self.header["shape"]
        return DataShape(
            tuple(shape["input"]),
            tuple(shape["target"]),
            shape["classes"],
            {name: tuple(classes) for name, classes in shape["conditions"].items()},
        )

    def load_into(self, model: nn.Module) -> None:
        """Copy the weights into a model, widening half precision to the model's own.

        Raises:
            CheckpointError: the file is missing, damaged or altered.
            MisfitError: it is of another model.
        """
        path = self.folder / WEIGHTS
        if not path.is_file():
            raise CheckpointError(f"{path} is missing")
        digest = hash_file(path)
        if digest != self.header["weights_sha256"]:
            raise CheckpointError(
                f"{path} is damaged or was altered: its sha256 is {digest[:16]}..., "
                f"{CONFIG} says {self.header['weights_sha256'][:16]}..."
            )
        try:
            with text_path(path) as name:
                load_model(model, name)
        except (SafetensorError, OSError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise MisfitError(f"{path} does not fit the model: {reason}") from error

    def trainer(self) -> dict[str, Any]:
        """The state of training.

        Raises:
            CheckpointError: there is none here, or it is damaged.
        """
        path = self.folder / TRAINER
        if not path.is_file():
            raise CheckpointError(f"{self.folder} holds no {TRAINER}; it cannot be resumed")
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises whatever the zip or the unpickler raises
            raise CheckpointError(f"{path} is damaged: {error}") from error
        return state


def save(
    folder: Path,
    header: Mapping[str, Any],
    model: nn.Module,
    trainer: Mapping[str, Any] | None = None,
    *,
    half: bool = False,
    files: Mapping[str, bytes] | None = None,
) -> None:
    """Write a checkpoint; a kill or a full disk leaves the one before untouched.

    Args:
        folder: the checkpoint's final place; replaced if it exists.
        header: JSON-ready; format and checksum are added.
        model: whose weights to write, under their uncompiled names.
        trainer: what :meth:`Checkpoint.trainer` shall return.
        half: store floating point weights in half precision, for shipping.
        files: what else shall lie in the folder (fitted priors), content by name.

    Raises:
        CheckpointError: it cannot be written (the message holds the system's reason).
    """
    fresh = folder.with_name(folder.name + ".new")
    try:
        kept = recover(folder)
        if kept != folder and kept.exists():
            kept.rename(folder)  # finishes what a kill between two renames left
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        weights = fresh / WEIGHTS
        save_model(copy.deepcopy(model).half() if half else model, str(weights))
        if trainer is not None:
            torch.save(dict(trainer), fresh / TRAINER)
        for name, content in (files or {}).items():
            (fresh / name).write_bytes(content)
        full = {"format": FORMAT, **header, "weights_sha256": hash_file(weights)}
        (fresh / CONFIG).write_text(json.dumps(full, indent=2) + "\n", encoding="utf-8")
        for path in (*fresh.iterdir(), fresh):
            fsync_path(path)
        old = folder.with_name(folder.name + ".old")
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
        fsync_path(folder.parent)
        shutil.rmtree(old, ignore_errors=True)
    except (OSError, RuntimeError, SafetensorError) as error:
        shutil.rmtree(fresh, ignore_errors=True)
        before = "; the one before is untouched" if recover(folder).exists() else ""
        raise CheckpointError(
            f"checkpoint {folder} cannot be written: {describe_write_error(error, folder)}{before}"
        ) from error


def read(folder: Path) -> Checkpoint:
    """Read a checkpoint's header; weights are read, and verified, on demand.

    Raises:
        CheckpointError: there is none, or its header is damaged or of a newer format.
    """
    folder = recover(folder)
    path = folder / CONFIG
    try:
        header = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{folder} holds no checkpoint ({CONFIG} is missing)") from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error
    required = {"format", "task", "config", "shape", "weights_sha256"}
    if not isinstance(header, dict) or not required <= set(header):
        raise CheckpointError(f"{path} is not a checkpoint's header")
    if header["format"] > FORMAT:
        raise CheckpointError(
            f"{folder} has format {header['format']}, this aeplug reads up to {FORMAT}; "
            f"it was written by aeplug {header.get('aeplug', '?')}: update aeplug"
        )
    return Checkpoint(folder, header)


def recover(folder: Path) -> Path:
    """The folder itself, or what a kill between its two renames left in its place."""
    for name in (folder.name, folder.name + ".new", folder.name + ".old"):
        candidate = folder.with_name(name)
        # `.new` is whole only once `folder` was moved away: that comes after its last fsync.
        if (candidate / CONFIG).is_file():
            return candidate
    return folder


def shipped_weights(task: TaskSpec) -> Path | None:
    """Folder of the checkpoint that comes with a task; None where none does."""
    if task.weights is None:
        return None
    package, _, inner = task.weights.partition(":")
    folder = Path(str(resources.files(package))) / inner
    return folder if (folder / CONFIG).is_file() else None
