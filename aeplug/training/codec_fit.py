"""Whether a task's codec can write and read the items that are trained on: seen before step 1.

Else a training ends with pictures that cannot be drawn, and a model that no file goes through.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from aeplug.config import TaskConfig
from aeplug.errors import AeplugError, ConfigError, FileError
from aeplug.interfaces import AnySizeEncoder, FilePrepare, Prepare, Split, supports
from aeplug.model.task import Task
from aeplug.plugins import explain_missing_library


def check_codec_fits(config: TaskConfig, task: Task, prepare: Prepare, split: Split) -> None:
    """Write one item to a file and read it again.

    What is compared is the form alone: what an item is may well be such that no file holds it.

    Args:
        config: names the codec.
        task: whose items they are.
        prepare: rows of the split -> a batch.
        split: its first row is taken.

    Raises:
        ConfigError: the codec cannot make a file of an item, or reads items of another form.

    Example:
        >>> from aeplug.data import open_dataset
        >>> from aeplug.data.opening import build_prepare
        >>> from aeplug.model.task import Task
        >>> config = training_config("mnist-vae", settings={"codec": "sound"})
        >>> dataset = open_dataset(config)
        >>> prepare = build_prepare(config, dataset.shape)
        >>> task = Task(config, dataset.shape)
        >>> check_codec_fits(config, task, prepare, dataset.split("val"))
        Traceback (most recent call last):
            ...
        aeplug.errors.ConfigError: codec 'sound' does not fit the items of the data, which are of
            shape (1, 28, 28): ...
    """
    section = config.sections["codec"]
    raw = split.take(torch.tensor([0]))
    device = next(iter(raw.values())).device
    generator = torch.Generator(device).manual_seed(0)
    batch = prepare(raw, generator, training=False)
    shapes = {tuple(batch.input.shape[1:]), tuple(batch.target.shape[1:])}
    reason: Any = ""
    try:
        codec = section.factory(section.config, task.shape)
        with torch.random.fork_rng([]), TemporaryDirectory(prefix="aeplug-") as folder:
            document = codec.join(batch.target, batch.cond, None)
            (path, *_) = codec.write(document, Path(folder) / "item", {})
            rows = {n: c.to(device) for n, c in codec.split(codec.read(path)).items()}
            if supports(prepare, FilePrepare):
                read = prepare.prepare_file(rows)
            else:
                read = prepare(rows, generator, training=False)
        if not supports(task.encoder, AnySizeEncoder) and read.input.shape[1:] not in shapes:
            reason = f"it reads items of shape {tuple(read.input.shape[1:])}"
    except FileError:
        return  # of a blank item, which no file holds
    except AeplugError as error:
        reason = error
    except Exception as error:  # whatever a codec raises on what is not its own
        if missing := explain_missing_library(error):
            raise AeplugError(missing) from error
        reason = " ".join(f"{type(error).__name__}: {error}".split())
    if reason:
        raise ConfigError(
            f"codec '{section.name}' does not fit the items of the data, which are of shape "
            f"{tuple(batch.target.shape[1:])}: {reason}"
        )
