"""Run directories: ``config.json``, ``env.json``, ``metrics.jsonl``, ``checkpoints/``."""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from aeplug.errors import CheckpointError
from aeplug.runtime.files import atomic_write

LAST: Literal["last"] = "last"
BEST: Literal["best"] = "best"


class RunFolder:
    """One run's folder; only the process of rank 0 writes to it.

    Args:
        folder: where it lies or shall lie.

    Example:
        >>> run = RunFolder(Path("runs/vae"))
        >>> run.create({"task": "mnist-vae"}, environment={})
        >>> run.log({"step": 100, "split": "val", "loss": 0.5})
        >>> run.metrics()
        [{'step': 100, 'split': 'val', 'loss': 0.5}]
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config_path = folder / "config.json"
        self.metrics_path = folder / "metrics.jsonl"

    def checkpoint(self, which: str) -> Path:
        """Folder of the checkpoint ``last`` or ``best``."""
        return self.folder / "checkpoints" / which

    @property
    def exists(self) -> bool:
        """Whether a run was begun here."""
        return self.config_path.is_file()

    def config(self) -> dict[str, Any]:
        """The run's settings, as ``config.json`` has them.

        Raises:
            CheckpointError: the folder is not there, holds no run, or the file is damaged.
        """
        try:
            config = json.loads(self.config_path.read_text(encoding="utf-8"))
            task: str = config["task"]
        except FileNotFoundError:
            is_there = self.folder.is_dir()
            reason = "holds no run (config.json is missing)" if is_there else "does not exist"
            raise CheckpointError(f"run folder {self.folder} {reason}") from None
        except OSError as error:
            raise CheckpointError(f"{self.config_path}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"{self.config_path} is damaged") from error
        return {**config, "task": task}

    def create(self, config: Mapping[str, Any], environment: Mapping[str, Any]) -> None:
        """Begin a run.

        Raises:
            CheckpointError: the folder already holds one, or cannot be written.
        """
        if self.exists:
            raise CheckpointError(
                f"{self.folder} already holds a run; go on with it by --resume, or name another "
                f"folder by --run"
            )
        try:
            (self.folder / "checkpoints").mkdir(parents=True, exist_ok=True)
            self.metrics_path.write_text("", encoding="utf-8")
            atomic_write(self.folder / "env.json", json.dumps(environment, indent=2) + "\n")
            # Last: with it the run exists.
            atomic_write(self.config_path, json.dumps(config, indent=2) + "\n")
        except OSError as error:
            raise CheckpointError(
                f"run folder {self.folder} cannot be written: {error.strerror}"
            ) from error

    def update(self, config: Mapping[str, Any]) -> None:
        """Replace the settings of a run that goes on with others (a greater length)."""
        try:
            atomic_write(self.config_path, json.dumps(config, indent=2) + "\n")
        except OSError as error:
            raise CheckpointError(
                f"{self.config_path} cannot be written: {error.strerror}"
            ) from error

    def log(self, record: Mapping[str, Any]) -> None:
        """Add one line to ``metrics.jsonl``."""
        try:
            with self.metrics_path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
        except OSError as error:
            raise CheckpointError(
                f"{self.metrics_path} cannot be written: {error.strerror}"
            ) from error

    def metrics(self) -> list[dict[str, Any]]:
        """All lines of ``metrics.jsonl``; a line cut off by a kill is left out."""
        records = []
        if self.metrics_path.is_file():
            for line in self.metrics_path.read_text(encoding="utf-8").splitlines():
                try:
                    records.append(json.loads(line))
                except ValueError:
                    continue
        return records

    def rewind(self, step: int) -> None:
        """Drop lines beyond ``step``: a resumed run writes them again."""
        kept = [record for record in self.metrics() if record["step"] <= step]
        atomic_write(self.metrics_path, "".join(json.dumps(record) + "\n" for record in kept))


def new_folder(task: str, root: Path = Path("runs")) -> Path:
    """A folder name not yet in use: ``runs/TASK-YYYYMMDD-HHMMSS``."""
    stem = f"{task}-{time.strftime('%Y%m%d-%H%M%S')}"
    folder, number = root / stem, 2
    while folder.exists():
        folder, number = root / f"{stem}-{number}", number + 1
    return folder


def latest(task: str, root: Path = Path("runs")) -> Path:
    """The newest run of a task under ``root``.

    Raises:
        CheckpointError: there is none.
    """
    runs = [path.parent for path in root.glob("*/config.json") if _task_of(path) == task]
    if not runs:
        raise CheckpointError(f"no run of '{task}' in {root}/ to resume; name one by --run")
    return max(runs, key=lambda run: run.stat().st_mtime)


def environment(device: str, plugins: Mapping[str, str]) -> dict[str, Any]:
    """What ``env.json`` records: versions, machine, command line."""
    import torch

    names = ("torch", "numpy", "pluggy", "click", "pydantic", "safetensors")
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: metadata.version(name) for name in names},
        "plugins": dict(plugins),
        "device": device,
        "cuda": torch.version.cuda,
        "threads": torch.get_num_threads(),
        "command": sys.argv,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def _task_of(path: Path) -> str | None:
    try:
        task: str | None = json.loads(path.read_text(encoding="utf-8")).get("task")
    except (OSError, ValueError, AttributeError):
        return None
    return task
